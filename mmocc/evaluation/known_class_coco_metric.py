"""Detection metrics of known classes, on images with unknown objects."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation.metrics import CocoMetric
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor

from mmocc.evaluation.anomaly_pages import anomaly_truth
from mmocc.registry import METRICS


@METRICS.register_module()
class KnownClassCocoMetric(CocoMetric):
    """COCO's AP without the detections on objects outside the dictionary.

    Such a detection counts neither for nor against, whatever class it names,
    as in crowd regions of COCO: if at least half of its area is on one outside
    object, and it has no IoU of 0.5 with an object of a known class. The rest
    is :class:`mmdet.CocoMetric`, on samples of ``mmocc.PackAnomalyInputs``.

    Args:
        ignore_thr: Smallest share of a detection's area.
        **kwargs: For :class:`mmdet.CocoMetric`.

    Raises:
        KeyError: If samples do not tell which objects are anomalous.
    """

    def __init__(self, ignore_thr: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # pycocotools cannot compare a list, as configs have it.
        self.iou_thrs = np.asarray(self.iou_thrs)
        self.ignore_thr = ignore_thr

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Remove the detections on outside objects, then count."""
        super().process(data_batch, [self._strip(s) for s in data_samples])

    def _strip(self, sample: dict) -> dict:
        """Return a sample without detections on outside objects."""
        truth = anomaly_truth(sample)
        outside = truth.labels < 0
        keep = off_outside(
            sample['pred_instances']['bboxes'].cpu(),
            truth.boxes[outside].cpu(),
            truth.boxes[~outside].cpu(),
            self.ignore_thr,
        )
        detections = InstanceData(**sample['pred_instances'])
        detections = detections[keep.to(detections.bboxes.device)]
        return dict(sample, pred_instances=dict(detections.items()))


def off_outside(
    boxes: Tensor, outside: Tensor, known: Tensor, ignore_thr: float = 0.5
) -> Tensor:
    """Return which detections are not on an outside object, (n,) bool.

    ``boxes`` (n, 4) are detections, ``outside`` (m, 4) and ``known`` (k, 4)
    objects, all xyxy; ``ignore_thr`` is the smallest share of a detection.
    """
    if not len(boxes) or not len(outside):
        return boxes.new_ones(len(boxes)).bool()
    share = bbox_overlaps(boxes, outside, mode='iof').amax(dim=1)
    keep = share < ignore_thr
    if len(known):
        keep |= bbox_overlaps(boxes, known).amax(dim=1) >= 0.5
    return keep
