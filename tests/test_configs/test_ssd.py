"""The configs of SSD: a head with each loss, all else equal."""

import json

import pytest
import torch
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

FOLDER = ROOT / 'configs/dea'
MODELS_OF = {  # priors of SSD300, SSD512 and SSDLite
    'ssd300': (('voc0712', 'coco'), 8732),
    'ssd512': (('voc0712', 'coco'), 24564),
    'ssdlite': (('bccd',), 2434),
}
LOSSES = dict(
    l1='SmoothL1Loss', giou='GIoULoss', diou='DIoULoss', eiou='EIoULoss'
)
NAMES = [
    f'{model}_{loss}_{data}'
    for model, (sets, _) in MODELS_OF.items()
    for data in sets
    for loss in LOSSES
]


@pytest.mark.parametrize('name', NAMES)
def test_a_head_has_the_loss_of_its_name(name):
    model, loss, data = name.split('_')
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        phases = {k: cfg.model[k] for k in ('train_cfg', 'test_cfg')}
        head = MODELS.build(dict(cfg.model.bbox_head, **phases))
    assert type(head).__name__ == 'SSDIoUHead'
    assert type(head.loss_bbox).__name__ == LOSSES[loss]
    assert head.reg_decoded_bbox == (loss != 'l1')
    sizes = {
        'ssd300': (38, 19, 10, 5, 3, 1),
        'ssd512': (64, 32, 16, 8, 4, 2, 1),
        'ssdlite': (20, 10, 5, 3, 2, 1),
    }[model]
    maps = [
        [
            torch.zeros(1, num * channels, size, size)
            for num, size in zip(head.num_base_priors, sizes, strict=True)
        ]
        for channels in (head.cls_out_channels, 4)
    ]
    side = 300 if model == 'ssd300' else 320
    meta = dict(img_shape=(side, side), pad_shape=(side, side))
    gts = InstanceData(
        bboxes=torch.tensor([[50.0, 60, 150, 170]]), labels=torch.tensor([1])
    )
    losses = head.loss_by_feat(*maps, [gts], [meta])
    assert losses['loss_bbox'] > 0
    sizes = [level.shape[-2:] for level in maps[0]]
    priors = head.all_priors(sizes, torch.device('cpu'))
    assert len(priors) == MODELS_OF[model][1]
    if loss != 'l1':  # all else is the baseline's
        del cfg.model.bbox_head['reg_decoded_bbox']
        del cfg.model.bbox_head['loss_bbox']
        baseline = Config.fromfile(FOLDER / f'{model}_l1_{data}.py')
        assert cfg.to_dict() == baseline.to_dict()


def test_runs_of_detectors_are_gathered_in_percent(run_tool, tmp_path):
    for seed, value in enumerate((0.5, 0.6)):
        folder = tmp_path / f'ssdlite_eiou_bccd/seed{seed}'
        folder.mkdir(parents=True)
        values = {
            'coco/bbox_mAP': value,
            'coco90/bbox_mAP': value / 10,
            'anomaly/pearson_normal': 0.86,
        }
        (folder / 'metrics.json').write_text(json.dumps(values))
    result = run_tool(ROOT / 'tools/dev/gather_seeds.py', tmp_path)
    assert result.returncode == 0, result.stderr
    detection, anomaly = (
        line
        for line in result.stdout.splitlines()
        if line.startswith('| eiou')
    )
    assert detection == (
        '| eiou | 2 | 55.00 ± 7.07 | - | - | 5.50 ± 0.71 | - |'
    )
    assert anomaly.startswith('| eiou | 2 | - | - | 0.86 ± 0.00 | - ')
