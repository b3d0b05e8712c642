"""Checkpoints: which one a run resumes from, and which may be loaded."""

import os
import re
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from fault_hooks import HalfOptimWrapper
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import (
    AmpOptimWrapper,
    ApexOptimWrapper,
    OptimWrapper,
    OptimWrapperDict,
)
from mmengine.optim.scheduler import OneCycleParamScheduler
from mmengine.registry import HOOKS, OPTIM_WRAPPERS, PARAM_SCHEDULERS
from mmengine.runner import Runner, checkpoint
from mmengine.runner.checkpoint import _load_checkpoint
from numpy._core.multiarray import _reconstruct
from torch import nn
from torch.utils.data import DataLoader

from mmocc.engine import InvalidLossHook
from mmocc.registry import HOOKS as OURS
from mmocc.utils import cli
from mmocc.utils.checkpoints import check_checkpoint

pytestmark = pytest.mark.skipif(
    not hasattr(checkpoint, 'get_torch_safe_globals'),
    reason='this mmengine loads every checkpoint in full',
)


@pytest.fixture(autouse=True)
def loading_as_it_was(monkeypatch):
    """Take back what ``check_checkpoint`` tells torch."""
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '')
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD')
    yield
    torch.serialization.clear_safe_globals()


def exit_line(path):
    """Return the one line with which a checkpoint is refused."""
    with pytest.raises(SystemExit) as stop:
        check_checkpoint(str(path), 'CONFIG CHECKPOINT')
    assert '\n' not in stop.value.code
    return stop.value.code


def save_whole(path, seconds):
    """Write a checkpoint with this time of its last change."""
    torch.save(dict(state_dict=dict(a=torch.ones(999))), path)
    os.utime(path, (seconds, seconds))


def resume(folder):
    """Return a config that resumes from the latest checkpoint."""
    cfg = Config(dict(work_dir=str(folder), load_from='baseline.pth'))
    cli.set_resume(cfg, 'auto')
    return cfg


