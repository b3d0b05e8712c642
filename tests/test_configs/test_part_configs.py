"""Configs for images of one part: their types, data and first step."""

import pytest
import torch
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from mmocc.apis.part_study import LOADERS, METHODS
from mmocc.models.dea.regions import draw_levels
from mmocc.utils import cli

FOLDER = ROOT / 'configs/dea'


@pytest.mark.parametrize('data', ['mvtec', 'folder'])
@pytest.mark.parametrize('method', METHODS)
def test_a_pair_differs_in_its_data_only(method, data):
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(FOLDER / f'{method}_{data}.py')
    cli.check_types(cfg)
    splits = [cfg[name].dataset.split for name in LOADERS]
    assert splits == ['train', 'held_back', 'test']
    assert {cfg[name].dataset.layout for name in LOADERS} == {data}
    other = Config.fromfile(FOLDER / f'{method}_mvtec.py')
    for key in ('model', 'train_cfg', 'custom_hooks', 'test_evaluator'):
        assert cfg[key] == other[key]
    hooks = [hook['type'] for hook in cfg.custom_hooks]
    assert 'mmocc.AnomalyReferenceHook' in hooks
    if method in ('mean_image', 'pca'):
        init_default_scope('mmdet')
        MODELS.build(cfg.model)


def test_dea_trains_on_the_box_of_the_image():
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(FOLDER / 'dea_mvtec.py')
    init_default_scope('mmdet')
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).train()
    box = torch.tensor([[0.0, 0.0, 224.0, 224.0]])
    priors = model.bbox_head.prior_generator.grid_priors(
        [(28, 28), (14, 14), (7, 7)], device='cpu'
    )
    limit = model.bbox_head.assigner.pos_iou_thr
    levels = draw_levels(box.repeat(50, 1), priors, limit)
    assert set(levels.tolist()) == {2}
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(224, 224), pad_shape=(224, 224), ori_shape=(224, 224)
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=box, labels=torch.zeros(1, dtype=torch.int64)
    )
    images = torch.randint(0, 255, (1, 3, 224, 224), dtype=torch.uint8)
    data = dict(inputs=list(images), data_samples=[sample])
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    assert losses['loss_rec'] > 0
    assert losses['loss_bbox'] > 0
    grads = [p.grad for p in model.backbone.parameters()]
    assert all(grad is None for grad in grads)
    assert model.decoder.layers[0].weight.grad.abs().sum() > 0
