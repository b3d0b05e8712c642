"""What the app hides, and where."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from mmocc.app.photos import Pixels
from mmocc.occlusion import (
    KINDS,
    OccluderBank,
    check_kind,
    occlude_object,
)
from mmocc.transforms import HideAndSeek

BANK = 'builtin:test'  # other things than LEARN is trained with
# Shares of the photo's width and height; None is drawn.
PLACES = {
    'anywhere': None,
    'middle': (0.5, 0.5),
    'top left': (0.15, 0.15),
    'top right': (0.85, 0.15),
    'bottom left': (0.15, 0.85),
    'bottom right': (0.85, 0.85),
}
LARGEST = 0.9  # share that can be hidden


@cache
def bank(side: int) -> OccluderBank:
    """Return occluders of all kinds for photos of a side in pixels."""
    return OccluderBank(KINDS, BANK, BANK, texture_size=side)


def occluded(
    photo: Pixels,
    kind: str,
    share: float,
    place: str = 'anywhere',
    seed: int = 0,
) -> tuple[Pixels, float]:
    """Return a photo of which a share is hidden, and that share, exactly.

    With one seed and place, all kinds are put on the same point, and more is
    hidden around it as the share grows.

    Args:
        photo: (H, W, 3) uint8 RGB; not changed.
        kind: One of ``KINDS``.
        share: Of the photo's pixels, 0 to 0.9.
        place: One of ``PLACES``.
        seed: Of all that is random.

    Raises:
        ValueError: If one of them is not known, or out of range.
    """
    check_kind(kind)
    if place not in PLACES:
        raise ValueError(f'unknown place {place!r}; choose from {[*PLACES]}')
    if not 0 <= share <= LARGEST:
        raise ValueError(f'share must be in [0, {LARGEST}], got {share}')
    size = photo.shape[:2]
    bgr = torch.from_numpy(photo[..., ::-1].transpose(2, 0, 1).copy())
    hidden, mask = occlude_object(
        bgr,
        torch.ones(size, dtype=torch.bool),
        kind,
        (share, share),
        bank(max(size)),
        torch.Generator().manual_seed(seed),
        PLACES[place],
    )
    rgb = hidden.flip(0).permute(1, 2, 0).contiguous().numpy()
    return rgb, float(mask.float().mean())


def hide_and_seek(
    photo: Pixels, cells: int = 4, prob: float = 0.5, seed: int = 0
) -> tuple[Pixels, float]:
    """Return what Hide-and-Seek leaves of a photo, and the hidden share.

    Args:
        photo: (H, W, 3) uint8 RGB; not changed.
        cells: Of the grid, along the longer side.
        prob: Probability that a cell is hidden.
        seed: Of the draw; the photo's pixels count, too.
    """
    side = -(-max(photo.shape[:2]) // cells)
    hide = HideAndSeek(side, prob, keep_mask=True, seed=seed)
    sample = hide(image=photo)
    mask: NDArray[np.uint8] = sample['occlusion_mask']
    return sample['image'], float(mask.mean())