def test_an_empty_last_checkpoint_leads_to_the_newest_whole_one(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('\n')
    names = ('epoch_9', 'epoch_10', 'iter_40', 'best_f1_epoch_3', 'epoch_8')
    for name, seconds in zip(names, (500, 500, 600, 800, 400), strict=True):
        save_whole(tmp_path / f'{name}.pth', seconds)
    (tmp_path / 'epoch_12.pth').mkdir()  # as a strategy may save it
    for expected in ('iter_40', 'epoch_10', 'epoch_9', 'epoch_8'):
        path = tmp_path / f'{expected}.pth'
        with pytest.warns(UserWarning, match=f'is empty.*from {path}'):
            cfg = resume(tmp_path)
        assert (cfg.load_from, cfg.resume) == (str(path), True)
        whole = path.read_bytes()
        broken = dict(
            iter_40=b'',
            epoch_10=whole[:2000],
            epoch_9=whole.replace(b'\x80\x3f', b'\x80\x40', 1),
        )
        path.write_bytes(broken.get(expected, b'no zip'))
        os.utime(path, (900, 900))
    with pytest.warns(UserWarning, match='is empty.*from the beginning'):
        cfg = resume(tmp_path)
    assert cfg.load_from == 'baseline.pth'
    assert not cfg.get('resume')


def test_a_missing_checkpoint_says_how_to_make_or_name_one():
    for path in (None, 'https://host/model.pth'):  # it may be there
        check_checkpoint(path, '--name PATH')
    with pytest.raises(SystemExit) as stop:
        check_checkpoint('gone.pth', '--name PATH', 'configs/base.py')
    for words in (
        'gone.pth does not exist',
        '"python tools/train.py configs/base.py"',
        '"--name PATH"',
    ):
        assert words in stop.value.code


class Call:
    """Unpickled, it calls ``function(*args)`` and sets a state."""

    def __init__(self, function, args, *state):
        self.reduced = function, args, *state

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize('zipped', [True, False])
def test_a_checkpoint_with_code_is_refused_unless_trusted(tmp_path, zipped):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    evil = Call(open, (str(trace), 'w'))
    stored = dict(state_dict=dict(a=torch.ones(3)), evil=evil)
    torch.save(stored, path, _use_new_zipfile_serialization=zipped)
    check_checkpoint(str(path), 'CONFIG CHECKPOINT', trust=True)
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ
    line = exit_line(path)
    for words in (str(path), 'io.open', '--trust-checkpoint'):
        assert words in line
    # Nor does mmengine load it in full afterwards.
    with pytest.raises(UnpicklingError):
        _load_checkpoint(str(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    ('evil', 'words'),
    [
        # What mmengine itself allows, but not in this use.
        (Call(getattr, (np.ndarray, 'tofile')), 'builtins.getattr'),
        (Call(getattr, (OneCycleParamScheduler, 'step')), 'builtins.getattr'),
        # NumPy would take the bytes for addresses of objects.
        (
            Call(
                _reconstruct,
                (np.ndarray, (0,), b'b'),
                (
                    1,
                    (1,),
                    Call(
                        np.dtype,
                        ('O8', False, True),
                        (3, '|', None, None, None, -1, -1, 0),
                    ),
                    False,
                    b'A' * 8,
                ),
            ),
            'cannot be read: a dtype O8',
        ),
        (Call(np.ndarray, ((10**12,),)), 'cannot be read'),
    ],
)
def test_gadgets_of_allowed_names_are_refused(tmp_path, evil, words):
    torch.save(dict(state_dict={}, evil=evil), tmp_path / 'evil.pth')
    assert words in exit_line(tmp_path / 'evil.pth')


@pytest.mark.parametrize('keep', [0, 100, 2000])
def test_a_damaged_checkpoint_is_named(tmp_path, keep):
    path = tmp_path / 'cut.pth'
    save_whole(path, 0)
    path.write_bytes(path.read_bytes()[:keep])
    assert exit_line(path).startswith(f'Checkpoint {path} cannot be read: ')


class Learner(nn.Module):
    """Learns one number."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def train_step(self, data, optim_wrapper):
        loss = self.linear(data).sum()
        if isinstance(optim_wrapper, OptimWrapperDict):
            optim_wrapper = optim_wrapper['first']
        optim_wrapper.update_params(loss)
        return dict(loss=loss)

    def val_step(self, data):
        return [0]


class Growing(BaseMetric):
    """Is better after each epoch."""

    value = 0.0

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        self.value += 1
        return dict(value=np.float64(self.value))


def checkpoint_of_a_run(folder, schedulers=(), hooks=(), optim_wrapper=None):
    """Train two epochs of two steps; return the path of the checkpoint."""
    sgd = dict(type='SGD', lr=0.1, momentum=0.9)
    keep = dict(interval=1, max_keep_ckpts=1, save_best='value')
    runner = Runner(
        Learner(),
        str(folder),
        train_dataloader=DataLoader(torch.ones(2, 1)),
        val_dataloader=DataLoader(torch.ones(2, 1)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_evaluator=[Growing()],
        optim_wrapper=optim_wrapper or dict(optimizer=sgd),
        param_scheduler=list(schedulers),
        custom_hooks=list(hooks),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', rule='greater', **keep),
            logger=dict(type='LoggerHook', interval=1),
        ),
        experiment_name=f'{folder.name}{id(folder)}',
        randomness=dict(seed=0),
    )
    runner.train()
    return folder / 'epoch_2.pth'


def assert_loads(path):
    """Check that a checkpoint passes the guard, and mmengine reads it."""
    check_checkpoint(str(path), 'CONFIG CHECKPOINT')
    stored = _load_checkpoint(str(path), map_location='cpu')
    assert stored['meta']['epoch'] == 2
    return stored


OPTIONS = dict(
    CosineAnnealing=dict(T_max=4),
    CosineRestart=dict(periods=[2, 2], restart_weights=[1, 1], eta_min=0),
    Exponential=dict(gamma=0.9),
    MultiStep=dict(milestones=[1]),
    OneCycle=dict(eta_max=1.0, total_steps=4),
    ReduceOnPlateau=dict(monitor='value', rule='greater'),
    Step=dict(step_size=1),
)


@pytest.mark.parametrize('name', sorted(PARAM_SCHEDULERS.module_dict))
def test_what_a_run_saves_is_loaded_for_each_scheduler(tmp_path, name):
    kind = re.sub('(LR|Momentum|ParamScheduler)$', '', name)
    options = OPTIONS.get(kind, {})
    if name.endswith('ParamScheduler'):
        options = dict(options, param_name='lr')
    every = [
        dict(type=name, by_epoch=by_epoch, **options)
        for by_epoch in (True, False)[kind == 'OneCycle' :]
        if by_epoch or kind != 'ReduceOnPlateau'
    ]
    stored = assert_loads(checkpoint_of_a_run(tmp_path, every))
    assert len(stored['param_schedulers']) == len(every)


def test_what_a_run_saves_is_loaded_for_each_hook(tmp_path):
    hooks = {**HOOKS.module_dict, **OURS.module_dict}
    saving = [
        dict(type=hook)
        for hook in hooks.values()
        if hook.before_save_checkpoint is not Hook.before_save_checkpoint
    ]
    assert {EMAHook, InvalidLossHook} <= {hook['type'] for hook in saving}
    saving.append(
        dict(type='EarlyStoppingHook', monitor='value', rule='greater')
    )
    stored = assert_loads(checkpoint_of_a_run(tmp_path, hooks=saving))
    assert 'ema_state_dict' in stored
    assert 'best_score' in stored['message_hub']['runtime_info']


def wrappers():
    """Return the optimizer wrappers that run on a CPU."""
    half = dict(type=HalfOptimWrapper)
    return [dict(type='OptimWrapper', accumulative_counts=2), half] + [
        dict(type=kind)
        for kind in OPTIM_WRAPPERS.module_dict.values()
        if not issubclass(kind, AmpOptimWrapper | ApexOptimWrapper)
        and not kind.__module__.startswith('mmengine._strategy')
    ]


@pytest.mark.parametrize('wrapper', wrappers(), ids=str)
def test_what_a_run_saves_is_loaded_for_each_wrapper(tmp_path, wrapper):
    adam = dict(wrapper, optimizer=dict(type='AdamW', lr=0.1))
    stored = assert_loads(checkpoint_of_a_run(tmp_path, optim_wrapper=adam))
    assert stored['optimizer']['state'][0]['step'] > 0


def test_what_a_run_saves_is_loaded_for_several_optimizers(tmp_path):
    class Several:
        def __init__(self, **_):
            pass

        def __call__(self, model):
            return OptimWrapperDict(
                first=OptimWrapper(torch.optim.Adam([model.linear.weight])),
                second=OptimWrapper(torch.optim.Adam([model.linear.bias])),
            )

    several = dict(constructor=Several, optimizer={})
    stored = assert_loads(checkpoint_of_a_run(tmp_path, optim_wrapper=several))
    assert set(stored['optimizer']) == {'first', 'second'}
