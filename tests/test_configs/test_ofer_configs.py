"""The configs of small faces train, resume and test.

A config that names the checkpoint of an earlier stage gets the one that the
test of that stage makes.
"""

import re

import pytest
import torch
from conftest import ROOT
from mmengine.registry import init_default_scope
from ofer_chain import (
    CHECKPOINT,
    FITTED,
    FOLDER,
    NAMES,
    SMALL,
    lend,
    read,
    texts,
)


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    yield from lend(tmp_path_factory.mktemp('ofer'))


@pytest.mark.parametrize('name', SMALL)
def test_config_trains_resumes_and_tests(name, chain):
    first = torch.load(chain.checkpoint(name), weights_only=False)
    runner = chain.train(name, epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)  # 7 faces, the last left out
    if runner.cfg.get('test_dataloader'):
        metrics = runner.test()
        assert metrics
        assert all(torch.isfinite(torch.tensor(v)) for v in metrics.values())
    path = chain.folder / name / 'epoch_2.pth'
    last = torch.load(path, weights_only=False)
    named = runner.model.named_parameters()
    trained = {name for name, p in named if p.requires_grad}
    first, last = first['state_dict'], last['state_dict']
    changed = {k for k in last if not torch.equal(first[k], last[k])}
    assert all(v.isfinite().all() for v in last.values())
    assert changed & trained
    frozen = {k for k in last if k.startswith(('stages.', 'extractor.'))}
    assert not changed & frozen
    path.unlink()


def test_the_mae_alone_is_tested_with_the_checkpoint_of_stage_3(chain):
    checkpoint = chain.checkpoint('recon_small_cartoon')
    runner = chain.runner('recon_mae_cartoon', 0)
    runner.load_checkpoint(checkpoint)
    init_default_scope(runner.cfg.default_scope)
    metrics = runner.test()
    assert 0 < metrics['recon/psnr_hole'] < metrics['recon/psnr']
    saved = torch.load(checkpoint, weights_only=False)['state_dict']
    own = runner.model.state_dict()
    assert own
    assert all(torch.equal(value, saved[k]) for k, value in own.items())


@pytest.mark.parametrize(
    'name', ['svdd_vit-tiny_cartoon', 'ofer_resnet18_fer2013']
)
def test_the_occluded_config_tests_the_checkpoint_on_occluded_faces(
    name, chain
):
    checkpoint = chain.checkpoint(name)
    metrics = []
    for tested in (name, f'{name}-occluded'):
        runner = chain.runner(tested, 0)
        runner.load_checkpoint(checkpoint)
        init_default_scope(runner.cfg.default_scope)
        metrics.append(runner.test())
    clean, occluded = metrics
    assert 'patch/flagged' in clean and 'patch/auroc' not in clean
    assert 0 <= occluded['patch/auroc'] <= 100


def test_pictures_are_drawn_of_a_checkpoint(chain, run_tool, tmp_path):
    name = 'ofer_resnet18_cartoon'
    checkpoint = chain.checkpoint(name)
    chain.config(f'{name}-occluded').dump(tmp_path / 'config.py')
    tool = ROOT / 'tools/visualization/vis_ofer.py'
    done = run_tool(tool, 'config.py', checkpoint, '-n', '2', '--out', 'out')
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['0000_00000.png', '0001_00006.png', 'faces.png']


def test_the_documented_replacement_of_stages_trains(chain):
    page = (FOLDER / 'README.md').read_text()
    [example] = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    path = chain.folder / 'other_stages.py'
    base = FOLDER / 'ofer_resnet18_cartoon.py'
    path.write_text(f'_base_ = {str(base)!r}\n{example}')
    runner = chain.train(str(path.with_suffix('')), 1)
    stages = runner.model.stages
    assert type(stages.detector).__name__ == 'MAEErrorDetector'
    assert type(stages.reconstructor).__name__ == 'MAEReconstructor'
    assert stages.detector.radius > 0
    assert 0 <= runner.test()['accuracy/top1'] <= 100


@pytest.mark.parametrize('name', NAMES)
def test_checkpoints_are_those_that_other_configs_leave(name):
    for text in texts(read(name)._cfg_dict.to_dict()):
        match = CHECKPOINT.fullmatch(text)
        if match:
            stage = read(match[1])
            assert int(match[2]) == stage.train_cfg.get('max_epochs', 1), text


@pytest.mark.parametrize('name', [n for n in NAMES if n.startswith('ofer_')])
def test_stages_are_built_as_they_were_trained(name):
    for part in ('extractor', 'detector', 'reconstructor'):
        cfg = read(name).model.get(part)
        if cfg is None:
            continue
        [own] = {
            CHECKPOINT.fullmatch(t)[1] for t in texts(cfg) if 'epoch_' in t
        }
        trained = read(own).model
        for key in set(cfg) - {'type', 'extractor', 'mae', 'init_cfg'}:
            assert cfg[key] == trained[key], f'{part}.{key}'
        for key in (
            *('dims', 'slope', 'kernel', 'whiten', 'unet', 'size'),
            *('grid', 'smooth', 'random_dims'),
        ):
            assert cfg.get(key) == trained.get(key), f'{part}.{key}'
        if part == 'extractor':
            assert cfg.mae == trained


@pytest.mark.parametrize('name', FITTED)
def test_a_detector_takes_statistics_and_is_tested(name, chain):
    saved = torch.load(chain.checkpoint(name), weights_only=False)
    assert saved['state_dict']['radius'] > 0
    twin = f'{name}-occluded'
    for tested in (name, twin if twin in NAMES else name):
        runner = chain.runner(tested, 0)
        runner.load_checkpoint(chain.checkpoint(name))
        init_default_scope(runner.cfg.default_scope)
        metrics = runner.test()
        assert ('patch/auroc' in metrics) == tested.endswith('-occluded')
        assert 0 <= metrics['patch/flagged'] <= 100
