"""The functions behind tools/train.py and tools/test.py, one by one."""

import argparse
import builtins
import copy

import pytest
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmengine.config import Config
from mmengine.model import BaseTTAModel
from mmengine.optim import OptimWrapper
from mmengine.registry import TRANSFORMS, Registry, init_default_scope
from mmengine.structures import BaseDataElement
from mmpretrain.engine.hooks import VisualizationHook
from torch import nn

from mmocc import registry
from mmocc.engine import ReconstructionVisualizationHook
from mmocc.models import LEARN
from mmocc.utils import amp, cli
from mmocc.utils.config_types import find_class


def exit_line(function, *args, **kwargs):
    """Return the one line with which ``function`` ends the program."""
    with pytest.raises(SystemExit) as stop:
        function(*args, **kwargs)
    assert isinstance(stop.value.code, str)
    assert '\n' not in stop.value.code
    return stop.value.code


def parse(*flags):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    cli.add_common_arguments(parser)
    return parser.parse_args(flags)


@pytest.mark.parametrize(
    ('in_config', 'flags', 'expected'),
    [
        ('', [], 'work_dirs/name'),
        ("work_dir = 'mine'", [], 'mine'),
        ("work_dir = 'mine'", ['--work-dir', 'flag'], 'flag'),
        ('', ['--cfg-options', 'work_dir=option'], 'option'),
    ],
)
def test_work_dir_is_the_flags_then_the_configs_then_its_name(
    tmp_path, in_config, flags, expected
):
    path = tmp_path / 'name.py'
    path.write_text(in_config)
    assert cli.load_config(parse(str(path), *flags)).work_dir == expected


def test_configs_are_not_formatted_by_yapf(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('it takes seconds')

    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', refuse)
    path = tmp_path / 'name.py'
    path.write_text('a = dict(b=[1, 2])')
    text = copy.deepcopy(cli.read_config(str(path))).pretty_text
    assert Config.fromstring(text, '.py').a == dict(b=[1, 2])


@pytest.mark.parametrize('spelling', ['--local_rank', '--local-rank'])
def test_both_spellings_of_local_rank_reach_the_environment(
    tmp_path, monkeypatch, spelling
):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    path = tmp_path / 'name.py'
    path.write_text('')
    cli.load_config(parse(str(path), spelling, '3'))
    assert cli.os.environ.pop('LOCAL_RANK') == '3'


def test_dataloaders_of_mmpretrain_are_completed_and_no_others():
    loader = dict(num_workers=2, collate_fn=dict(type='mine'))
    cfg = Config(dict(default_scope='mmpretrain', val_dataloader=loader))
    cli.fill_dataloaders(cfg, ['train_dataloader', 'val_dataloader'])
    assert cfg.val_dataloader == dict(
        loader,
        persistent_workers=True,
        pin_memory=torch.cuda.is_available(),
    )
    assert 'train_dataloader' not in cfg
    loader = dict(num_workers=2, persistent_workers=True)
    cfg = Config(dict(default_scope='mmdet', train_dataloader=loader))
    cli.fill_dataloaders(cfg, ['train_dataloader'])
    assert cfg.train_dataloader == loader


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet'])
def test_workers_that_are_not_there_do_not_persist(scope):
    loader = dict(num_workers=0, persistent_workers=True)
    cfg = Config(dict(default_scope=scope, train_dataloader=loader))
    cli.fill_dataloaders(cfg, ['train_dataloader'], pin_memory=False)
    assert cfg.train_dataloader.persistent_workers is False
    assert cfg.train_dataloader.pin_memory is False


@pytest.mark.parametrize(
    ('device', 'expected'),
    [
        ('cpu', dict(type='CPUAmpOptimWrapper')),
        ('cuda', dict(type='AmpOptimWrapper', loss_scale=512.0)),
    ],
)
def test_amp_keeps_a_loss_scale_on_a_gpu_only(monkeypatch, device, expected):
    monkeypatch.setattr(cli, 'get_device', lambda: device)
    cfg = Config(dict(optim_wrapper=dict(loss_scale=512.0)))
    cli.use_amp(cfg)
    assert cfg.optim_wrapper == expected


@pytest.mark.parametrize('kind', [OptimWrapper, 'mmengine.optim.OptimWrapper'])
def test_amp_replaces_mmengines_wrapper_and_no_other(monkeypatch, kind):
    monkeypatch.setattr(cli, 'get_device', lambda: 'cpu')
    cfg = Config(dict(optim_wrapper=dict(type=kind)))
    cli.use_amp(cfg)
    assert cfg.optim_wrapper == dict(type='CPUAmpOptimWrapper')
    cfg = Config(dict(optim_wrapper=dict(type='ApexOptimWrapper')))
    assert 'ApexOptimWrapper' in exit_line(cli.use_amp, cfg)


def test_cpu_amp_steps_in_bfloat16_and_resumes_from_a_gpu_checkpoint():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = amp.CPUAmpOptimWrapper(optimizer=optimizer)
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        loss = model(torch.ones(1, 2)).sum()
    assert loss.dtype == torch.bfloat16
    wrapper.update_params(loss)
    torch.testing.assert_close(model.weight, before - 1)  # d loss / d w = 1
    state = dict(wrapper.state_dict(), loss_scaler=dict(scale=65536.0))
    wrapper.load_state_dict(state)


def test_predictions_are_float32_at_any_depth_and_through_wrappers():
    class Model(nn.Module):
        def forward(self):
            low = torch.ones(2, dtype=torch.bfloat16)
            inner = BaseDataElement(scores=low, labels=low.long())
            return [BaseDataElement(pred_score=low, instances=inner)]

    model = Model()
    wrapped = nn.Module()
    wrapped.module = model
    amp.predict_in_float32(wrapped)
    (sample,) = model()
    assert sample.pred_score.dtype == torch.float32
    assert sample.instances.scores.dtype == torch.float32
    assert sample.instances.labels.dtype == torch.int64


def test_resume_takes_the_latest_or_the_named_checkpoint(tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path), load_from='baseline.pth'))
    cli.set_resume(cfg, 'auto')  # there is none yet
    assert (cfg.load_from, cfg.get('resume')) == ('baseline.pth', None)
    (tmp_path / 'last_checkpoint').write_text('epoch_3.pth')
    for flag, path in (('auto', 'epoch_3.pth'), ('own.pth', 'own.pth')):
        cfg = Config(dict(work_dir=str(tmp_path), load_from='baseline.pth'))
        cli.set_resume(cfg, flag)
        assert (cfg.load_from, cfg.resume) == (path, True)


