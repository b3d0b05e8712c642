import numpy as np
import pytest
import torch

from mmocc.datasets.transforms import HideSegments
from mmocc.models.hide_and_seek import BatchHideSegments


def test_whole_segments_of_each_clip_are_filled_and_the_input_is_kept():
    torch.manual_seed(0)
    clips = torch.randn(16, 25, 3, 2)
    kept = clips.clone()
    after = BatchHideSegments(10, fill=[7.0, 8.0])(clips)
    hidden = (after == torch.tensor([7.0, 8.0])).flatten(2).all(dim=2)
    assert torch.equal(clips, kept)
    assert torch.equal(after[~hidden], clips[~hidden])
    for start in (0, 10, 20):  # the last is cut off at 25
        part = hidden[:, start : start + 10]
        assert (part.all(dim=1) | ~part.any(dim=1)).all()
    assert 0.2 < hidden.float().mean() < 0.8
    assert len(hidden.unique(dim=0)) > 4


def test_evaluation_and_length_zero_change_nothing():
    clips = torch.ones(2, 9, 3)
    assert BatchHideSegments(3).eval()(clips) is clips
    assert BatchHideSegments(0)(clips) is clips


@pytest.mark.parametrize('lengths', [4, (0, 3, 7)])
def test_batch_and_transform_hide_frames_as_often(lengths):
    count = 4000
    torch.manual_seed(0)
    np.random.seed(0)
    layer, single = BatchHideSegments(lengths, 0.3), HideSegments(lengths, 0.3)
    batch = (layer(torch.ones(count, 10, 1))[..., 0] == 0).numpy()
    ones = np.ones((10, 1))
    singles = np.stack(
        [single(dict(img=ones))['img'][:, 0] == 0 for _ in range(count)]
    )
    for found in (batch, singles):
        wanted = 0.3 * np.mean(np.ravel(lengths) > 0)
        assert np.abs(found.mean(axis=0) - wanted).max() < 0.037
    assert np.abs(np.cov(batch.T) - np.cov(singles.T)).max() < 0.03


def test_nothing_is_fetched_from_the_device():
    layer = BatchHideSegments((3, 4), fill=[1.0, 2.0]).to('meta')
    clips = torch.empty(2, 9, 2, device='meta')
    assert layer(clips).shape == clips.shape


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'whole numbers.*\[-3\]'):
        BatchHideSegments(-3)
    with pytest.raises(ValueError, match=r'got 1\.2'):
        BatchHideSegments(3, hide_prob=1.2)
