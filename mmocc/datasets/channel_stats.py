"""Mean and standard deviation of a data set's pixels, image by image."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from mmengine.config import ConfigDict

from mmocc.utils.config_types import class_name
from mmocc.utils.hiding_steps import without_hiding


@dataclass
class ChannelStats:
    """Statistics of any number of pixels.

    Attributes:
        count: Number of pixels.
        mean: (channels,) float64.
        squares: (channels,) float64, sum of squared distances to the mean.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> ChannelStats:
        """Return the statistics of an image (H, W) or (H, W, C)."""
        channels = image.shape[2] if image.ndim == 3 else 1
        pixels = image.reshape(-1, channels).astype(np.float64)
        mean = pixels.mean(axis=0)
        return cls(len(pixels), mean, ((pixels - mean) ** 2).sum(axis=0))

    def __add__(self, other: ChannelStats) -> ChannelStats:
        """Return the statistics of both sets of pixels together.

        Chan, Golub and LeVeque, "Algorithms for Computing the Sample
        Variance", 1983, without a difference of large sums (it loses digits).

        Raises:
            ValueError: If the numbers of channels differ.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                f'images of {len(self.mean)} and of {len(other.mean)} '
                'channels; load all with one color_type (LoadImageFromFile)'
            )
        count = self.count + other.count
        apart = other.mean - self.mean
        share = other.count / count
        return ChannelStats(
            count,
            self.mean + apart * share,
            self.squares + other.squares + apart**2 * self.count * share,
        )

    @property
    def std(self) -> np.ndarray:
        """The (channels,) standard deviation."""
        return np.sqrt(self.squares / self.count)


def cut_pipelines(dataset: dict) -> tuple[ConfigDict, list[str]]:
    """Return a data set's config for images neither packed nor hidden.

    Every pipeline in it, also of wrapped data sets, ends before its packing
    step, and loses the steps that hide parts of an image, also those inside
    wrappers (``RandomApply``, ``RandomChoice``, ...).

    Args:
        dataset: Config of a data set; not changed.

    Returns:
        The new config, and the types of the removed hiding steps.
    """
    dataset = ConfigDict(copy.deepcopy(dict(dataset)))
    left_out: list = []

    def cut(node: dict) -> None:
        if 'pipeline' in node:
            node['pipeline'] = _cut_pipeline(node['pipeline'], left_out)
        for inner in (node.get('dataset'), *node.get('datasets', ())):
            if inner:
                cut(inner)

    cut(dataset)
    return dataset, left_out


def _cut_pipeline(steps: list[dict], left_out: list[str]) -> list[dict]:
    """Return the steps before packing that do not hide."""
    names = [class_name(step['type']) for step in steps]
    packs = [n for n, name in enumerate(names) if name.startswith('Pack')]
    return without_hiding(steps[: packs[0] if packs else None], left_out)
