"""LEARN in a detector: its configs train, resume and test."""

import copy

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmdet.registry import MODELS
from run_config import LOADERS, train
from toy_detector import make_objects, voc_config

NAME = 'det_retinanet-lite0_bccd'
SMALL = (96, 64)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Return the folder of four images with objects."""
    root = tmp_path_factory.mktemp('det') / 'data'
    voc_config(root, make_objects(4))
    return root


def read(name, data):
    """Return a config on small images, without weights from a package."""
    cfg = Config.fromfile(ROOT / f'configs/learn/{name}.py')
    init_default_scope(cfg.default_scope)
    for loader in LOADERS:
        cfg[loader].update(batch_size=2, num_workers=0)
        cfg[loader].dataset.update(
            data_root=str(data),
            ann_file='test.txt',
            metainfo=dict(classes=('cat', 'dog')),
        )
        for step in cfg[loader].dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = SMALL
    cfg.model.bbox_head.num_classes = 2
    cfg.model.backbone.init_cfg = None
    return cfg


def state_of(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.mark.parametrize('kind', ['', '-finetune'])
def test_config_trains_from_its_baseline_resumes_and_tests(
    kind, data, tmp_path, occluder_folders
):
    cfg = read(NAME + kind, data)
    base = read(f'{NAME}-baseline', data)
    assert cfg.baseline_config == f'configs/learn/{NAME}-baseline.py'
    last = f'epoch_{base.train_cfg.max_epochs}.pth'
    assert cfg.load_from == f'work_dirs/{NAME}-baseline/{last}'
    cfg.model.occluder.update(occluder_folders)
    frozen = MODELS.build(copy.deepcopy(base.model)).state_dict()
    cfg.load_from = str(tmp_path / 'baseline.pth')
    torch.save(dict(state_dict=frozen), cfg.load_from)
    assert train(cfg, tmp_path / 'work', epochs=1).iter == 2
    runner = train(cfg, tmp_path / 'work', epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)
    assert 0 <= runner.test().get('coco/bbox_mAP', 0) <= 1
    trained = state_of(tmp_path / 'work/epoch_2.pth')
    assert all(value.isfinite().all() for value in trained.values())
    same = {k for k in frozen if torch.equal(frozen[k], trained[k])}
    added = trained.keys() - frozen.keys()
    if kind:
        assert added == {'occluder.steps'}
        assert not {k for k in same if k.startswith(('neck', 'bbox_head.r'))}
        assert {k for k in frozen if k.startswith('backbone.blocks.3')} <= same
    else:
        assert same == set(frozen)
        assert all(k.startswith(('learn.64.', 'occluder.')) for k in added)


def test_baseline_trains(data, tmp_path):
    cfg = read(f'{NAME}-baseline', data)
    runner = train(cfg, tmp_path / 'work', epochs=1)
    assert runner.iter == 2
    stem = runner.model.backbone.conv_stem
    assert not stem.weight.requires_grad
