"""The cells of a table as the test set and the metric of a training run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from torch.utils.data import Dataset

from mmocc.occlusion import CLEAN
from mmocc.registry import DATASETS, METRICS
from mmocc.report.cells import make_occlude, occlude_dataset, share_bank
from mmocc.report.statistics import cell_means


@DATASETS.register_module()
class OcclusionCells(Dataset):
    """A test set in several cells of the occlusion table, one after another.

    For ``val_dataloader`` or ``test_dataloader``, with the metric
    ``mmocc.OcclusionAccuracy``. An occlusion depends on (seed, image, kind,
    level) only.

    Args:
        dataset: Config of the data set, or a built one, whose pipeline ends
            in a ``Pack...`` transform.
        cells: Names as in :func:`mmocc.occlusion.cell_names`.
        seed: Base seed of the occlusions.
        **occlude_args: ``texture_bank``, ``object_bank``, ``texture_size``,
            ``region`` and ``channel_order`` of ``mmocc.Occlude``.

    Raises:
        ValueError: If a cell is unknown or none is given, a bank is missing,
            or the pipeline has no place for an occlusion.
    """

    def __init__(
        self,
        dataset: Any,
        cells: Sequence[str] = (CLEAN, 'L2 white'),
        seed: int = 0,
        **occlude_args: Any,
    ) -> None:
        if not cells or isinstance(cells, str):
            raise ValueError(
                f"cells must be a list such as ['L0', 'L2 white'], got "
                f'{cells!r}'
            )
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        self.cells = list(cells)
        shared = share_bank(self.cells, seed=seed, **occlude_args)
        self.parts = [
            occlude_dataset(dataset, make_occlude(cell, **shared), cell)
            for cell in self.cells
        ]

    @property
    def metainfo(self) -> dict:
        """Meta information of the data set."""
        return self.parts[0].metainfo

    def full_init(self) -> None:
        """Do nothing: the data set is read at construction."""

    def __len__(self) -> int:
        """Return the number of images times the number of cells."""
        return len(self.cells) * len(self.parts[0])

    def __getitem__(self, index: int) -> dict:
        """Return a packed sample, with ``occlusion_cell`` as metainfo."""
        part, place = divmod(index, len(self.parts[0]))
        return self.parts[part][place]


@METRICS.register_module()
class OcclusionAccuracy(BaseMetric):
    """Top-1 accuracy in each cell of a ``mmocc.OcclusionCells`` data set.

    Gives, in percent, ``occlusion/L0``, ``occlusion/L2_white``, ..., ``mean``
    over all cells, a mean for each level, and ``L1-L3`` over the occluded
    cells. The CheckpointHook's ``save_best='occlusion/mean', rule='greater'``
    keeps the model that is best under occlusion. Arguments are BaseMetric's.
    """

    default_prefix = 'occlusion'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the cell, which must be there, and the hit of each sample."""
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
        hits: dict[str, list[bool]] = {}
        for cell, hit in results:
            hits.setdefault(cell, []).append(hit)
        accuracy = {cell: 100 * float(np.mean(h)) for cell, h in hits.items()}
        means = cell_means(accuracy)
        return {k.replace(' ', '_'): v for k, v in (accuracy | means).items()}
