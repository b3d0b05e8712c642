"""MaxBoxAcc: box accuracy at the best threshold of the data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmocc.evaluation.box_accuracy import best_accuracy, box_hits
from mmocc.evaluation.localization import is_blank
from mmocc.evaluation.summed_metric import MapMetric
from mmocc.registry import METRICS
from mmocc.utils.cell_grid import CellGrid

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

    The best threshold is chosen on the images that are scored: an oracle. A
    threshold chosen on other images (those of a validation's result) is
    ``threshold``; then all results are at it.

    It holds one sum, a number for each threshold and IoU, whatever the number
    of images. Blank maps (NaN, or all one value) are misses, and are counted
    in the log.

    Args:
        version: 1, 2, or both.
        iou_thrs: Those of version 2.
        interval: Step between the thresholds 0, interval, ... below 1: 0.001
            in the reference's training, 0.01 in its stand-alone script.
        eval_size: (h, w) of the grid.
        threshold: The only threshold, in [0, 1), instead of the best one.
        topk: Further results of version 1: ``top1_loc`` for 1, and so on, the
            share of images whose box is right and whose true class is among
            the k first, at its own best threshold (as TS-CAM and others
            report it); ``top1_clas``, the share of the class alone.
        **kwargs: As in :class:`MapMetric`.

    Raises:
        ValueError: If an argument is out of range, or ``topk`` is given
            without version 1.
    """

    default_prefix = 'max_box_acc'

    def __init__(
        self,
        version: int | Sequence[int] = 2,
        iou_thrs: Sequence[float] = (0.3, 0.5, 0.7),
        interval: float = 0.001,
        eval_size: tuple[int, int] = (224, 224),
        threshold: float | None = None,
        topk: Sequence[int] = (),
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
        if threshold is not None and not 0 <= threshold < 1:
            raise ValueError(f'threshold is {threshold}; it must be in [0, 1)')
        if any(k < 1 for k in topk) or (topk and 1 not in versions):
            raise ValueError(
                f'topk is {topk} and version {version}; each k must be 1 or '
                'more, and version 1 be among them: version=(1, 2)'
            )
        self.versions, self.iou_thrs = versions, tuple(iou_thrs)
        self.thresholds = np.arange(0, 1, interval)
        if threshold is not None:
            self.thresholds = np.array([threshold], float)
        self.eval_size = tuple(eval_size)
        self.topk = tuple(topk)

    def score(self, sample: dict) -> np.ndarray:
        """Return rows: 1, blank, each k's class, and then those of T hits."""
        cam = self.read_map(sample)
        boxes = self.read_truth(sample, 'gt_bboxes')
        shape = tuple(sample['ori_shape'][:2])
        place = self.label_place(sample) if self.topk else None
        return self.score_map(
            cam, boxes, shape, self.read_cells(sample), place
        )

    def score_map(
        self,
        cam: np.ndarray,
        gt_boxes: np.ndarray,
        shape: tuple[int, int],
        cells: CellGrid | None = None,
        place: int | None = None,
    ) -> np.ndarray:
        """Return what :meth:`score` does.

        Args:
            cam: As in :func:`box_hits`, as the next two.
            gt_boxes: As there.
            shape: As there, ``ori_shape``.
            cells: As there.
            place: The true class's in the ranking, from 0; for ``topk``.

        Returns:
            int64 (R, T): of each result of :meth:`summarize`, whether it is
            reached at each threshold.
        """
        classes = [place < k for k in self.topk]
        facts = np.array([1, is_blank(cam), *classes], np.int64)
        rows = [np.repeat(facts[:, None], len(self.thresholds), axis=1)]
        ious = {1: (_V1_IOU,), 2: self.iou_thrs}
        for version in sorted(self.versions):
            hits = box_hits(
                cam,
                gt_boxes,
                shape,
                self.thresholds,
                ious[version],
                self.eval_size,
                version == 1,
                cells,
            )
            rows.append(hits)
            if version == 1:
                rows += [hits * right for right in classes]
        return np.concatenate(rows)

    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the accuracies at their best thresholds."""
        images, blank, *classes = total[: 2 + len(self.topk), 0].tolist()
        self.log_blank(blank, images)
        names = []
        if 1 in self.versions:
            names += ['v1', *(f'top{k}_loc' for k in self.topk)]
        each = [f'v2_iou{round(100 * thr)}' for thr in self.iou_thrs]
        if 2 in self.versions:
            names += each
        hits = total[2 + len(self.topk) :]
        best = best_accuracy(hits, images, self.thresholds)
        metrics = {}
        for name, pair in zip(names, best, strict=True):
            metrics[name], metrics[f'{name}_threshold'] = pair
        if 2 in self.versions:
            metrics['v2'] = float(np.mean([metrics[name] for name in each]))
        for k, count in zip(self.topk, classes, strict=True):
            metrics[f'top{k}_clas'] = 100 * count / images
        return metrics
