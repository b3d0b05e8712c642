"""Which objects of a photo become cut-outs, for what, and how."""

import hashlib
from dataclasses import dataclass

import numpy as np

SPLITS = ('train', 'test')


@dataclass(frozen=True)
class CutoutSettings:
    """Which objects become cut-outs.

    Attributes:
        test_share: Share of the photos whose cut-outs are for the test.
        seed: Decides which ones.
        min_side: Least length in pixels of the shorter side.
        min_fill: Least share of its box that an object fills: a thin or
            scattered one hides little.
        max_per_image: Cut-outs from one photo, the largest first; None for
            all of them.
        truncated: Take objects that touch the border of their photo, too.
        categories: Names of the categories to take; None for all.

    Raises:
        ValueError: One of them is out of range.
    """

    test_share: float = 0.5
    seed: int = 0
    min_side: int = 32
    min_fill: float = 0.3
    max_per_image: int | None = 5
    truncated: bool = False
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ('test_share', 'min_fill'):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f'{name} is {share}; it is a share in [0, 1]')
        if self.min_side < 1:
            raise ValueError(f'min_side is {self.min_side}; use 1 or more')
        if self.max_per_image is not None and self.max_per_image < 1:
            raise ValueError(
                f'max_per_image is {self.max_per_image}; use 1 or more'
            )


def split_of(checksum: str, settings: CutoutSettings) -> str:
    """Return whether a photo's cut-outs are for training or for the test.

    It depends on the photo's content and the seed only, so that it is the
    same in every annotation file that the photo is in.

    Args:
        checksum: SHA-256 of the photo's file.
        settings: With ``seed`` and ``test_share``.
    """
    key = hashlib.sha256(f'{settings.seed} {checksum}'.encode()).digest()
    place = int.from_bytes(key[:8], 'big') / 2**64
    return SPLITS[place < settings.test_share]


def cut_out(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an object on a transparent ground, cut to its extent.

    Args:
        image: (H, W, 3) uint8 BGR.
        mask: (H, W), not 0 on the object, which has a pixel.

    Returns:
        (h, w, 4) uint8 BGRA; what is transparent is black.
    """
    rows, cols = np.nonzero(mask)
    window = (
        slice(rows.min(), rows.max() + 1),
        slice(cols.min(), cols.max() + 1),
    )
    alpha = (mask[window] != 0).astype(np.uint8)[..., None]
    return np.concatenate([image[window] * alpha, alpha * 255], axis=-1)


def refusal(
    mask: np.ndarray | None, note: dict, settings: CutoutSettings
) -> str | None:
    """Return why an annotation gives no cut-out, or None if it does.

    Args:
        mask: (H, W) uint8, or None if it has none.
        note: The annotation.
        settings: What to ask of it.
    """
    if note.get('iscrowd'):
        return 'crowd'
    if mask is None or not mask.any():
        return 'no mask'
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
    if min(height, width) < settings.min_side:
        return 'too small'
    if mask.sum(dtype=int) < settings.min_fill * height * width:
        return 'too thin'
    border = (mask[[0, -1]].any(), mask[:, [0, -1]].any())
    if any(border) and not settings.truncated:
        return 'truncated'
    return None
