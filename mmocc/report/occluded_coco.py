"""Recall of Occluded and Separated COCO, for any detector.

Real occlusion, beside the pasted one of the occlusion table.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import METRICS
from torch import nn

from mmocc.evaluation.occluded_coco_ann import read_subset
from mmocc.evaluation.occluded_coco_recall import tested_objects
from mmocc.occlusion import CLEAN
from mmocc.report.detectors import det_cell_loader, evaluate


def predicts_masks(cfg: Config) -> bool:
    """Tell whether a config's test evaluator looks at masks."""
    metrics = cfg.test_evaluator
    metrics = metrics if isinstance(metrics, list) else [metrics]
    wanted = [metric.get('metric', ()) for metric in metrics]
    return any(m == 'segm' or 'segm' in list(m) for m in wanted)


@torch.no_grad()
def run_occluded_coco(
    model: nn.Module,
    cfg: Config,
    occluded_ann: str | Path,
    separated_ann: str | Path,
    masks: bool | None = None,
    amp: bool = False,
    every: int = 1,
    **thresholds: Any,
) -> dict[str, float]:
    """Return a detector's recall of the two subsets, in percent.

    By masks it is mmdet's own metric, ``CocoOccludedSeparatedMetric``; by
    boxes it is ``mmocc.BoxOccludedSeparatedRecall``.

    Args:
        model: A detector in eval mode.
        cfg: Its config; the test data must be COCO's val2017, or images of
            it, and for masks an evaluator must name its ``ann_file``.
        occluded_ann: Occluded COCO: ``.pkl`` or ``.json``, read without
            running any code.
        separated_ann: Separated COCO.
        masks: Whether to compare masks, which the model must then predict;
            None to do what the config's ``test_evaluator`` does.
        amp: Predict in autocast.
        every: Take only every n-th image, and the objects in it.
        **thresholds: ``score_thr`` and ``iou_thr``; both metrics' defaults
            are 0.3 and 0.75.

    Returns:
        ``coco/occluded_recall`` and ``coco/separated_recall`` by masks, or
        ``box_recall/...`` of the same names by boxes.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not as described, or none of its images is
            tested.
    """
    loader = det_cell_loader(cfg, CLEAN, every)
    files = dict(occluded_ann=occluded_ann, separated_ann=separated_ann)
    if masks is None:
        masks = predicts_masks(cfg)
    if not masks:
        metric = dict(type='mmocc.BoxOccludedSeparatedRecall')
        return evaluate(
            model, loader, [dict(metric, **files, **thresholds)], amp
        )
    with TemporaryDirectory() as folder:
        metric = dict(
            type='mmdet.CocoOccludedSeparatedMetric',
            ann_file=_ann_file(cfg),
            metric=[],  # the recalls only
            **_as_json(files, _image_names(loader.dataset), Path(folder)),
            **thresholds,
        )
        metric = METRICS.build(metric)
    return evaluate(model, loader, [metric], amp)


def _ann_file(cfg: Config) -> str:
    """Return the annotation file that the config's evaluator reads.

    Raises:
        ValueError: If there is none.
    """
    metrics = cfg.test_evaluator
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        if metric.get('ann_file'):
            return metric['ann_file']
    raise ValueError(
        'the test_evaluator names no ann_file, which the recall by masks '
        'needs; name COCO val2017 there, or compare boxes (masks=False)'
    )


def _image_names(dataset: Any) -> set[str]:
    """Return the file names of a data set's images, without folders."""
    indices = getattr(dataset, 'indices', range(len(dataset)))
    source = getattr(dataset, 'dataset', dataset)
    infos = (source.get_data_info(index) for index in indices)
    return {Path(info['img_path']).name for info in infos}


def _as_json(
    files: dict[str, str | Path], tested: set[str], folder: Path
) -> dict[str, str]:
    """Write what mmdet shall load: plain json, of tested images only.

    mmdet would load a pickle with all that it may run, and stops at an object
    whose image it did not see.
    """
    paths = {}
    for key, path in files.items():
        box_format = 'xywh' if key == 'occluded_ann' else 'xyxy'
        objects = read_subset(path, box_format)
        items = []
        for item in tested_objects(objects, tested, key.partition('_')[0]):
            if item.mask is None:
                raise ValueError(
                    f'{path}: the object {item.ann_id} in {item.file_name} '
                    'has no mask; compare boxes (masks=False)'
                )
            left, top, right, bottom = item.box
            box = [left, top, right, bottom]
            if box_format == 'xywh':
                box = [left, top, right - left, bottom - top]
            items.append([*item[:3], box, item.mask])
        paths[key] = str(folder / f'{key}.json')
        Path(paths[key]).write_text(json.dumps(items))
    return paths
