"""Localization as its users run it: tools/test.py, in one process and two."""

import json
import socket

import numpy as np
import pytest
import tiny_wsol
import torch
import wsol_layouts as layouts
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

pytest.importorskip('mmpretrain')
CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, num_classes=2),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8),
    head=dict(type='mmocc.CAMHead', num_classes=2, in_channels=64, topk=1),
)
test_dataloader = dict(
    batch_size=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(64, 64)),
            dict(type='PackInputs'),
        ],
        with_boxes=True,
        **{dataset!r},
    ),
)
test_evaluator = {metrics!r}
test_cfg = dict()
work_dir = 'work'
randomness = dict(seed=0)
"""
BOX_METRICS = [
    dict(type='mmocc.LocalizationAccuracy'),
    dict(type='mmocc.MaxBoxAcc', version=(1, 2)),
]


def evaluate(run_tool, tmp_path, dataset, metrics, processes=1):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(dataset=dataset, metrics=metrics))
    weights = tmp_path / 'random.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromfile(config).model)
    state = {
        **model.state_dict(),
        'head.fc.weight': torch.linspace(-1, 1, 128).sin().view(2, 64),
        'head.fc.bias': torch.zeros(2),
    }
    torch.save(dict(state_dict=state), weights)
    tool = ['test.py', config, weights]
    if processes > 1:
        tool = ['dist_test.sh', config, weights, processes]
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    result = run_tool(
        ROOT / 'tools' / tool[0],
        *tool[1:],
        *('--out', 'out.json', '--out-item', 'metrics'),
        PORT=port,
        CUDA_VISIBLE_DEVICES='',
    )
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / 'out.json').read_text())


def test_two_processes_measure_what_one_does(run_tool, tmp_path):
    root = tmp_path / 'cub'
    tiny_wsol.write(root, 'cub', ())
    dataset = dict(layout='cub', data_root=str(root), split='test')
    dataset['indices'] = 3  # the second process gets one twice
    one = evaluate(run_tool, tmp_path, dataset, BOX_METRICS)
    two = evaluate(run_tool, tmp_path, dataset, BOX_METRICS, processes=2)
    assert one == two
    assert one['max_box_acc/v2_iou30'] > 0
    shares = [v for k, v in one.items() if not k.endswith('threshold')]
    ninths = np.array(shares) * 9 / 100  # of three images, three IoUs
    np.testing.assert_allclose(ninths, np.rint(ninths), atol=1e-9)
    for name in ('gt_known_loc', 'top1_loc', 'top1_clas'):
        assert f'localization/{name}' in one


def test_masks_are_measured_too(run_tool, tmp_path):
    dataset = layouts.write_masks(tmp_path / 'masks')
    scores = evaluate(run_tool, tmp_path, dataset, [dict(type='mmocc.PxAP')])
    assert list(scores) == ['px_ap/px_ap']
    assert 0 < scores['px_ap/px_ap'] < 100
