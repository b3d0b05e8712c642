"""The configs of Latent-OFER at full size: each trains, resumes and tests.

Seven faces and random weights to start from; the later stages read what the
earlier ones leave.
"""

import pytest
import torch
from ofer_chain import FULL, Chain

LARGEST = 'ofer_resnet18_rafdb-release'  # 6 GB a checkpoint: none is written


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    chain = Chain(tmp_path_factory.mktemp('full_size'))
    yield chain
    for path in chain.folder.rglob('*.pth'):  # pytest keeps the folder
        path.unlink()


@pytest.mark.parametrize('name', [n for n in FULL if n != LARGEST])
def test_full_size_config_trains_resumes_and_tests(name, chain):
    chain.checkpoint(name)
    runner = chain.train(name, epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)  # 7 faces, the last left out
    check(runner)


def test_the_largest_config_trains_and_tests(chain):
    runner = chain.train(LARGEST, epochs=1, save=False)
    assert (runner.epoch, runner.iter) == (1, 2)
    head = sum(p.numel() for p in runner.model.head.parameters())
    assert head > 450e6
    check(runner)


def check(runner):
    """Assert that it tests, and that what should has trained."""
    if runner.cfg.get('test_dataloader'):
        metrics = runner.test()
        assert metrics
        assert all(torch.isfinite(torch.tensor(v)) for v in metrics.values())
    for name, param in runner.model.named_parameters():
        assert param.isfinite().all(), name
        if name.startswith(('stages.', 'extractor.')):
            assert not param.requires_grad, name
    wrappers = runner.optim_wrapper
    wrappers = wrappers.values() if 'unet' in wrappers else [wrappers]
    for wrapper in wrappers:
        assert wrapper.optimizer.state, 'an optimizer has not stepped'
