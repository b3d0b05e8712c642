"""Test-time augmentation for any config of mmpretrain or mmdet."""

import copy
import itertools
from inspect import isclass
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseTTAModel
from mmengine.registry import MODELS, TRANSFORMS

from mmocc.utils.config_types import class_name, find_class, host_of, scope_of


def use_tta(cfg: Config) -> None:
    """Test with augmentation: the config's, or the image and its mirror.

    The config that such a test wrote has it already. A model may name the
    merger that keeps its fields as ``tta_type``.
    """
    kind = find_class(cfg.model.get('type'), MODELS, scope_of(cfg))
    if isclass(kind) and issubclass(kind, BaseTTAModel):
        return
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if 'tta_model' not in cfg:
        cfg.tta_model = dict(type='mmpretrain.AverageClsScoreTTA')
        if host_of(cfg) == 'mmdet':
            default = 'mmdet.models.DetTTAModel'
            cfg.tta_model = dict(
                type=getattr(kind, 'tta_type', default),
                tta_cfg=_merging(cfg.model),
            )
    if 'tta_pipeline' not in cfg:
        cfg.tta_pipeline = mirrored(
            dataset.pipeline, host_of(cfg), scope_of(cfg)
        )
    model, cfg.model = cfg.model, copy.deepcopy(cfg.tta_model)
    cfg.model.module = model
    dataset.pipeline = cfg.tta_pipeline


def _merging(model: dict) -> dict[str, Any]:
    """Return how a detector's detections of several views are merged.

    As it merges those of one image, if its ``test_cfg`` tells.
    """
    own = model.get('test_cfg') or {}
    own = own.get('rcnn') or own
    nms = own.get('nms') or dict(type='nms', iou_threshold=0.5)
    most = own.get('max_per_img') or 100
    return dict(nms=copy.deepcopy(nms), max_per_img=most)


def mirrored(
    pipeline: list[dict], host: str | None, scope: str | None = None
) -> list[dict]:
    """Return a pipeline that packs each image twice, first as it is.

    The merged sample has the truth of the first view. Annotations are loaded
    after the mirror: a detector's are in pixels of the original image, and
    mirroring them as if they were in the input's would move them.
    """
    flip = 'RandomFlip'  # mmcv's
    if host == 'mmdet':  # a full path is found in any scope
        flip = 'mmdet.datasets.transforms.RandomFlip'
    *steps, pack = pipeline
    pack = copy.deepcopy(pack)
    if 'meta_keys' in pack:
        keys = (*pack['meta_keys'], 'flip', 'flip_direction')
        pack['meta_keys'] = tuple(dict.fromkeys(keys))
    loads = [_loads_annotations(step, scope) for step in steps]
    place = loads.index(True) if any(loads) else len(steps)
    flips = [dict(type=flip, prob=prob) for prob in (0.0, 1.0)]
    rest = [[step] for step in itertools.chain(steps[place:], [pack])]
    views = dict(type='TestTimeAug', transforms=[flips, *rest])
    return [*steps[:place], views]


def _loads_annotations(step: dict, scope: str | None) -> bool:
    """Return whether a step of a pipeline is some ``LoadAnnotations``."""
    kind = find_class(step['type'], TRANSFORMS, scope)
    parents = getattr(kind, '__mro__', ())
    names = [class_name(step['type']), *(one.__name__ for one in parents)]
    return 'LoadAnnotations' in names
