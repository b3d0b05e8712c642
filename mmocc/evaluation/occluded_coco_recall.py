"""Recall of the occluded and the separated objects of COCO, by boxes.

mmdet's ``CocoOccludedSeparatedMetric`` compares masks. This is its twin for
detectors without them, as in the paper's own evaluation code.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmocc.evaluation.occluded_coco_ann import HardObject, read_subset
from mmocc.registry import METRICS


def box_iou(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box with others.

    Args:
        one: (4,) xyxy.
        many: (n, 4) xyxy.

    Returns:
        (n,) in [0, 1]; 0 for empty boxes.
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
    ``score_thr`` has a box IoU of at least ``iou_thr`` with it: what mmdet's
    ``CocoOccludedSeparatedMetric`` asks of masks. A detection may recall
    several objects, as there. Gives ``occluded_recall`` and
    ``separated_recall`` in percent, and how many objects were looked for.
    Objects of images that were not tested are left out, counted and logged.

    Works in the ``test_evaluator`` of any mmdet config on COCO's val2017, with
    or without ``ann_file``, beside other metrics.

    Args:
        occluded_ann: File as :mod:`mmocc.evaluation.occluded_coco_ann` says,
            with xywh boxes.
        separated_ann: The same, with xyxy boxes.
        score_thr: Least score of a detection.
        iou_thr: Least IoU.
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: What the names begin with.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not as described, a class of it is none of
            the model's, or none of its images was tested.
    """

    default_prefix = 'box_recall'

    def __init__(
        self,
        occluded_ann: str | Path,
        separated_ann: str | Path,
        score_thr: float = 0.3,
        iou_thr: float = 0.75,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
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
            scores = pred['scores'].cpu().numpy()
            sure = scores >= self.score_thr
            boxes = pred['bboxes'].cpu().numpy()[sure]
            labels = pred['labels'].cpu().numpy()[sure]
            name = Path(sample['img_path']).name
            self.results.append((name, boxes, labels))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Return recalls in percent, and numbers of objects."""
        found = {name: (boxes, labels) for name, boxes, labels in results}
        metrics = {}
        for subset, objects in self.subsets.items():
            tested = tested_objects(objects, set(found), subset)
            hits = [self._is_recalled(item, found) for item in tested]
            metrics[f'{subset}_recall'] = 100 * float(np.mean(hits))
            metrics[f'{subset}_objects'] = len(tested)
        return metrics

    def _is_recalled(self, item: HardObject, found: dict[str, tuple]) -> bool:
        """Tell whether a detection of the class covers an object well."""
        classes = self.dataset_meta['classes']
        if item.class_name not in classes:
            raise ValueError(
                f'an object of class {item.class_name!r} was to be recalled, '
                f'which is none of the data set: {list(classes)}'
            )
        boxes, labels = found[item.file_name]
        same = boxes[labels == classes.index(item.class_name)]
        return bool((box_iou(np.array(item.box), same) >= self.iou_thr).any())


def tested_objects(
    objects: list[HardObject], tested: set[str], subset: str
) -> list[HardObject]:
    """Return the objects of images that were tested; log how many were not.

    Args:
        objects: A subset.
        tested: Names of the images, without folders.
        subset: Name of the subset.

    Raises:
        ValueError: If there is none.
    """
    kept = [item for item in objects if item.file_name in tested]
    if not kept:
        raise ValueError(
            f'none of the {len(objects)} {subset} objects is in an image that '
            f'was tested; the file speaks of {objects[0].file_name}, the test '
            f'set has {min(tested, default="no image")}'
        )
    if len(kept) < len(objects):
        print_log(
            f'{subset} recall: {len(objects) - len(kept)} of {len(objects)} '
            'objects left out, as their images were not tested',
            logger='current',
        )
    return kept
