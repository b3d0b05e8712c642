"""Kinds of occluders and occlusion levels: the vocabulary of the report.

A level is the share of the *object* that is hidden: of its mask if there is
one, else of its box, else of the image. Levels and kinds are those of the
occluded-vehicle sets of CompositionalNets (Kortylewski et al., CVPR 2020).
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

KINDS = ('white', 'noise', 'texture', 'object')
LEVELS = {
    'L0': (0.0, 0.0),
    'L1': (0.2, 0.4),
    'L2': (0.4, 0.6),
    'L3': (0.6, 0.8),
}
CLEAN = 'L0'
HARD_LEVELS = tuple(level for level in LEVELS if level != CLEAN)


class UnreachableLevelError(ValueError):
    """An object has too few pixels for a level."""


class EmptyRegionError(ValueError):
    """An object has no pixel: its mask is empty, or its box is inverted."""


class CutOffError(ValueError):
    """A step of the pipeline cut the whole object off."""


def check_kind(kind: str) -> str:
    """Return ``kind``, or raise ValueError that lists the known kinds."""
    if kind not in KINDS:
        raise ValueError(
            f'unknown occluder kind {kind!r}; choose from {list(KINDS)}'
        )
    return kind


def cell_names(
    kinds: Sequence[str] = KINDS, levels: Sequence[str] = HARD_LEVELS
) -> list[str]:
    """Return the names of a table's cells: ``L0``, ``L1 white``, ..."""
    return [CLEAN, *(f'{lv} {kind}' for lv in levels for kind in kinds)]


def split_cell(cell: str) -> tuple[str, str]:
    """Return the level and the kind of a cell that is not ``L0``.

    Raises:
        ValueError: If there is no such cell.
    """
    level, _, kind = cell.partition(' ')
    if not kind:
        raise ValueError(
            f"unknown cell {cell!r}; give 'L0', or a level and a kind such "
            "as 'L2 texture'"
        )
    level_range(level)
    return level, check_kind(kind)


def list_levels(level: Any) -> list[Any]:
    """Return the levels of an argument that may be just one.

    Two numbers are one level, a pair of shares.
    """
    one = isinstance(level, str | Real)
    pair = not one and len(level) and all(isinstance(x, Real) for x in level)
    return [level] if one or pair else list(level)


def level_range(level: str | float | Sequence[float]) -> tuple[float, float]:
    """Return the hidden share ``(low, high)`` that a level asks for.

    A level is a name of :data:`LEVELS`, a pair of shares, or a single share.

    Raises:
        ValueError: If the name is unknown, or not 0 <= low <= high <= 1.
    """
    if isinstance(level, str):
        if level not in LEVELS:
            raise ValueError(
                f'unknown occlusion level {level!r}; choose from '
                f'{list(LEVELS)}, or give a pair (low, high) of shares'
            )
        return LEVELS[level]
    given: Any = level
    pair = (given, given) if isinstance(given, Real) else tuple(given)
    if len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= 1:
        raise ValueError(
            f'level {level} must be one share in [0, 1], or two shares '
            '0 <= low <= high <= 1'
        )
    return float(pair[0]), float(pair[1])


def pixel_bounds(
    num_pixels: int, shares: tuple[float, float]
) -> tuple[int, int]:
    """Return the fewest and most hidden pixels that a level allows.

    A share is inside when low <= share < high, so that levels do not overlap;
    a pair with high == 1 includes its end. With low == high, it is the whole
    number of pixels that is nearest to the share.

    Raises:
        UnreachableLevelError: If no whole number of pixels lies inside the
            level; only for objects of 0 to 3 pixels, at the named levels.
    """
    low, high = shares
    slack = 1e-9 * num_pixels  # 0.6 * 5 is 3.0000000000000004 or so
    fewest = math.ceil(low * num_pixels - slack)
    if low == high:
        fewest = most = round(low * num_pixels)
    elif high == 1:
        most = math.floor(high * num_pixels + slack)
    else:
        most = math.ceil(high * num_pixels - slack) - 1
    if num_pixels < 1 or most < fewest:
        raise UnreachableLevelError(
            f'an object of {num_pixels} pixels cannot have a share in '
            f'[{low}, {high}) hidden; filter such small objects out'
        )
    return fewest, most
