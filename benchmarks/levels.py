"""Level exactness: how many random draws have a hidden share in the level.

Run by ``python -m benchmarks.occlude --levels N``. A draw is an image size
(16 to 512 pixels, log-uniform), an object (the whole image, a box, or a mask:
a disc, a ring or scattered pixels; from one pixel to all of the image), a kind
and a level. ``mmocc.Occlude`` occludes it, and the share is counted from the
mask in whole numbers. Objects that are too small for a level, since no whole
number of their pixels is inside it, are counted by their number of pixels.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import numpy as np

from mmocc.datasets.transforms import Occlude
from mmocc.occlusion import (
    KINDS,
    EmptyRegionError,
    UnreachableLevelError,
)

# In per cent: 0.2 as a float is not 1/5, and a bound must be exact here.
BOUNDS = {'L1': (20, 40), 'L2': (40, 60), 'L3': (60, 80)}
SHAPES = ('image', 'box', 'disc', 'ring', 'scattered')


def draw_object(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[str, np.ndarray, np.ndarray]:
    """Draw an object somewhere in an image of (h, w).

    Returns:
        Its shape, its xyxy box of whole pixels, and its pixels (h, w) bool.
    """
    shape = str(rng.choice(SHAPES))
    if shape == 'image':
        region = np.ones(size, bool)
        return shape, np.array([0, 0, *size[::-1]]), region
    sides = [int(np.exp(rng.uniform(0, np.log(s + 0.99)))) for s in size]
    top, left = (
        int(rng.integers(whole - side + 1))
        for whole, side in zip(size, sides, strict=True)
    )
    box = np.array([left, top, left + sides[1], top + sides[0]])
    y, x = (2 * (np.arange(s) + 0.5) / s - 1 for s in sides)
    radius = np.hypot(*np.meshgrid(x, y))
    inside = {
        'box': radius >= 0,
        'disc': radius <= 1,
        'ring': (radius <= 1) & (radius > 0.6),
        'scattered': rng.random(sides) < 0.3,
    }[shape]
    region = np.zeros(size, bool)
    region[box[1] : box[3], box[0] : box[2]] = inside
    return shape, box, region


def draw_levels(
    num: int,
    banks: dict[str, str],
    seed: int = 0,
    progress: Callable[[Iterable], Iterator] = iter,
) -> Counter:
    """Occlude random objects and judge each.

    Args:
        num: Number of draws.
        banks: Bank arguments of ``mmocc.Occlude``.
        seed: Seed of the draws.
        progress: Wraps the draws, to show how far it is.

    Returns:
        Counts of ``('inside', kind, level)``, ``('outside', kind, level)`` and
        ``('too small', pixels, level)``.
    """
    rng = np.random.default_rng(seed)
    steps = {
        (kind, level): Occlude(kind, level, seed=seed, **banks)
        for kind in KINDS
        for level in BOUNDS
    }
    counts = Counter()
    for index in progress(range(num)):
        size = tuple(np.exp(rng.uniform(*np.log([16, 512.99]), 2)).astype(int))
        shape, box, region = draw_object(rng, size)
        kind, level = str(rng.choice(KINDS)), str(rng.choice(list(BOUNDS)))
        results = dict(
            img=rng.integers(0, 256, (*size, 3), np.uint8), sample_idx=index
        )
        if shape == 'box':
            results['gt_bboxes'] = box[None]
        elif shape != 'image':
            results['gt_seg_map'] = region.astype(np.uint8)
        pixels = int(region.sum())
        try:
            mask = steps[kind, level](results)['occlusion_mask']
        except (UnreachableLevelError, EmptyRegionError):
            counts['too small', pixels, level] += 1
            continue
        share = Fraction(100 * int(mask[region].sum()), pixels)
        low, high = BOUNDS[level]
        word = 'inside' if low <= share < high else 'outside'
        counts[word, kind, level] += 1
    return counts


def describe(counts: Counter) -> str:
    """Return the counts of :func:`draw_levels` in words, as lines."""
    sums = Counter()
    for (word, *_), count in counts.items():
        sums[word] += count
    lines = [
        f'{counts.total()} draws: {sums["inside"]} of '
        f'{sums["inside"] + sums["outside"]} hidden shares inside '
        f'their level; {sums["too small"]} objects too small for it '
        f'({sums["too small"] / max(counts.total(), 1):.2%})'
    ]
    for kind in KINDS:
        cells = []
        for level in BOUNDS:
            inside = counts['inside', kind, level]
            judged = inside + counts['outside', kind, level]
            cells.append(f'{level} {inside}/{judged}')
        lines.append(f'  {kind:8} {"  ".join(cells)}')
    small = sorted(key[1:] for key in counts if key[0] == 'too small')
    return '\n'.join(lines) + ''.join(
        f'\n  too small: an object of {pixels} pixels at {level}, '
        f'{counts["too small", pixels, level]} times'
        for pixels, level in small
    )
