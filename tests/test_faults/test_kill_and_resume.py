"""Killed anywhere and resumed, a run ends as an undisturbed one."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

import fault_runs
from fault_runs import EPOCHS, METHODS, STEPS, start, train


def kill_while_writing(process, work):
    """Kill a process that is in the middle of writing a checkpoint.

    If a checkpoint is whole before the process stops, wait for the next one.
    """
    while process.exitcode is None:
        for path in work.glob('*.pth.tmp'):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(0.05)  # a stopped process may be still for good
            if path.exists():
                process.kill()
                process.join()
                return path
            os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.0005)
    raise AssertionError(Path(work.parent, 'log.txt').read_text()[-5000:])


def checkpoints(work):
    """Return the names of whole checkpoints and of parts."""
    return sorted(path.name for path in work.glob('*.pth*'))


def last(work):
    """Return the checkpoint that a run would be resumed from."""
    path = Path((work / 'last_checkpoint').read_text())
    return torch.load(work / path.name, weights_only=False)


def differences(one, two, path=''):
    """Yield where two nested structures are not equal to the last bit."""
    if isinstance(one, torch.Tensor):
        if one.dtype != two.dtype or not torch.equal(one, two):
            yield path
    elif isinstance(one, dict):
        if one.keys() != two.keys():
            yield f'{path}: {one.keys() ^ two.keys()}'
        for key in one.keys() & two.keys():
            yield from differences(one[key], two[key], f'{path}.{key}')
    elif isinstance(one, list | tuple):
        if len(one) != len(two):
            yield f'{path}: {len(one)} and {len(two)} entries'
        for index, pair in enumerate(zip(one, two, strict=False)):
            yield from differences(*pair, f'{path}.{index}')
    elif one != two:
        yield f'{path}: {one} and {two}'


def assert_ends_as_an_unbroken_run(folder):
    """Run the config in whole, and compare it with the resumed run."""
    train(folder, '--work-dir=whole')
    resumed, whole = last(folder / 'work'), last(folder / 'whole')
    for name in ('state_dict', 'optimizer', 'param_schedulers'):
        assert list(differences(resumed[name], whole[name], name)) == []


WORKERS_AND_DROPOUT = {
    'train_dataloader.num_workers': 2,
    'model.head.type': 'mmocc.VGGClsHead',
    'model.head.feat_size': 4,
    'model.head.hidden_channels': 32,
}


@pytest.mark.parametrize(
    ('method', 'changes'),
    [
        *((method, {}) for method in METHODS if method != 'hide_and_seek'),
        ('hide_and_seek', WORKERS_AND_DROPOUT),
    ],
)
def test_killed_in_an_epoch(tmp_path, method, changes):
    fault_runs.write(tmp_path, method, **changes)
    in_third_epoch = f'custom_hooks.1.at_iter={2 * STEPS + 1}'
    train(tmp_path, '--cfg-options', in_third_epoch, code=-signal.SIGKILL)
    assert checkpoints(tmp_path / 'work') == ['epoch_2.pth']
    assert 'resumed epoch: 2' in train(tmp_path, '--resume')
    assert checkpoints(tmp_path / 'work') == [f'epoch_{EPOCHS}.pth']
    assert_ends_as_an_unbroken_run(tmp_path)


def test_killed_while_a_checkpoint_is_written(tmp_path):
    fault_runs.write(tmp_path, 'hide_and_seek')
    work = tmp_path / 'work'
    in_second_epoch = f'custom_hooks.1.at_iter={STEPS + 1}'
    train(tmp_path, '--cfg-options', in_second_epoch, code=-signal.SIGKILL)
    heavy = 'custom_hooks.2.megabytes=64'
    process = start(tmp_path, '--resume', '--cfg-options', heavy)
    part = kill_while_writing(process, work)
    epoch = int(part.name.removesuffix('.pth.tmp').removeprefix('epoch_'))
    assert 2 <= epoch <= EPOCHS
    assert checkpoints(work) == [f'epoch_{epoch - 1}.pth', part.name]
    assert last(work)['meta']['epoch'] == epoch - 1
    assert f'resumed epoch: {epoch - 1}' in train(tmp_path, '--resume')
    assert_ends_as_an_unbroken_run(tmp_path)


def test_the_best_checkpoint_goes_when_a_better_one_is_there(tmp_path):
    path = fault_runs.write(tmp_path, 'hide_and_seek')
    cfg = Config.fromfile(path)
    loader = dict(cfg.train_dataloader, sampler=dict(type='DefaultSampler'))
    cfg.val_dataloader, cfg.val_cfg = loader, dict()
    cfg.val_evaluator = dict(type='GrowingMetric')
    cfg.default_hooks.checkpoint.update(save_best='value', rule='greater')
    cfg.custom_hooks[1] = dict(type='KillBestHook', epoch=3)
    cfg.dump(path)
    train(tmp_path, code=-signal.SIGKILL)
    names = ['best_value_epoch_2.pth', 'epoch_3.pth']
    assert checkpoints(tmp_path / 'work') == names
    assert torch.load(tmp_path / 'work' / names[0], weights_only=False)
    more = ['custom_hooks.1.epoch=-1']
    train(tmp_path, '--resume', '--cfg-options', *more)
    assert last(tmp_path / 'work')['meta']['epoch'] == EPOCHS
    best = [n for n in checkpoints(tmp_path / 'work') if 'best' in n]
    assert len(best) == 1
