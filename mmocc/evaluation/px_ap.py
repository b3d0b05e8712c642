"""PxAP: average precision over the pixels of all images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.evaluation.localization import enlarge_map
from mmocc.evaluation.pixel_precision import (
    pixel_average_precision,
    read_mask,
    score_histograms,
)
from mmocc.evaluation.summed_metric import MapMetric
from mmocc.registry import METRICS
from mmocc.utils.cell_grid import CellGrid


@METRICS.register_module()
class PxAP(MapMetric):
    """Average precision of a map's pixels against masks, in percent.

    From Choe et al., "Evaluating Weakly Supervised Object Localization
    Methods Right" (CVPR 2020), section 4.1, for OpenImages30k: the pixels of
    all images are pooled, without ignored ones. It holds two histograms,
    whatever the number of images. A blank map (NaN, or all one value) scores
    0 everywhere.

    Args:
        interval: Step between the thresholds 0, interval, ... below 1.
        eval_size: (h, w) of the grid that maps and masks are brought to.
        **kwargs: As in :class:`MapMetric`.
    """

    default_prefix = 'px_ap'

    def __init__(
        self,
        interval: float = 0.001,
        eval_size: tuple[int, int] = (224, 224),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < interval < 1:
            raise ValueError(f'interval is {interval}; it must be in (0, 1)')
        self.thresholds = np.arange(0, 1, interval)
        self.eval_size = tuple(eval_size)

    def score(self, sample: dict) -> np.ndarray:
        """Return the two histograms of a map."""
        cam = self.read_map(sample)
        masks = self.read_truth(sample, 'gt_mask_paths')
        ignore = sample.get('ignore_mask_path')
        return self.score_map(cam, masks, ignore, self.read_cells(sample))

    def score_map(
        self,
        cam: np.ndarray,
        mask_paths: Sequence[str | Path],
        ignore_path: str | Path | None,
        cells: CellGrid | None = None,
    ) -> np.ndarray:
        """Return the histograms of a map (h, w); see :func:`read_mask`."""
        cam = enlarge_map(cam, self.eval_size, 'minmax', cells)
        mask = read_mask(mask_paths, ignore_path, self.eval_size)
        return score_histograms(cam, mask, self.thresholds)

    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the average precision."""
        return {'px_ap': pixel_average_precision(total)}
