"""The configs of full size do one step, and validate.

They have a file of their own so that another process takes them than those of
small faces: none of the long tests of a suite may be the last alone.
"""

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from ofer_chain import FULL, lend

# In training order
STAGES = ('expression', 'mae', 'svdd', 'recon', 'ofer', 'weakened')
LARGEST = 'ofer_resnet18_rafdb-release'  # a checkpoint has 6 GB: none is saved
FULL.sort(key=lambda name: STAGES.index(name.partition('_')[0]))


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    yield from lend(tmp_path_factory.mktemp('ofer'))


@pytest.mark.parametrize('name', FULL)
def test_full_size_config_trains_and_validates(name, chain):
    runner = chain.train(name, epochs=1, save=name != LARGEST)
    # Of 3 faces, the last one is left out, or a batch of its own.
    steps = 1 if runner.cfg.train_dataloader.get('drop_last') else 2
    assert (runner.epoch, runner.iter) == (1, steps)
    if name == LARGEST:
        head = sum(p.numel() for p in runner.model.head.parameters())
        assert head > 450e6
    logs = runner.message_hub.log_scalars
    metrics = [logs[key].current() for key in logs if 'val/' in key]
    assert bool(metrics) == bool(runner.cfg.get('val_dataloader'))
    assert all(torch.isfinite(torch.tensor(value)) for value in metrics)
    for key, param in runner.model.named_parameters():
        assert param.isfinite().all(), key
        if key.startswith(('stages.', 'extractor.', 'detector.')):
            assert not param.requires_grad, key
    wrappers = runner.optim_wrapper
    many = isinstance(wrappers, OptimWrapperDict)
    for wrapper in wrappers.values() if many else [wrappers]:
        assert wrapper.optimizer.state, 'an optimizer has not stepped'
