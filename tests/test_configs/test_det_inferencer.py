"""mmdet's DetInferencer takes every config of a detector, as it is."""

import json

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config

FOLDERS = ('benchmark', 'dea', 'learn')
# What an answer to a photo does not depend on, if weights are random.
ONLY_TRAINING = (
    'init_cfg',
    'pretrained',
    'loss_bbox',
    'loss_cls',
    'reg_decoded_bbox',
    'train_cfg',
    'frozen_detector',
    'jitter',
)
AT_LEAST = 12  # detectors that differ


def without(node, keys):
    """Return a tree of dicts and lists without these keys."""
    if isinstance(node, dict):
        return {k: without(v, keys) for k, v in node.items() if k not in keys}
    if isinstance(node, (list, tuple)):
        return type(node)(without(one, keys) for one in node)
    return node


def detectors():
    """Return the configs of detectors; one of those that answer alike."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / 'configs' / folder).glob('*.py')):
            cfg = Config.fromfile(path)
            if cfg.get('default_scope') != 'mmdet':
                continue
            model = without(cfg.model.to_dict(), ONLY_TRAINING)
            steps = cfg.test_dataloader.dataset.pipeline
            key = json.dumps([model, steps], sort_keys=True, default=str)
            found.setdefault(key, (path.stem, cfg))
    return dict(found.values())


def answer(cfg, photo):
    """Return what a detector with random weights says of a photo."""
    cfg.model = without(cfg.model.to_dict(), ('init_cfg', 'pretrained'))
    judge = cfg.model.get('judge', {})
    if set(judge.get('scores', ())) & {'latent', 'zscore', 'rank'}:
        judge.update(scores=('pearson',), anomaly_score='pearson')
    infer = DetInferencer(cfg, device='cpu', show_progress=False)
    if hasattr(infer.model, 'see'):  # a baseline looks at normal images first
        image = torch.zeros(2, 3, 224, 224).normal_()
        infer.model.learn(infer.model.reduce([infer.model.see(image)]))
    (result,) = infer(photo, no_save_vis=True)['predictions']
    return result


def test_every_detector_answers_a_photo():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (60, 80, 3), np.uint8)
    torch.manual_seed(0)
    configs = detectors()
    assert len(configs) >= AT_LEAST
    for name, cfg in configs.items():
        result = answer(cfg, photo)
        boxes = torch.tensor(result['bboxes']).reshape(-1, 4)
        assert len(boxes) == len(result['scores']), name
        assert len(boxes) == len(result['labels']), name
        assert boxes.isfinite().all(), name
        assert (boxes >= 0).all(), name
        assert (boxes <= torch.tensor([80.1, 60.1] * 2)).all(), name
