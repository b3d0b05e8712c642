"""The configs of SSD: one for each loss, and all that the script writes."""

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


def test_the_files_are_what_the_script_writes(run_tool):
    result = run_tool(ROOT / 'tools/dev/make_dea_configs.py', '--check')
    assert result.returncode == 0, result.stderr
    assert result.stdout == '15 configs, 0 of them out of step\n'
    assert sorted(NAMES) == sorted(p.stem for p in FOLDER.glob('ssd*.py'))


@pytest.mark.parametrize('name', NAMES)
def test_a_head_has_the_loss_of_its_name(name):
    model, loss, _ = name.split('_')
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    assert cfg.optim_wrapper.clip_grad.max_norm == 35
    assert cfg.model.bbox_head.type == 'mmocc.SSDIoUHead'
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = MODELS.build(
            dict(
                cfg.model.bbox_head,
                train_cfg=cfg.model.train_cfg,
                test_cfg=cfg.model.test_cfg,
            )
        )
    assert type(head.loss_bbox).__name__ == LOSSES[loss]
    assert type(head.loss_bbox).__module__.startswith(
        'mmdet' if loss == 'l1' else 'mmocc'
    )
    assert head.reg_decoded_bbox == (loss != 'l1')
    weight = 2.0 if 'bccd' in name else 10.0
    assert head.loss_bbox.loss_weight == (1.0 if loss == 'l1' else weight)
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
    priors = head.all_priors(
        [m.shape[-2:] for m in maps[0]], torch.device('cpu')
    )
    assert len(priors) == MODELS_OF[model][1]


@pytest.mark.parametrize('name', [n for n in NAMES if '_l1_' not in n])
def test_a_variant_is_its_baseline_and_a_loss(name):
    model, loss, data = name.split('_')
    ours = Config.fromfile(FOLDER / f'{name}.py').to_dict()
    baseline = Config.fromfile(FOLDER / f'{model}_l1_{data}.py').to_dict()
    head = ours['model']['bbox_head']
    assert head.pop('reg_decoded_bbox')
    assert head.pop('loss_bbox')['type'] == f'mmocc.{LOSSES[loss]}'
    assert ours == baseline


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
