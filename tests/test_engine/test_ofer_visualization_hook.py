"""Pictures of a run of Latent-OFER."""

import numpy as np
import pytest
import tiny_ofer
import torch
from mmengine.visualization import Visualizer

from mmocc.engine import OFERVisualizationHook


def predicted(number):
    """Return a packed batch of photos, and the predictions of the model."""
    photos = list(tiny_ofer.photos(number))
    batch = dict(inputs=photos, data_samples=tiny_ofer.samples(number))
    with torch.no_grad():
        return batch, tiny_ofer.build().eval().test_step(batch)


def test_faces_are_written_at_the_interval(tmp_path):
    hook = OFERVisualizationHook(interval=2, out_dir=str(tmp_path))
    visualizer = Visualizer(name='faces')
    visualizer.dataset_meta = dict(classes=list('abcdefg'))
    hook.draw(visualizer, *predicted(3), step=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        '000000_5.png',
        '000002_5.png',
    ]


def test_a_picture_has_six_panels_side_by_side():
    batch, samples = predicted(1)
    hook = OFERVisualizationHook()
    picture = hook.picture(batch['inputs'][0], samples[0], None)
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 4 * picture.shape[0]
    del samples[0].recon, samples[0].attention
    fewer = hook.picture(batch['inputs'][0], samples[0], None)
    assert fewer.shape[1] < picture.shape[1]


def test_disabled_it_draws_nothing_and_a_bad_interval_is_refused(tmp_path):
    hook = OFERVisualizationHook(enable=False, out_dir=str(tmp_path))
    hook.draw(Visualizer(name='none'), *predicted(1), step=0)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match='interval must be 1'):
        OFERVisualizationHook(interval=0)
