"""MaxBoxAcc: box accuracy at the best threshold of the data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmocc.evaluation.box_accuracy import best_accuracy, box_hits
from mmocc.evaluation.localization import is_blank
from mmocc.evaluation.summed_metric import MapMetric
from mmocc.registry import METRICS

_V1_IOU = 0.5  # the only one in the CVPR paper


@METRICS.register_module()
class MaxBoxAcc(MapMetric):
    """Box accuracy at the threshold that suits the data set best, in percent.

    From Choe et al., "Evaluating Weakly Supervised Object Localization
    Methods Right" (CVPR 2020), and its repository. Maps are scaled to
    224 x 224 and to [0, 1]; an image is right at a threshold if a box of its
    map meets a box of its ground truth. Predicted classes do not matter: this
    is GT-known Loc with an oracle for the threshold.

    Version 1 takes the box of the largest contour, at IoU 0.5: ``v1``.
    Version 2 takes all contours, and gives ``v2``, the mean of ``v2_iou30``,
    ``v2_iou50`` and ``v2_iou70``, each at its own best threshold;
    ``v2_iou50_threshold`` is that of 0.5, and so on.

    It holds one sum, a number for each threshold and IoU, whatever the number
    of images. Blank maps (NaN, or all one value) are misses, and are counted
    in the log.

    Args:
        version: 1, 2, or both.
        iou_thrs: Those of version 2.
        interval: Step between the thresholds 0, interval, ... below 1: 0.001
            in the reference's training, 0.01 in its stand-alone script.
        eval_size: (h, w) of the grid.
        **kwargs: As in :class:`MapMetric`.
    """

    default_prefix = 'max_box_acc'

    def __init__(
        self,
        version: int | Sequence[int] = 2,
        iou_thrs: Sequence[float] = (0.3, 0.5, 0.7),
        interval: float = 0.001,
        eval_size: tuple[int, int] = (224, 224),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        versions = (version,) if isinstance(version, int) else tuple(version)
        if not versions or not set(versions) <= {1, 2}:
            raise ValueError(
                f'version is {version}; it must be 1, 2 or (1, 2)'
            )
        if not iou_thrs or not all(0 < thr <= 1 for thr in iou_thrs):
            raise ValueError(f'iou_thrs is {iou_thrs}; each must be in (0, 1]')
        if not 0 < interval < 1:
            raise ValueError(f'interval is {interval}; it must be in (0, 1)')
        self.versions, self.iou_thrs = versions, tuple(iou_thrs)
        self.thresholds = np.arange(0, 1, interval)
        self.eval_size = tuple(eval_size)

    def score(self, sample: dict) -> np.ndarray:
        """Return [1, blank, 0, ...] and then D rows of T hits."""
        cam = self.read_map(sample)
        boxes = self.read_truth(sample, 'gt_bboxes')
        return self.score_map(cam, boxes, tuple(sample['ori_shape'][:2]))

    def score_map(
        self, cam: np.ndarray, gt_boxes: np.ndarray, shape: tuple[int, int]
    ) -> np.ndarray:
        """Return what :meth:`score` does; see :func:`box_hits`."""
        head = np.zeros((1, len(self.thresholds)), np.int64)
        head[0, :2] = 1, is_blank(cam)
        ious = {1: (_V1_IOU,), 2: self.iou_thrs}
        rows = [
            box_hits(
                cam,
                gt_boxes,
                shape,
                self.thresholds,
                ious[version],
                self.eval_size,
                largest=version == 1,
            )
            for version in self.versions
        ]
        return np.concatenate([head, *rows])

    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the accuracies at their best thresholds."""
        images, blank = total[0, :2].tolist()
        self.log_blank(blank, images)
        best = best_accuracy(total[1:], images, self.thresholds)
        metrics = {}
        if 1 in self.versions:
            at = self.versions.index(1) and len(self.iou_thrs)
            metrics['v1'], metrics['v1_threshold'] = best.pop(at)
        if 2 in self.versions:
            metrics['v2'] = float(np.mean([accuracy for accuracy, _ in best]))
            for thr, pair in zip(self.iou_thrs, best, strict=True):
                name = f'v2_iou{round(100 * thr)}'
                metrics[name], metrics[f'{name}_threshold'] = pair
        return metrics
