"""The configs of Latent-OFER at full size: each trains and validates.

Seven faces and random weights to start from; the later stages read what the
earlier ones leave. That they resume is tested with small networks.
"""

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from ofer_chain import FULL, Chain

STAGES = ('expression', 'mae', 'svdd', 'recon', 'ofer')  # as they are trained
LARGEST = 'ofer_resnet18_rafdb-release'  # 6 GB a checkpoint: none is written


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    chain = Chain(tmp_path_factory.mktemp('full_size'))
    yield chain
    for path in chain.folder.rglob('*.pth'):  # pytest keeps the folder
        path.unlink()


def stage(name):
    return STAGES.index(name.partition('_')[0])


OTHERS = sorted([name for name in FULL if name != LARGEST], key=stage)


@pytest.mark.parametrize('name', OTHERS)
def test_full_size_config_trains_and_validates(name, chain):
    runner = chain.train(name, epochs=1)
    assert (runner.epoch, runner.iter) == (1, 2)  # 7 faces, the last left out
    check(runner)


def test_the_largest_config_trains_and_validates(chain):
    runner = chain.train(LARGEST, epochs=1, save=False)
    assert (runner.epoch, runner.iter) == (1, 2)
    head = sum(p.numel() for p in runner.model.head.parameters())
    assert head > 450e6
    check(runner)


def check(runner):
    """Assert that it was validated, and that what should has trained."""
    found = runner.message_hub.log_scalars
    metrics = [found[name].current() for name in found if 'val/' in name]
    assert bool(metrics) == bool(runner.cfg.get('val_dataloader'))
    assert all(torch.isfinite(torch.tensor(value)) for value in metrics)
    for name, param in runner.model.named_parameters():
        assert param.isfinite().all(), name
        if name.startswith(('stages.', 'extractor.')):
            assert not param.requires_grad, name
    found = runner.optim_wrapper
    many = isinstance(found, OptimWrapperDict)
    for wrapper in found.values() if many else [found]:
        assert wrapper.optimizer.state, 'an optimizer has not stepped'
