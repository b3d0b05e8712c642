"""Choose, of several cut-outs, one that can hide a wanted share of an image.

A silhouette has holes and arms: at no size may it hide, from where it is put,
as much as is wanted. Another one, or another point of it, may.
"""

import torch
from torch import Tensor

from mmocc.occlusion.banks import OPAQUE
from mmocc.occlusion.occluders import Occluders, inner_coords, pixel_grid

SIZES = 6  # that each candidate is tried at
COARSE = 12  # the image is sampled by 12 x 12 points to choose a candidate,
FINE = 24  # and by 24 x 24 points to size it
REFINEMENTS = 6
LARGEST = 4.0  # scale, as a share of the image's longer side


def choose_cutouts(
    sheets: Tensor,
    occluders: Occluders,
    pixel: Tensor,
    share: Tensor,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Choose a cut-out for each of N images, and its size.

    It is the first candidate that hides the share at one of a few sizes, or
    the one that comes closest to it.

    Args:
        sheets: (T, C, S, S) uint8, contiguous; the last channel is alpha.
        occluders: K * N cut-outs: first the first candidates of all images.
        pixel: (N, 2) where each image's is put.
        share: (N,) of the image, in [0, 1].
        size: (h, w) of the images.

    Returns:
        (N,) index of the chosen occluders, and (N,) their scales in pixels.
    """
    num = len(share)
    rows = torch.arange(num, device=share.device)
    # A full square of this size, not cut off, hides just the share.
    smallest = (share * size[0] * size[1]).sqrt() / 2
    step = (LARGEST * max(size) / smallest) ** (1 / SIZES)
    tries = len(occluders.sheet) // num
    points = _points(COARSE, size, share.device)
    many = pixel.repeat(tries, 1)
    shares = torch.stack(
        [
            hidden_share(sheets, points, occluders, many, scale.repeat(tries))
            for scale in (smallest * step**i for i in range(1, SIZES + 1))
        ]
    ).view(SIZES, tries, num)
    most, enough = shares.amax(dim=0), shares >= share
    # The first that reaches it; argmax gives the first of equal ones.
    chosen = most.minimum(share).argmax(dim=0)
    enough = enough[:, chosen, rows]
    place = torch.where(
        enough.any(dim=0),
        enough.int().argmax(dim=0),
        shares[:, chosen, rows].argmax(dim=0),
    )
    index = chosen * num + rows
    one = Occluders(*(field[index] for field in occluders))
    points = _points(FINE, size, share.device)
    low, high = smallest * step**place, smallest * step ** (place + 1)
    for _ in range(REFINEMENTS):
        middle = (low * high).sqrt()
        hidden = hidden_share(sheets, points, one, pixel, middle)
        high = torch.where(hidden >= share, middle, high)
        low = torch.where(hidden >= share, low, middle)
    return index, high


def hidden_share(
    sheets: Tensor,
    points: Tensor,
    occluders: Occluders,
    pixel: Tensor,
    scale: Tensor,
) -> Tensor:
    """Return the share of the points that each of N cut-outs hides, (N,).

    ``sheets`` are as in :func:`choose_cutouts`, ``points`` (P, 2) pixels;
    ``pixel`` (N, 2) and ``scale`` (N,) say where each is put.
    """
    inner = inner_coords(points[None], occluders, pixel, scale)
    inside = (inner.abs() <= 1).all(dim=-1)
    channels, side = sheets.shape[1], sheets.shape[-1]
    cell = ((inner + 1) * (side / 2)).long().clamp_(0, side - 1)
    row = (occluders.sheet * channels + channels - 1)[:, None] * side
    place = (row + cell[..., 1]) * side + cell[..., 0]
    # a copy of the silhouettes alone would be one of the whole bank
    opaque = sheets.view(-1).take(place) >= OPAQUE
    return (inside & opaque).float().mean(dim=1)


def _points(side: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Return side * side points (x, y) spread evenly over an (h, w) image."""
    grid = pixel_grid((side, side), device).flatten(0, 1)
    return grid * grid.new_tensor(size[::-1]) / side
