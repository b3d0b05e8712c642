"""A metric that is a function of sums, in constant memory."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric


class SummedMetric(BaseMetric):
    """Adds up one integer array per sample, and keeps none of them.

    mmengine's metrics keep a result per sample, for its collection to leave
    out those that fill up the last batch of several processes. Here each
    process adds up what is its own and only the sums are collected: mmengine's
    sampler deals sample i to process i modulo their number, and gives each at
    most one to fill up, its last.

    Subclasses give :meth:`score` and :meth:`summarize`.

    Args:
        collect_device: ``cpu`` or ``gpu``, for sums of several processes.
        prefix: What the names begin with.
    """

    def __init__(
        self, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._clear()

    def _clear(self) -> None:
        """Forget all samples."""
        self._sum = None
        self._last = None  # not yet added: it may be there to fill up
        self._seen = 0

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
            self._seen += 1

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the metrics over the data set; afterwards, begin anew.

        Args:
            size: Number of samples of the data set.

        Raises:
            RuntimeError: If a process has seen more than its share and one.
        """
        share = len(range(get_rank(), size, get_world_size()))
        if self._seen > share + 1:
            raise RuntimeError(
                f'{type(self).__name__} got {self._seen} samples in a process '
                f'whose share of the {size} is {share}; use a sampler that '
                "deals them as mmengine's DefaultSampler"
            )
        if self._seen <= share:
            self._add_last()
        self.results = [self._sum]
        self._clear()
        return super().evaluate(get_world_size())

    def compute_metrics(
        self, results: list[np.ndarray | None]
    ) -> dict[str, float]:
        """Return the metrics of the sums of all processes.

        Raises:
            ValueError: If no process has seen a sample.
        """
        sums = [result for result in results if result is not None]
        if not sums:
            raise ValueError(f'{type(self).__name__} got no sample')
        return self.summarize(np.sum(sums, axis=0))

    def _add_last(self) -> None:
        """Add the sample that was held back."""
        if self._last is not None:
            self._sum = (
                self._last if self._sum is None else self._sum + self._last
            )
        self._last = None


def take_map(sample: dict, field: str, metric: str) -> np.ndarray:
    """Return a class map of a data sample as float64 (h, w).

    Raises:
        ValueError: If the sample has no such field.
    """
    if sample.get(field) is None:
        raise ValueError(
            f'mmocc.{metric} needs the map {field!r} in each data sample; use '
            "head=dict(type='mmocc.CAMHead', ...), or name another field"
        )
    cam = sample[field]
    if isinstance(cam, torch.Tensor):
        cam = cam.detach().cpu().numpy()
    return np.asarray(cam, np.float64)


def take_truth(sample: dict, field: str, metric: str) -> np.ndarray | list:
    """Return what a data sample says of the place of its object.

    Raises:
        ValueError: If it says nothing.
    """
    truth = sample.get(field)
    if truth is None or not len(truth):
        raise ValueError(
            f'mmocc.{metric} needs {field!r} in each data sample, but '
            f'{sample.get("img_path", "one")} has none; use a '
            "dict(type='mmocc.WSOLDataset', with_boxes=True, ...) whose "
            'annotations hold it'
        )
    return truth
