"""Accuracy by occlusion cell, inside the validation of a training run."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmocc.registry import METRICS
from mmocc.report.statistics import cell_means


@METRICS.register_module()
class OcclusionAccuracy(BaseMetric):
    """Top-1 accuracy in each cell of a ``mmocc.OcclusionCells`` data set.

    Gives ``occlusion/L0``, ``occlusion/L2_white``, ..., and ``mean`` over all
    cells, a mean for each level, and ``L1-L3`` over the occluded cells; all in
    percent. The CheckpointHook's ``save_best='occlusion/mean',
    rule='greater'`` keeps the model that holds up best.

    Args:
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: What the names begin with.
    """

    default_prefix = 'occlusion'

    def __init__(
        self, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the cell and the hit of each sample.

        Raises:
            ValueError: If a sample does not say its cell.
        """
        for sample in data_samples:
            if 'occlusion_cell' not in sample:
                raise ValueError(
                    'mmocc.OcclusionAccuracy needs samples of '
                    'mmocc.OcclusionCells; wrap the dataset of the dataloader '
                    "in dict(type='mmocc.OcclusionCells', dataset=...)"
                )
            hit = int(sample['pred_score'].argmax()) == int(sample['gt_label'])
            self.results.append((sample['occlusion_cell'], hit))

    def compute_metrics(self, results: list[tuple[str, bool]]) -> dict:
        """Return accuracies in percent by cell, and their means."""
        hits = {}
        for cell, hit in results:
            hits.setdefault(cell, []).append(hit)
        accuracy = {cell: 100 * float(np.mean(h)) for cell, h in hits.items()}
        means = cell_means(accuracy)
        return {k.replace(' ', '_'): v for k, v in (accuracy | means).items()}
