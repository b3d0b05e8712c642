"""Pile cut-outs on each image of a batch until a share of it is hidden.

The quick form of the pile of ``mmocc.Occlude``: of a whole batch, on a sample
of its pixels. One cut-out that is scaled up until it hides most of an image is
a smear that looks like no object; several of about the image's size, one
behind the other, do not.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mmocc.occlusion.levels import HARD_LEVELS, LEVELS
from mmocc.occlusion.occlude import LARGEST_CUTOUT
from mmocc.occlusion.occluders import (
    Occluders,
    covers,
    fit_scale,
    inner_coords,
    pixel_grid,
)

SIDE = 24  # an image is sampled by 24 x 24 points to size a cut-out
HALVINGS = 8  # of the sizes that a cut-out may have
LAST = 4.0  # largest scale of the last one, as a share of the longer side
SMALLEST = 1 / 32  # of a cut-out's largest scale
# What each cut-out may hide at most, those before it included: a level each.
STEPS = [sum(LEVELS[level]) / 2 for level in HARD_LEVELS]


class Layer(NamedTuple):
    """An occluder on some of N images."""

    rows: Tensor  # (n,) which of the images
    occluders: Occluders  # n
    pixel: Tensor  # (n, 2) where each is put
    scale: Tensor  # (n,) in pixels

    def take(self, part: slice) -> 'Layer':
        """Return it on a part of its images."""
        rows, occluders, pixel, scale = self
        return Layer(
            rows[part], occluders.take(part), pixel[part], scale[part]
        )

    def to(self, device: torch.device) -> 'Layer':
        """Return the same layer on another device."""
        rows, occluders, pixel, scale = self
        return Layer(
            rows.to(device),
            occluders.to(device),
            pixel.to(device),
            scale.to(device),
        )


def pile_cutouts(
    sheets: Tensor,
    occluders: Occluders,
    pixel: Tensor,
    share: Tensor,
    size: tuple[int, int],
) -> list[Layer]:
    """Choose how many cut-outs each of N images gets, and their sizes.

    Each cut-out is scaled until it hides, with those before it, the share or
    the middle of the next level (30, 50, 70 %), and no larger than about the
    image. The last one that an image may get may be larger.

    Args:
        sheets: (T, C, S, S) uint8; the last channel is alpha. On the CPU, as
            all arguments.
        occluders: K * N cut-outs: first the first of all images.
        pixel: (K * N, 2) where each is put.
        share: (N,) of each image, in [0, 1].
        size: (h, w) of the images.

    Returns:
        At most K layers. The first is in front of the others.
    """
    num, depth = len(share), len(pixel) // len(share)
    points = pixel_grid((SIDE, SIDE), share.device).flatten(0, 1)[None]
    points = points * points.new_tensor(size[::-1]) / SIDE
    hidden = torch.zeros(num, SIDE**2, dtype=torch.bool)
    steps = [*STEPS, *[1.0] * depth]
    layers: list[Layer] = []
    for number in range(depth):
        rows = (hidden.float().mean(dim=1) < share).nonzero()[:, 0]
        if not len(rows):
            break
        index = number * num + rows
        one, place = occluders.take(index), pixel[index]
        largest = LAST if number == depth - 1 else LARGEST_CUTOUT
        largest = largest * max(size)
        alpha = sheets[one.sheet, -1]
        scale = fit_scale(
            points,
            one,
            place,
            share[rows].clamp(max=steps[number]),
            max_scale=largest,
            min_scale=largest * SMALLEST,
            alpha=alpha,
            hidden=hidden[rows],
            halvings=HALVINGS,
        )
        hidden[rows] |= covers(inner_coords(points, one, place, scale), alpha)
        layers.append(Layer(rows, one, place, scale))
    return layers
