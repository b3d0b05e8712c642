"""Recall of Occluded COCO and Separated COCO: real occlusion, not pasted.

Zhan et al., A Tri-Layer Plugin to Improve Occluded Detection, BMVC 2022
(https://arxiv.org/abs/2210.10046). Each file is a list of objects of COCO's
val2017, each of them a list of at least five:

    [file name, class name, annotation id, box, mask (compressed RLE), ...]

The official files are pickles, ``occluded_coco.pkl`` (boxes are xywh) and
``separated_coco.pkl`` (boxes are xyxy); JSON of the same structure is read as
well. A pickle can run any code when it is loaded: only one of plain values and
NumPy numbers is accepted. By masks the recall is mmdet's
``CocoOccludedSeparatedMetric``; by boxes it is that of the paper's own code.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS as ROOT_METRICS
from torch import nn

from mmocc.occlusion import CLEAN
from mmocc.registry import METRICS
from mmocc.report.detectors import det_cell_loader, evaluate, evaluators
from mmocc.report.progress import ReportProgress
from mmocc.utils.files import read_json
from mmocc.utils.plain_pickle import load_plain
from mmocc.utils.readable import PIXEL_LIMIT


class HardObject(NamedTuple):
    """One object of a subset."""

    file_name: str  # of its photo, without folders
    class_name: str
    ann_id: int  # in COCO's annotations
    box: tuple[float, float, float, float]  # xyxy in pixels
    mask: dict | None  # compressed RLE: size and counts, a str


def read_subset(path: str | Path, box_format: str) -> list[HardObject]:
    """Read Occluded COCO, Separated COCO or a file of the same structure.

    Args:
        path: A ``.json`` or ``.pkl`` file.
        box_format: ``xywh`` (Occluded COCO) or ``xyxy`` (Separated COCO).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither JSON nor a plain pickle, is empty, or an
            item is not as described (naming file and item).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; Occluded and Separated COCO are at '
            'https://www.robots.ox.ac.uk/~vgg/research/tpod/'
        )
    items = _load(path)
    if not isinstance(items, list) or not items:
        raise ValueError(
            f'{path} must hold a list of objects, with one at least'
        )
    objects = []
    for place, item in enumerate(items):
        try:
            objects.append(_parse(item, box_format))
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise ValueError(
                f'{path}, item {place}: {error!r}; each must be [file name, '
                f'class name, annotation id, {box_format} box, mask, ...]'
            ) from error
    return objects


def _load(path: Path) -> Any:
    """Return the content of a JSON file or of a plain pickle."""
    if path.suffix in ('.pkl', '.pickle'):
        return load_plain(path)
    if path.suffix == '.json':
        try:
            return read_json(path)
        except ValueError as error:
            raise ValueError(f'{path} cannot be read: {error}') from error
    raise ValueError(f'{path}: name a .json or .pkl file')


def _parse(item: list, box_format: str) -> HardObject:
    """Return an item of the list, checked."""
    name, label, ann_id, numbers, mask = item[:5]
    box = np.array(numbers, float)  # a copy: arrays of a pickle are read-only
    # NaN is not below the limit either.
    if box.shape != (4,) or not (np.abs(box) < PIXEL_LIMIT).all():
        raise ValueError(f'{numbers} is no box')
    if box_format == 'xywh':
        box[2:] += box[:2]
    if (box[2:] <= box[:2]).any():
        raise ValueError(f'the box {numbers} is empty when read {box_format}')
    if not (isinstance(name, str) and isinstance(label, str)):
        raise ValueError(f'{name!r} and {label!r} must be names')
    if mask is not None:
        counts = mask['counts']
        counts = counts.decode() if isinstance(counts, bytes) else counts
        mask = dict(size=[int(side) for side in mask['size']], counts=counts)
    file_name = Path(name).name
    return HardObject(file_name, label, int(ann_id), tuple(box.tolist()), mask)


