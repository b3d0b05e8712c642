"""Two processes have one centre and one radius: those of all patches."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from tiny_mae import PATCHES, SIZE, build_mae
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.models.ofer import PatchLatentExtractor, PatchSVDD
from mmocc.models.ofer.svdd import push_from_zero


def build(**kwargs):
    extractor = PatchLatentExtractor(build_mae())
    torch.manual_seed(0)
    return PatchSVDD(extractor, dims=(16, 8), data_preprocessor={}, **kwargs)


def images():
    torch.manual_seed(1)
    return torch.randn(6, 3, SIZE, SIZE)


def work(rank, folder, options):
    """Train one step and fit, on 4 pictures or on the other 2."""
    join(rank, folder)
    model = build(**options)
    mine = images()[:4] if rank == 0 else images()[4:]
    samples = [DataSample() for _ in mine]
    # not as many clean patches as the other process has
    samples[0].set_metainfo(dict(patch_coverage=np.eye(4)))
    model.loss(mine, samples)
    state = dict(centre=model.centre, soft=model.radius.clone())
    model.fit([dict(inputs=list(mine))])
    state.update(model.state_dict())
    torch.save(state, folder / f'{rank}.pth')
    leave()


@pytest.mark.parametrize(
    'options',
    [dict(), dict(objective='soft-boundary'), dict(kernel=dict())],
    ids=['one-class', 'soft-boundary', 'kernel'],
)
def test_centre_and_radius_are_those_of_all_processes(tmp_path, options):
    multiprocessing.start_processes(
        work, (tmp_path, options), nprocs=2, start_method='fork'
    )
    one, two = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    model = build(**options)
    with torch.no_grad():
        points = model.project(model.extractor.encode(images()))
    clean = torch.ones(6, PATCHES, dtype=torch.bool)
    clean[0, ::5] = clean[4, ::5] = False  # the diagonal
    wanted = push_from_zero(points[clean].mean(dim=0))
    assert torch.allclose(one['centre'], wanted, atol=1e-6)
    model.load_state_dict({k: v for k, v in one.items() if k != 'soft'})
    outside = model.detect(images()).mask.sum()
    assert abs(int(outside) - 0.1 * clean.numel()) <= 1
    assert (one['soft'] > 0) == ('objective' in options)
