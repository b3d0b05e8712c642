"""Cost of the transforms for torch pipelines, over those of mm.

    python -m benchmarks.transforms --threads 1 [--quick] [--only NAME ...]
                                    [--json FILE]

``occlude``, ``hide-and-seek``: ``mmocc.transforms.Occlude`` (at L2) and
``HideAndSeek`` of an image of 224x224, an array, a tensor or a PIL image, over
``mmocc.Occlude`` and ``mmocc.HideAndSeek`` of the same array in a dict. Both
give a new image. A PIL image is copied into an array and back.

Predicted: Occlude 1.1 (array), 1.2 (tensor, PIL); HideAndSeek 1.5 (array,
tensor), 2.5 (PIL), since 30 microseconds are little beside the copies.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.hide_and_seek import SIDE, image
from benchmarks.timing import Rivals, run_benchmark
from mmocc.datasets import transforms as mm
from mmocc.occlusion import KINDS
from mmocc.transforms import HideAndSeek, Occlude

FORMS: dict[str, Callable] = {
    'array': lambda array: array,
    'tensor': lambda array: torch.from_numpy(array.transpose(2, 0, 1).copy()),
    'PIL': Image.fromarray,
}
BANKS = dict.fromkeys(('texture_bank', 'object_bank'), 'builtin:train')
GRIDS = (16, 56)


def occlude(kind: str, form: str) -> Rivals:
    """Return Occlude for a form of image, and that of mm pipelines."""
    pixels, number = image(), count()
    other = mm.Occlude(kind, 'L2', region='image', seed=0, **BANKS)
    ours, picture = Occlude(kind, 'L2', **BANKS), FORMS[form](pixels)
    return Rivals(
        f'Occlude {kind} of {form} at {SIDE} px / mmocc.Occlude',
        lambda: ours(picture),
        lambda: other(dict(img=pixels, sample_idx=next(number))),
        target=1.10 if form == 'array' else None,
    )


def hide(grid: int, form: str) -> Rivals:
    """Return HideAndSeek for a form of image, and that of mm pipelines."""
    pixels = image()
    other, ours = mm.HideAndSeek(grid), HideAndSeek(grid)
    picture = FORMS[form](pixels)
    return Rivals(
        f'HideAndSeek {grid} of {form} at {SIDE} px / mmocc.HideAndSeek',
        lambda: ours(picture),
        lambda: other(dict(img=pixels)),
        target=2.0 if form == 'array' else None,
    )


def cases() -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield the name of each case and the function that sets it up."""
    cv2.setNumThreads(1)  # as in a loading process
    np.random.seed(0)
    for form in FORMS:
        for kind in KINDS:
            yield f'occlude-{kind}-{form}', partial(occlude, kind, form)
        for grid in GRIDS:
            yield f'hide-and-seek-{grid}-{form}', partial(hide, grid, form)


def main() -> None:
    """Measure, print one table, and write it."""
    run_benchmark(
        cases,
        'Measure the cost of the transforms for torch pipelines',
        15,
        'array or occlude-white',
    )


if __name__ == '__main__':
    main()
