"""Settings of the digits data set, its splits, and which scene holds what."""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

SPLITS = ('train', 'val', 'test')
_LEAST_SOURCES = 100


@dataclass(frozen=True)
class DigitsSettings:
    """What the data set is a function of.

    Attributes:
        seed: Seed of everything random.
        size: Side of a scene in pixels.
        digits: Digits per scene.
        digit_size: Least and greatest height of a digit's scan in pixels.
        repeat: How often each source digit is used in the train split.
        overlap: Chance that a digit is put on top of an earlier one.
        truncate: Chance that a digit crosses the border.
        limit: Greatest number of source digits, for quick trials; None: all.
        occluders: Textures, and cut-outs, for each of training and test.
        clutter: Pieces of photograph on the canvas, under the digits.
    """

    seed: int = 0
    size: int = 256
    digits: int = 4
    digit_size: tuple[int, int] = (56, 96)
    repeat: int = 2
    overlap: float = 0.17
    truncate: float = 0.08
    limit: int | None = None
    occluders: int = 24
    clutter: int = 0

    def __post_init__(self) -> None:
        low, high = self.digit_size
        if not 16 <= low <= high <= self.size * 3 // 4:
            raise ValueError(
                f'digit_size is {low} to {high} pixels on a canvas of '
                f'{self.size}: it must be ascending, at least 16 and at most '
                'three quarters of the canvas'
            )
        least = min(self.occluders, self.clutter)
        if min(self.digits, self.repeat) < 1 or least < 0:
            raise ValueError(
                'digits and repeat must be 1 or more, clutter and '
                f'occluders 0 or more; got {self.digits}, {self.repeat}, '
                f'{self.clutter} and {self.occluders}'
            )
        if self.limit is not None and self.limit < _LEAST_SOURCES:
            raise ValueError(
                f'limit is {self.limit}; each split needs digits of each '
                f'class, so give {_LEAST_SOURCES} or more'
            )


# One digit in each image, smaller than it and not the only thing there: for
# localization (docs/localization.md).
SINGLE = DigitsSettings(
    size=128, digits=1, digit_size=(32, 72), repeat=4, clutter=3
)


def split_sources(
    labels: np.ndarray, seed: int, shares: tuple[float, float] = (0.6, 0.1)
) -> dict[str, np.ndarray]:
    """Part the source digits into train, val and test, class by class.

    Args:
        labels: Class of each source digit.
        seed: Seed of the draw.
        shares: Shares of train and val; the rest is the test split.

    Returns:
        Sorted indices per split; together each index once.
    """
    rng = np.random.default_rng((seed, len(SPLITS)))
    parts = {split: [] for split in SPLITS}
    for label in np.unique(labels):
        indices = rng.permutation(np.flatnonzero(labels == label))
        ends = np.cumsum(np.rint(np.multiply(shares, len(indices))))
        pieces = np.split(indices, ends.astype(int))
        for split, piece in zip(SPLITS, pieces, strict=True):
            parts[split].append(piece)
    return {s: np.sort(np.concatenate(p)) for s, p in parts.items()}


def plan_scenes(settings: DigitsSettings) -> list[tuple[str, np.ndarray]]:
    """Return (image id, source indices) of every scene, split by split."""
    labels = load_digits().target[: settings.limit]
    scenes = []
    for number, (split, sources) in enumerate(
        split_sources(labels, settings.seed).items()
    ):
        rng = np.random.default_rng((settings.seed, number))
        passes = settings.repeat if split == 'train' else 1
        order = [rng.permutation(sources) for _ in range(passes)]
        order = np.concatenate(order)
        for start in range(0, len(order), settings.digits):
            img_id = f'{split}_{start // settings.digits + 1:05d}'
            scenes.append((img_id, order[start : start + settings.digits]))
    return scenes
