"""Tokens of a network's maps, and what weakens them: pure functions.

N faces, L patches in a grid (gh, gw), T tokens of k numbers: first the
patches, then the cells of maps that are coarser than the grid. Not in
Latent-OFER: docs/results/ofer_features.md found it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmocc.models.patch_features import as_rows, patch_grid


def split_maps(
    maps: Sequence[Tensor], grid: tuple[int, int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the maps (N, C, h, w) at least as fine as a grid, and others.

    Raises:
        ValueError: If no map is as fine as the grid, or the sides of the grid
            are no multiples of a coarser map's.
    """
    near: list[Tensor] = []
    far: list[Tensor] = []
    for level in maps:
        h, w = level.shape[-2:]
        kind = near if h >= grid[0] and w >= grid[1] else far
        kind.append(level)
    wrong = any(
        side % own
        for level in far
        for side, own in zip(grid, level.shape[-2:], strict=True)
    )
    if not near or wrong:
        sizes = [tuple(level.shape[-2:]) for level in maps]
        raise ValueError(
            f'maps of {sizes} cells for a grid of {tuple(grid)} patches: one '
            'must be at least as fine as the grid, and the grid a multiple of '
            "each coarser one; change grid, size or the backbone's out_indices"
        )
    return near, far


def token_features(
    maps: Sequence[Tensor], grid: tuple[int, int]
) -> list[Tensor]:
    """Return the features of patches (N, L, C), then of each coarser map.

    A patch has the means of all maps at least as fine as the grid, and the
    four cells of each map that is twice as fine. A coarser map (N, C, h, w)
    gives (N, h * w, C). ValueError as in :func:`split_maps`.
    """
    near, far = split_maps(maps, grid)
    twice = tuple(2 * side for side in grid)
    parts = [patch_grid(near, kernel=1, size=grid)]
    parts += [
        F.pixel_unshuffle(level.float(), 2)
        for level in near
        if tuple(level.shape[-2:]) == twice
    ]
    return [as_rows(torch.cat(parts, 1)), *(as_rows(m.float()) for m in far)]


class FeatureSums(NamedTuple):
    """Sums over N faces, in float64; they add up."""

    count: Tensor  # () N
    first: Tensor  # (L, C) of the features of each place
    second: Tensor  # (C, C) of their products, over all places

    def __add__(self, other: 'FeatureSums') -> 'FeatureSums':  # type: ignore[override]
        """Return the sums of both."""
        return FeatureSums(*(a + b for a, b in zip(self, other, strict=True)))


def feature_sums(rows: Tensor) -> FeatureSums:
    """Return the sums of features (N, L, C)."""
    rows = rows.double()
    flat = rows.flatten(0, 1)
    count = torch.tensor(len(rows), dtype=rows.dtype, device=rows.device)
    return FeatureSums(count, rows.sum(0), flat.T @ flat)


def principal_axes(sums: FeatureSums, dims: int) -> tuple[Tensor, Tensor]:
    """Return means (L, C) and a matrix (C, dims), float32.

    The matrix takes features less their place's mean to the principal
    components with the largest variance, each channel in units of its
    standard deviation over all places and faces; the sum of their squares is
    ``dims`` on average if they hold all variance.

    Raises:
        ValueError: If there are not so many channels, or no face.
    """
    places, channels = sums.first.shape
    if not 1 <= dims <= channels:
        raise ValueError(
            f'dims={dims}: choose from 1 to {channels}, the channels of a map'
        )
    if sums.count < 1:
        raise ValueError('principal axes need at least one face')
    mean = sums.first / sums.count
    total = places * sums.count
    scatter = sums.second - sums.count * mean.T @ mean
    variance = scatter.diagonal() / (total - 1).clamp_min(1)
    scale = variance.clamp_min(0).sqrt().clamp_min(1e-6)
    alike = scatter / total / scale / scale[:, None]
    axes = torch.linalg.eigh(alike)[1][:, -dims:]
    matrix = axes / scale[:, None] / (channels / dims) ** 0.5
    return mean.float(), matrix.float()


class FeatureTokens(nn.Module):
    """Principal components of the features of each place: no gradient.

    A token of zeros is its place's mean. Checkpoints hold means and axes.

    Args:
        shapes: (L, C) of the patches, then of each coarser map.
        dims: Numbers of a token.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], dims: int) -> None:
        super().__init__()
        self.shapes, self.dims = [tuple(shape) for shape in shapes], dims
        for kind, (places, channels) in enumerate(self.shapes):
            self.register_buffer(f'mean{kind}', torch.zeros(places, channels))
            # Zeros: not fitted.
            self.register_buffer(f'axes{kind}', torch.zeros(channels, dims))

    @property
    def fitted(self) -> bool:
        """Whether means and axes are known."""
        return bool(self.axes0.any())

    def fit(self, sums: Sequence[FeatureSums]) -> None:
        """Take means and axes from the sums of each kind."""
        for kind, part in enumerate(sums):
            mean, axes = principal_axes(part, self.dims)
            getattr(self, f'mean{kind}').copy_(mean)
            getattr(self, f'axes{kind}').copy_(axes)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return tokens (N, T, dims) of the features of each kind.

        Raises:
            ValueError: If they are of other shapes.
        """
        found = [tuple(rows.shape[1:]) for rows in features]
        if found != self.shapes:
            raise ValueError(
                f'features of {found} (places, channels), tokens were fitted '
                f'to {self.shapes}: give faces of one size'
            )
        parts = [
            (rows.float() - getattr(self, f'mean{kind}'))
            @ getattr(self, f'axes{kind}')
            for kind, rows in enumerate(features)
        ]
        return torch.cat(parts, 1)


def excess(distances: Tensor, radius: Tensor | float) -> Tensor:
    """Return by how much distances exceed the radius, as a share of it.

    From -1 (no distance, or an infinite radius) to 2, where it is cut off;
    above 0 the detector calls a patch occluded.
    """
    return (distances.float() / radius - 1).clamp(-1, 2)


def with_cells(
    values: Tensor, grid: tuple[int, int], coarser: Sequence[tuple[int, int]]
) -> Tensor:
    """Return values of patches (N, L), then their means in coarser cells.

    Args:
        values: (N, L).
        grid: (gh, gw) of the patches.
        coarser: (h, w) of each coarser map.

    Returns:
        (N, T) float32.
    """
    maps = values.float().view(-1, 1, *grid)
    cells = [F.adaptive_avg_pool2d(maps, size).flatten(1) for size in coarser]
    return torch.cat([values.float(), *cells], 1)


def weaken(tokens: Tensor, told: Tensor, slope: float = 8.0) -> Tensor:
    """Return tokens multiplied by 1 / (1 + exp(slope * told)).

    At the radius half of a token is left, and far inside it nearly all: with
    a slope of 8, 0.9997 where nothing differs from what is normal.

    Args:
        tokens: (N, T, k).
        told: (N, T), of :func:`excess`.
        slope: How sharp the change at the radius is, positive.
    """
    return tokens * (-slope * told).sigmoid()[..., None]