def test_scaling_the_learning_rate_needs_a_base_batch_size():
    cfg = Config(dict(auto_scale_lr=dict(base_batch_size=8, enable=False)))
    cli.scale_learning_rate(cfg)
    assert cfg.auto_scale_lr.enable is True
    for lacking in (dict(), dict(auto_scale_lr=None)):
        line = exit_line(cli.scale_learning_rate, Config(lacking))
        assert 'base_batch_size' in line


CLS = dict(enable=True, out_dir='drawn')
DET = dict(draw=True, test_out_dir='drawn')


@pytest.mark.parametrize(
    ('scope', 'kind', 'expected'),
    [
        ('mmpretrain', 'VisualizationHook', CLS),
        ('mmdet', 'DetVisualizationHook', DET),
        (None, VisualizationHook, CLS),
        (None, DetVisualizationHook, DET),
        ('mmdet', 'mmdet.engine.hooks.DetVisualizationHook', DET),
        ('mmdet', 'mmocc.ReconstructionVisualizationHook', CLS),
        ('mmdet', ReconstructionVisualizationHook, CLS),
    ],
)
def test_drawing_speaks_each_hooks_language(scope, kind, expected):
    args = argparse.Namespace(
        show=False, show_dir='drawn', interval=5, wait_time=1.0
    )
    hooks = dict(visualization=dict(type=kind))
    cfg = Config(dict(default_scope=scope, default_hooks=hooks))
    cli.show_predictions(cfg, args)
    rest = dict(type=kind, show=False, interval=5, wait_time=1.0)
    assert cfg.default_hooks.visualization == {**rest, **expected}
    assert 'hook' in exit_line(cli.show_predictions, Config(), args)


def test_tta_mirrors_the_image_in_the_innermost_dataset():
    pack = dict(type='Pack', meta_keys=('img_path',))
    inner = dict(type='Inner', pipeline=[dict(type='Load'), pack])
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(type='Model'),
            test_dataloader=dict(dataset=dict(type='Outer', dataset=inner)),
        )
    )
    cli.use_tta(cfg)
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.type == 'Model'
    load, augment = cfg.test_dataloader.dataset.dataset.pipeline
    assert load.type == 'Load'
    flips, packs = augment.transforms
    assert [flip.prob for flip in flips] == [0.0, 1.0]
    assert packs[0].meta_keys == ('img_path', 'flip', 'flip_direction')
    written = copy.deepcopy(cfg)
    cli.use_tta(written)  # the config that the test wrote
    assert written.model == cfg.model


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet', None])
@pytest.mark.parametrize('kind', ['mmpretrain.ImageClassifier', 'mmdet.SSD'])
def test_tta_is_found_in_the_hosts_scope_and_without_one(scope, kind):
    host = scope or kind.partition('.')[0]
    dataset = dict(type='Set', pipeline=[dict(type='Pack')])
    loader = dict(test_dataloader=dict(dataset=dataset))
    cfg = Config(dict(loader, model=dict(type=kind), default_scope=scope))
    cli.use_tta(cfg)
    if scope:
        init_default_scope(scope)
    model = find_class(cfg.model.type)
    assert issubclass(model, BaseTTAModel)
    assert model.__module__.startswith(host)
    augment = cfg.test_dataloader.dataset.pipeline[-1]
    flip = find_class(augment.transforms[0][0].type, TRANSFORMS)
    owner = dict(mmdet='mmdet', mmpretrain='mmcv')[host]
    assert flip.__module__.startswith(f'{owner}.')