def box_iou(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box with others.

    From (4,) and (n, 4) xyxy it is (n,) in [0, 1]; 0 for empty boxes.
    """
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[2:], many[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = (many[:, 2:] - many[:, :2]).clip(0).prod(axis=1)
    union = (one[2:] - one[:2]).prod() + areas - shared
    return shared / union


@METRICS.register_module()
class BoxOccludedSeparatedRecall(BaseMetric):
    """Recall of Occluded COCO's and Separated COCO's objects, by boxes.

    An object is recalled if a detection of its class with a score of at least
    ``score_thr`` has a box IoU of at least ``iou_thr`` with it, as with masks
    in mmdet's ``CocoOccludedSeparatedMetric``; a detection may recall several
    objects. Gives ``occluded_recall`` and ``separated_recall`` in percent,
    and the numbers of objects. Objects of images that were not tested are
    left out, counted and logged. For the ``test_evaluator`` of any mmdet
    config on COCO's val2017, alone or with other metrics.

    Args:
        occluded_ann: File as :mod:`mmocc.report.occluded_coco` says, with
            xywh boxes.
        separated_ann: The same, with xyxy boxes.
        score_thr: Least score of a detection.
        iou_thr: Least IoU.
        **kwargs: ``collect_device`` and ``prefix`` of every metric.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not as described, the model does not know a
            class of it, or none of its images was tested.
    """

    default_prefix = 'box_recall'

    def __init__(
        self,
        occluded_ann: str | Path,
        separated_ann: str | Path,
        score_thr: float = 0.3,
        iou_thr: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.subsets = dict(
            occluded=read_subset(occluded_ann, 'xywh'),
            separated=read_subset(separated_ann, 'xyxy'),
        )
        self.score_thr = score_thr
        self.iou_thr = iou_thr

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep each image's name and its detections above the threshold."""
        for sample in data_samples:
            pred = sample['pred_instances']
            sure = pred['scores'].cpu().numpy() >= self.score_thr
            boxes = pred['bboxes'].cpu().numpy()[sure]
            labels = pred['labels'].cpu().numpy()[sure]
            name = Path(sample['img_path']).name
            self.results.append((name, boxes, labels))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Return recalls in percent, and numbers of objects."""
        detections = {name: (boxes, labels) for name, boxes, labels in results}
        metrics: dict[str, float] = {}
        for subset, objects in self.subsets.items():
            tested = tested_objects(objects, set(detections), subset)
            hits = [
                self._is_recalled(item, *detections[item.file_name])
                for item in tested
            ]
            metrics[f'{subset}_recall'] = 100 * float(np.mean(hits))
            metrics[f'{subset}_objects'] = len(tested)
        return metrics

    def _is_recalled(
        self, item: HardObject, boxes: np.ndarray, labels: np.ndarray
    ) -> bool:
        """Return whether a detection of the class covers an object well."""
        classes = self.dataset_meta['classes']
        if item.class_name not in classes:
            raise ValueError(
                f'the class {item.class_name!r} of an object to recall is not '
                f'a class of the data set: {list(classes)}'
            )
        same = boxes[labels == classes.index(item.class_name)]
        return bool((box_iou(np.array(item.box), same) >= self.iou_thr).any())


def tested_objects(
    objects: list[HardObject], tested: set[str], subset: str
) -> list[HardObject]:
    """Return a subset's objects in tested images; log how many others are.

    Raises:
        ValueError: If there is none.
    """
    inside = [item for item in objects if item.file_name in tested]
    if not inside:
        raise ValueError(
            f'none of the {len(objects)} {subset} objects is in an image that '
            f'was tested; the file speaks of {objects[0].file_name}, the test '
            f'set has {min(tested, default="no image")}'
        )
    if len(inside) < len(objects):
        print_log(
            f'{subset} recall: {len(objects) - len(inside)} of {len(objects)} '
            'objects left out, as their images were not tested',
            logger='current',
        )
    return inside


@torch.no_grad()
def run_occluded_coco(
    model: nn.Module,
    cfg: Config,
    occluded_ann: str | Path,
    separated_ann: str | Path,
    masks: bool | None = None,
    amp: bool = False,
    every: int = 1,
    progress: ReportProgress | None = None,
    **thresholds: Any,
) -> dict[str, float]:
    """Return a detector's recall of the two subsets, in percent.

    The test data must be COCO's val2017, or images of it. ``masks`` compares
    masks, for which an evaluator must name its ``ann_file``; None does what
    the config's ``test_evaluator`` does. ``every`` takes only every n-th
    image, and the objects in it; ``progress`` moves on by 1. ``thresholds``
    are ``score_thr`` (0.3 if not given) and ``iou_thr`` (0.75).

    Returns:
        ``coco/occluded_recall`` and ``coco/separated_recall`` by masks, or
        ``box_recall/...`` of the same names by boxes.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: As :class:`BoxOccludedSeparatedRecall`; or without masks.
    """
    loader = det_cell_loader(cfg, CLEAN, every)
    words = 'real occlusion'
    batches = progress.track(loader, words, 1) if progress else None
    files: dict[str, Any] = dict(
        occluded_ann=occluded_ann, separated_ann=separated_ann
    )
    if masks is None:
        masks = predicts_masks(cfg)
    if not masks:
        metric = BoxOccludedSeparatedRecall(**files, **thresholds)
        return evaluate(model, loader, [metric], amp, batches)
    with TemporaryDirectory() as folder:
        metric = ROOT_METRICS.build(
            dict(
                type='mmdet.CocoOccludedSeparatedMetric',
                ann_file=_ann_file(cfg),
                metric=[],  # the recalls only
                **_as_json(files, _image_names(loader.dataset), Path(folder)),
                **thresholds,
            )
        )
    return evaluate(model, loader, [metric], amp, batches)


def predicts_masks(cfg: Config) -> bool:
    """Return whether a config's test evaluator looks at masks."""
    names = [metric.get('metric', ()) for metric in evaluators(cfg)]
    return any(name == 'segm' or 'segm' in list(name) for name in names)


def _ann_file(cfg: Config) -> str:
    """Return the annotation file that the config's evaluator reads."""
    for metric in evaluators(cfg):
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
    """Write what mmdet loads: plain JSON, of tested images only.

    mmdet runs what a pickle holds, and stops at an object of another image.
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
            if box_format == 'xywh':
                right, bottom = right - left, bottom - top
            box = [left, top, right, bottom]
            items.append([*item[:3], box, item.mask])
        paths[key] = str(folder / f'{key}.json')
        Path(paths[key]).write_text(json.dumps(items), encoding='utf-8')
    return paths
