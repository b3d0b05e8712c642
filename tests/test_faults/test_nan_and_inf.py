"""Inputs and losses that are no numbers stop a run, and are named."""

import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

import fault_runs
from fault_runs import ROOT, train
from torch import nn

from mmocc.engine import InvalidLossHook

RUNNER = SimpleNamespace(iter=7, work_dir='work', model=nn.Linear(1, 1))


def states(work):
    """Return the weights of all checkpoints."""
    paths = sorted(work.glob('*.pth'))
    return [torch.load(p, weights_only=False)['state_dict'] for p in paths]


def assert_finite(work):
    for state in states(work):
        assert all(v.isfinite().all() for v in state.values())


def add_hook(folder, **options):
    """Let the hook watch the run of this folder."""
    path = folder / 'config.py'
    with path.open('a') as file:
        hook = dict(type='mmocc.InvalidLossHook', **options)
        file.write(f'custom_hooks.append({hook!r})\n')
    return path


@pytest.mark.parametrize('method', ['hide_and_seek', 'dea'])
def test_the_image_with_a_nan_is_named(tmp_path, method):
    name = dict(hide_and_seek='images/1/2.png', dea='pages/7.png')[method]
    path = fault_runs.write(tmp_path, method)
    cfg = Config.fromfile(path)
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.insert(-1, dict(type='SpoilImage', name=name))
    cfg.dump(path)
    add_hook(tmp_path)
    log = train(tmp_path, code=1)
    assert re.search(
        r'FloatingPointError: The input of iteration [012] is NaN or infinite '
        rf'in \S*{name}: correct',
        log,
    )
    assert states(tmp_path / 'work') == []


def test_an_exploding_loss_is_named_with_its_images(tmp_path):
    path = fault_runs.write(tmp_path, 'hide_and_seek')
    cfg = Config.fromfile(path)
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=1e18))
    cfg.param_scheduler = []
    cfg.dump(path)
    add_hook(tmp_path)
    log = train(tmp_path, code=1)
    [line] = re.findall('FloatingPointError: (.*)', log)
    term, value, images = re.match(
        r'(\w+) is (\S+) in iteration \d+ on (.*)\. Look at', line
    ).groups()
    assert term == 'loss'
    assert value in ('nan', 'inf')
    paths = images.split(', ')
    assert len(set(paths)) == fault_runs.BATCH
    assert all((tmp_path / p).is_file() for p in paths)
    assert '--resume' in line
    assert_finite(tmp_path / 'work')


def sample(name):
    return SimpleNamespace(img_path=name)


def batch(*names):
    return dict(inputs=[torch.zeros(1)] * len(names), data_samples=[
        sample(name) for name in names
    ])  # fmt: skip


@pytest.mark.parametrize('bad', [torch.nan, torch.inf, -torch.inf])
def test_each_bad_term_stops_a_step_on_a_cpu(bad):
    hook = InvalidLossHook()
    good = dict(loss_a=torch.tensor(1.0), acc=torch.tensor(torch.nan))
    hook.after_train_iter(RUNNER, 0, batch('a.png'), good)
    assert hook.steps == []
    terms = dict(good, loss_b=torch.tensor([1.0, bad]))
    with pytest.raises(
        FloatingPointError, match=rf'loss_b is {bad} in iteration 7 on a\.png'
    ):
        hook.after_train_iter(RUNNER, 0, batch('a.png'), terms)


def test_a_loss_above_the_limit_stops():
    hook = InvalidLossHook(limit=10)
    hook.after_train_iter(RUNNER, 0, {}, dict(loss=torch.tensor(9.0)))
    with pytest.raises(FloatingPointError, match=r'loss is 11 .* samples w'):
        hook.after_train_iter(RUNNER, 0, {}, dict(loss=torch.tensor(11.0)))


def test_the_first_bad_step_of_several_is_named():
    hook = InvalidLossHook(interval=3)
    for step, values in enumerate(([1, 2], [1, torch.nan], [torch.nan] * 2)):
        hook.steps.append((step, ['loss_a', 'loss_b'], [f'{step}.png']))
        hook.values.append(torch.tensor(values))
    match = r'loss_b is nan in iteration 1 on 1\.png\.'
    with pytest.raises(FloatingPointError, match=match):
        hook.check(RUNNER)
    assert hook.values == hook.steps == []


def test_long_batches_are_abbreviated():
    hook = InvalidLossHook()
    names = [f'{i}.png' for i in range(12)]
    with pytest.raises(FloatingPointError, match=r' 7\.png and 4 more\. '):
        hook.after_train_iter(
            RUNNER, 0, batch(*names), dict(loss=torch.tensor(torch.nan))
        )


def test_large_finite_inputs_pass():
    data = batch('a.png')
    data['inputs'] = [torch.full((3, 64, 64), 1e38)]  # their sum is infinite
    InvalidLossHook().before_train_iter(RUNNER, 0, data)
    data['inputs'] = [torch.zeros(3, 64, 64, dtype=torch.uint8)]
    InvalidLossHook().before_train_iter(RUNNER, 0, data)


def test_no_checkpoint_has_a_parameter_of_nan():
    runner = SimpleNamespace(**vars(RUNNER))
    runner.model = nn.Linear(2, 2)
    hook = InvalidLossHook()
    hook.before_save_checkpoint(runner, {})
    runner.model.bias.data[1] = torch.nan
    with pytest.raises(FloatingPointError, match=r'^bias is not finite'):
        hook.before_save_checkpoint(runner, {})
    runner.model.requires_grad_(False)
    hook.before_save_checkpoint(runner, {})


@pytest.mark.parametrize('options', [dict(interval=0), dict(limit=0)])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match='above 0'):
        InvalidLossHook(**options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_is_waited_for_at_the_interval_only():
    hook = InvalidLossHook(interval=4)
    loss = dict(loss=torch.ones((), device='cuda'))
    torch.cuda.set_sync_debug_mode('error')
    try:
        for _ in range(3):
            hook.before_train_iter(RUNNER, 0, batch('a.png'))
            hook.after_train_iter(RUNNER, 0, batch('a.png'), loss)
        with pytest.raises(RuntimeError, match='synchronizing'):
            hook.after_train_iter(RUNNER, 0, batch('a.png'), loss)
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_our_configs_have_both_hooks():
    cfg = Config.fromfile(ROOT / 'configs/dea/dea_conv_ornament.py')
    types = {hook.type for hook in cfg.default_hooks.values()}
    assert {'mmocc.InvalidLossHook', 'mmocc.SafeCheckpointHook'} <= types