def test_tta_of_the_config_goes_before_the_default():
    cfg = Config(
        dict(
            model=dict(type='Model'),
            tta_model=dict(type='Mine'),
            tta_pipeline=[dict(type='Load')],
            test_dataloader=dict(dataset=dict(pipeline=[])),
        )
    )
    cli.use_tta(cfg)
    assert cfg.model == dict(type='Mine', module=dict(type='Model'))
    assert cfg.test_dataloader.dataset.pipeline == [dict(type='Load')]


@pytest.mark.parametrize(
    ('env_cfg', 'seconds'),
    [
        (dict(dist_cfg=dict(backend='nccl', timeout=90)), [90]),
        (dict(dist_cfg=None), []),
        (None, []),
    ],
)
def test_cpu_processes_get_gloo_no_device_and_the_configs_time_limit(
    monkeypatch, env_cfg, seconds
):
    calls = []
    monkeypatch.setattr(cli, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(
        cli.dist, 'init_process_group', lambda *a, **k: calls.append((a, k))
    )
    cfg = Config(
        dict(launcher='pytorch', find_unused_parameters=True, env_cfg=env_cfg)
    )
    cli.start_cpu_group(cfg)
    [(backend, limits)] = calls
    assert backend == ('gloo',)
    assert [t.total_seconds() for t in limits.values()] == seconds
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


@pytest.mark.parametrize('timeout', ['60', 0, -1])
def test_a_time_limit_is_a_number_of_seconds(monkeypatch, timeout):
    monkeypatch.setattr(cli, 'get_device', lambda: 'cpu')
    env_cfg = dict(dist_cfg=dict(timeout=timeout))
    cfg = Config(dict(launcher='pytorch', env_cfg=env_cfg))
    line = exit_line(cli.start_cpu_group, cfg)
    assert f'env_cfg.dist_cfg.timeout is {timeout!r}' in line


@pytest.mark.parametrize(
    ('launcher', 'device'),
    [('none', 'cpu'), ('slurm', 'cpu'), ('pytorch', 'cuda')],
)
def test_other_launches_are_left_to_mmengine(monkeypatch, launcher, device):
    monkeypatch.setattr(cli, 'get_device', lambda: device)
    monkeypatch.setattr(cli.dist, 'init_process_group', None)
    cfg = Config(dict(launcher=launcher))
    cli.start_cpu_group(cfg)
    assert cfg.get('model_wrapper_cfg') is None


@pytest.mark.parametrize(
    'kind',
    [
        'mmocc.LEARN',
        'mmocc.models.LEARN',
        'mmocc.models.learn.learn.LEARN',
        LEARN,
        'mmpretrain.models.necks.gap.GlobalAveragePooling',
    ],
)
def test_known_types_pass_however_they_are_written(kind):
    cli.check_types(Config(dict(model=dict(neck=dict(type=kind)))))


@pytest.mark.parametrize('kind', ['LEARM', 'models.LEARM', 'gone.x.LEARM'])
def test_a_misspelt_type_gets_a_suggestion(kind):
    cfg = Config(dict(hooks=[dict(deep=(dict(type=f'mmocc.{kind}'),))]))
    line = exit_line(cli.check_types, cfg)
    assert f'No type mmocc.{kind}. Did you mean mmocc.LEARN' in line


def test_a_missing_host_is_named(monkeypatch):
    monkeypatch.setattr(cli, 'find_spec', lambda host: None)
    cfg = Config(dict(model=dict(type='mmocc.Nothing')))
    line = exit_line(cli.check_types, cfg)
    assert 'mmpretrain is not installed' in line
    assert 'mmdet is not installed' in line


def test_the_real_import_error_of_our_own_module_is_shown(monkeypatch):
    broken = Registry(
        'broken', parent=None, scope='mmocc', locations=['mmocc.gone']
    )
    monkeypatch.setattr(registry, 'BROKEN', broken, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'mmocc\.gone'):
        cli.check_types(Config(dict(model=dict(type='mmocc.LEARN'))))


def test_a_config_without_our_types_does_not_import_them(monkeypatch):
    real = builtins.__import__

    def refuse(name, globals=None, locals=None, fromlist=(), level=0):
        assert not (name == 'mmocc' and 'registry' in (fromlist or ()))
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, '__import__', refuse)
    cli.check_types(Config(dict(model=dict(type='mmpretrain.ResNet'))))


def test_a_runner_of_another_type_is_built(monkeypatch):
    monkeypatch.setattr(
        cli, 'RUNNERS', argparse.Namespace(build=lambda cfg: cfg.runner_type)
    )
    monkeypatch.setattr(
        cli,
        'CheckedRunner',
        argparse.Namespace(from_cfg=lambda cfg: 'default'),
    )
    assert cli.build_runner(Config()) == 'default'
    assert cli.build_runner(Config(dict(runner_type='Own'))) == 'Own'


def test_what_loads_a_checkpoint_is_left_out():
    load = dict(type='Pretrained', checkpoint='x.pth')
    plain = dict(type='Kaiming', layer='Conv2d')
    model = dict(parts=[dict(init_cfg=load, a=1), dict(init_cfg=plain)])
    assert cli.without_weights(model) == dict(
        parts=[dict(a=1), dict(init_cfg=plain)]
    )
