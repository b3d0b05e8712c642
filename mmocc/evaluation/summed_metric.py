"""A metric that is a function of sums, in constant memory."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmocc.utils.cell_grid import CellGrid, check_align


class SummedMetric(BaseMetric):
    """Adds up one integer array per sample, and stores none of them.

    mmengine's metrics store a result per sample, so that its collection can
    leave out those that fill up the last batch of several processes. Here
    each process adds up its own samples and only the sums are collected:
    mmengine's sampler deals sample i to process i modulo their number, and
    gives each at most one to fill up, its last.

    Subclasses give :meth:`score` and :meth:`summarize`.

    Args:
        *args: ``collect_device`` and ``prefix``, as in mmengine.
        **kwargs: Likewise.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clear()

    def _clear(self) -> None:
        """Forget all samples."""
        self._sum = None
        self._last = None  # not yet added: it may be there to fill up
        self._count = 0

    @abstractmethod
    def score(self, sample: dict) -> np.ndarray:
        """Return the int64 array of one sample, of the same shape for all."""

    @abstractmethod
    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the metrics of the sum over all samples."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add up a batch."""
        for sample in data_samples:
            score = self.score(sample)
            self._add_last()
            self._last = score
            self._count += 1

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the metrics over a data set of ``size``, and start again.

        Raises:
            RuntimeError: If a process got more than its share and one.
        """
        share = len(range(get_rank(), size, get_world_size()))
        if self._count > share + 1:
            raise RuntimeError(
                f'{type(self).__name__} got {self._count} samples in a '
                f'process whose share of the {size} is {share}; use a sampler '
                "that deals them as mmengine's DefaultSampler"
            )
        if self._count <= share:
            self._add_last()
        self.results = [self._sum]
        self._clear()
        return super().evaluate(get_world_size())

    def compute_metrics(
        self, results: list[np.ndarray | None]
    ) -> dict[str, float]:
        """Return the metrics of the sums of all processes.

        Raises:
            ValueError: If no process got a sample.
        """
        sums = [result for result in results if result is not None]
        if not sums:
            raise ValueError(f'{type(self).__name__} got no sample')
        return self.summarize(np.sum(sums, axis=0))

    def _add_last(self) -> None:
        """Add the sample that was held back."""
        if self._last is not None:
            total = 0 if self._sum is None else self._sum
            self._sum = total + self._last
        self._last = None


class MapMetric(SummedMetric):
    """A summed metric that compares class maps with boxes or masks.

    Args:
        map_field: Field of the data sample with the map of the true class.
        align: Where a map's cells lie. ``grid``: they cover the image evenly,
            as in clovaai/wsolevaluation and the papers that use it.
            ``receptive_field``: each at the centre of what it sees, by the
            sample's ``map_cells``, which ``mmocc.MapCellsHook`` provides; the
            prefix of the results then ends with ``_aligned``.
        **kwargs: As in :class:`SummedMetric`.
    """

    def __init__(
        self, map_field: str = 'gt_cam', align: str = 'grid', **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.map_field, self.align = map_field, check_align(align)
        if align != 'grid' and kwargs.get('prefix') is None:
            self.prefix = f'{self.default_prefix}_aligned'

    def read_map(self, sample: dict) -> np.ndarray:
        """Return the class map of a data sample as float64 (h, w).

        Raises:
            ValueError: If the sample has no such field.
        """
        cam = sample.get(self.map_field)
        if cam is None:
            raise ValueError(
                f'mmocc.{type(self).__name__} needs the map '
                f'{self.map_field!r} in each data sample; use '
                "head=dict(type='mmocc.CAMHead', ...), or name another field"
            )
        if isinstance(cam, torch.Tensor):
            cam = cam.detach().cpu().numpy()
        return np.asarray(cam, np.float64)

    def read_cells(self, sample: dict) -> CellGrid | None:
        """Return where a sample's cells lie; None for the even grid.

        Raises:
            ValueError: If they are to be aligned, but the sample lacks them.
        """
        if self.align == 'grid':
            return None
        cells = sample.get('map_cells')
        if cells is None:
            raise ValueError(
                f"mmocc.{type(self).__name__}(align='receptive_field') needs "
                "'map_cells' in each data sample; add "
                "dict(type='mmocc.MapCellsHook') to custom_hooks, and use a "
                "mmocc.CAMHead, or align='grid'"
            )
        return CellGrid(*cells)

    def read_truth(self, sample: dict, field: str) -> np.ndarray | list:
        """Return the boxes or masks of a data sample.

        Raises:
            ValueError: If it has none.
        """
        truth = sample.get(field)
        if truth is None or not len(truth):
            raise ValueError(
                f'mmocc.{type(self).__name__} needs {field!r} in each data '
                f'sample, but {sample.get("img_path", "one")} has none; use a '
                "dict(type='mmocc.WSOLDataset', with_boxes=True, ...) whose "
                'annotations hold it'
            )
        return truth

    def label_place(self, sample: dict) -> int:
        """Return the place of the true class in the ranking, from 0."""
        scores = torch.as_tensor(sample['pred_score'])
        ranking = scores.argsort(descending=True, stable=True).tolist()
        return ranking.index(int(sample['gt_label']))

    def log_blank(self, blank: int, images: int) -> None:
        """Log how many maps are blank, if there are any."""
        if blank:
            print_log(
                f'{type(self).__name__}: {blank} of {images} maps are blank '
                '(NaN, or all one value)',
                logger='current',
            )
