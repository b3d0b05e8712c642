"""Localization accuracy as the papers on class activation maps report it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmocc.evaluation.localization import (
    box_iou_inclusive,
    is_blank,
    map_to_boxes,
    scale_boxes,
)
from mmocc.evaluation.summed_metric import MapMetric
from mmocc.registry import METRICS


@METRICS.register_module()
class LocalizationAccuracy(MapMetric):
    """Top-1 Loc, GT-known Loc and Top-1 Clas, in percent.

    From Singh and Lee, "Hide-and-Seek" (ICCV 2017), section 4: the map is
    enlarged to the size of the image, what lies strictly above ``threshold``
    times its maximum is foreground, and the box is that of the largest
    component. It is right if its IoU with any of the image's boxes is 0.5 or
    more (as in the ILSVRC devkit; the paper says more than 0.5).

    - ``gt_known_loc``: the box of the true class's map is right.
    - ``top1_loc``: so is the predicted class, which is the true one then, and
      has the same map.
    - ``top1_clas``: the predicted class is right.

    Blank maps (NaN, or all one value) are counted in the log; those with NaN
    or without a positive value are misses. It holds one sum, whatever the
    number of images.

    Args:
        threshold: Share of the maximum; the paper takes 0.2 for AlexNet-GAP
            and 0.3 for GoogLeNet-GAP.
        iou_thr: Least IoU of a box that is right.
        topk: Further ``k`` than 1 give ``topk_loc`` and ``topk_clas``.
        keep: As in :func:`mmocc.evaluation.localization.map_to_boxes`; of
            ``all``, one right box is enough.
        normalize: As there.
        **kwargs: As in :class:`MapMetric`.
    """

    default_prefix = 'localization'

    def __init__(
        self,
        threshold: float = 0.2,
        iou_thr: float = 0.5,
        topk: Sequence[int] = (1,),
        keep: str = 'largest',
        normalize: str = 'max',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not (0 <= threshold < 1 and 0 < iou_thr <= 1):
            raise ValueError(
                f'threshold is {threshold} and iou_thr {iou_thr}; they must '
                'be in [0, 1) and in (0, 1]'
            )
        if not topk or min(topk) < 1:
            raise ValueError(f'topk is {topk}; it must be 1 or more, each')
        self.threshold, self.iou_thr = threshold, iou_thr
        self.topk = tuple(topk)
        self.keep, self.normalize = keep, normalize

    def score(self, sample: dict) -> np.ndarray:
        """Return [1, blank, GT-known hit, class hits, box hits]."""
        cam = self.read_map(sample)
        shape = tuple(sample['ori_shape'][:2])
        boxes = map_to_boxes(
            cam,
            self.threshold,
            self.keep,
            self.normalize,
            shape,
            self.read_cells(sample),
        )
        truth = scale_boxes(self.read_truth(sample, 'gt_bboxes'), shape, shape)
        hit = bool(box_iou_inclusive(boxes, truth).max() >= self.iou_thr)
        place = self.label_place(sample)
        classes = [place < k for k in self.topk]
        both = [hit and right for right in classes]
        return np.array([1, is_blank(cam), hit, *classes, *both], np.int64)

    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the shares of the hits in percent."""
        images, blank, *hits = total.tolist()
        self.log_blank(blank, images)
        names = [f'top{k}_clas' for k in self.topk]
        names += [f'top{k}_loc' for k in self.topk]
        shares = [100 * hit / images for hit in hits]
        return dict(zip(['gt_known_loc', *names], shares, strict=True))
