"""Speed of Hide-and-Seek, image by image and on batches.

    python -m benchmarks.hide_and_seek --threads 1 [--quick] [--only NAME ...]
                                       [--json FILE]

``erasing``: ``mmocc.HideAndSeek`` per image of 224x224 uint8, for each grid
size, over mmpretrain's ``RandomErasing(mode='const', erase_prob=1)``. Ours
allocates a new array each time; RandomErasing fills one rectangle of 2 to
40 % of the image and writes into its input, without the cost of a copy.

``albumentations``, ``torchvision``, ``kornia``: similar transforms of other
libraries, where installed, with half of the image hidden where they have such
a setting. albumentations' GridDropout has one hole in every cell of 32 pixels,
CoarseDropout 8 holes of 72 pixels; torchvision's (v2) and kornia's
RandomErasing one rectangle. Ours is ``HideAndSeek`` of grid size 16, the most
cells. kornia takes only batches: 64 images, and the time is for one.

``large``: ``mmocc.transforms.HideAndSeek`` of arrays and tensors of 224, 448
and 1024 pixels, over CoarseDropout with holes of the same share.

``batch``: ``mmocc.BatchHideAndSeek`` on a normalised batch 64x3x224x224 of
float32, over its product in place with a ready mask 64x1x224x224.
``batch-padding`` also gets each image's size: no target.

``--threads 1`` is what a loading process has; it holds for OpenCV as well.

Predicted: 0.42, 0.38, 0.40 and 0.36 times RandomErasing for 16, 32, 44 and 56,
0.38 mixed; 5 times faster than GridDropout, 2 times than CoarseDropout and
torchvision, 20 times than kornia; batches 1.35, mixed 1.4.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import RandomErasing

from benchmarks.timing import Rivals, add_arguments, run_cases
from mmocc.datasets.transforms import HideAndSeek
from mmocc.models.hide_and_seek import BatchHideAndSeek
from mmocc.transforms import HideAndSeek as TorchHideAndSeek

SIDE, BATCH = 224, 64
SIDES = (224, 448, 1024)
HOLE = 72 / 224  # side of CoarseDropout's holes, of the image's
GRIDS = ((16,), (32,), (44,), (56,), (0, 16, 32, 44, 56))
ERASING_TARGET, BATCH_TARGET = 0.5, 1.5
RIVALS = {
    'albumentations': ('GridDropout', 'CoarseDropout'),
    'torchvision': ('RandomErasing',),
    'kornia': ('RandomErasing',),
}

Cases = Iterator[tuple[str, Callable[[], Rivals]]]


def image(side: int = SIDE) -> np.ndarray:
    """Return an image of random pixels."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


def name_of(grid: tuple[int, ...]) -> str:
    """Return the name of a choice of grid sizes."""
    return 'mixed' if len(grid) > 1 else str(grid[0])


def call(step: BaseTransform) -> Callable[[], dict]:
    """Return the call of a transform on an image."""
    pixels = image()
    return lambda: step(dict(img=pixels))


def against_erasing(grid: tuple[int, ...]) -> Rivals:
    """Return HideAndSeek and mmpretrain's RandomErasing."""
    return Rivals(
        f'HideAndSeek {name_of(grid)} / mmpretrain RandomErasing',
        call(HideAndSeek(grid)),
        call(RandomErasing(1.0, mode='const')),
        target=ERASING_TARGET,
    )


def against_rival(library: str, name: str) -> Rivals:
    """Return HideAndSeek of the most cells and another library's transform."""
    ours = call(HideAndSeek(GRIDS[0]))
    times = BATCH if library == 'kornia' else 1  # it takes only batches
    return Rivals(
        f'HideAndSeek {name_of(GRIDS[0])}, times faster than {library} {name}',
        lambda: [ours() for _ in range(times)],
        rival(library, name),
        per=times,
        faster=True,
        target=1.0,
    )


def coarse_dropout(side: int) -> Callable[[], object]:
    """Return the call of albumentations' CoarseDropout with 8 holes."""
    import albumentations

    hole = (round(HOLE * side),) * 2
    step = albumentations.CoarseDropout(
        num_holes_range=(8, 8),
        hole_height_range=hole,
        hole_width_range=hole,
        p=1.0,
    )
    pixels = image(side)
    return lambda: step(image=pixels)


def against_dropout(side: int, tensor: bool) -> Rivals:
    """Return the transform without mm, and CoarseDropout on an array."""
    step, pixels = TorchHideAndSeek(GRIDS[0]), image(side)
    given = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
    kind = 'tensor' if tensor else 'array'
    return Rivals(
        f'HideAndSeek {kind} of {side} px, times faster than CoarseDropout',
        lambda: step(given if tensor else pixels),
        coarse_dropout(side),
        faster=True,
        target=2.0,
    )


def rival(library: str, name: str) -> Callable[[], object]:
    """Return the call of another library's transform."""
    pixels = image()
    if library == 'albumentations':
        import albumentations

        if name == 'GridDropout':
            step = albumentations.GridDropout(
                ratio=0.5**0.5, unit_size_range=(32, 33), p=1.0
            )
        else:
            return coarse_dropout(SIDE)
        return lambda: step(image=pixels)
    if library == 'torchvision':
        from torchvision.transforms import v2

        step, tensor = v2.RandomErasing(1.0), torch.from_numpy(pixels)
        tensor = tensor.permute(2, 0, 1).contiguous()
        return lambda: step(tensor)
    from kornia.augmentation import RandomErasing as KorniaErasing

    step, batch = KorniaErasing(p=1.0), torch.rand(BATCH, 3, SIDE, SIDE)
    return lambda: step(batch)


def against_multiply(grid: tuple[int, ...], padding: bool) -> Rivals:
    """Return BatchHideAndSeek and a product by a mask."""
    torch.manual_seed(0)
    batch = torch.randn(BATCH, 3, SIDE, SIDE)
    other = batch.clone()
    mask = (torch.rand(BATCH, 1, SIDE, SIDE) < 0.5).float()
    step = BatchHideAndSeek(grid)
    sizes = [(SIDE - i, SIDE) for i in range(BATCH)] if padding else None
    return Rivals(
        f'BatchHideAndSeek {name_of(grid)}{", padding" if padding else ""}'
        f' / multiply in place, batch {BATCH}',
        lambda: step(batch, sizes=sizes),
        lambda: other.mul_(mask),
        target=None if padding else BATCH_TARGET,
    )


def cases() -> Cases:
    """Yield the name of each case and the function that sets it up."""
    for grid in GRIDS:
        yield f'erasing-{name_of(grid)}', partial(against_erasing, grid)
    for library, names in RIVALS.items():
        for name in names if find_spec(library) else ():
            yield f'{library}-{name}', partial(against_rival, library, name)
    for side in SIDES if find_spec('albumentations') else ():
        for tensor in (False, True):
            name = f'large-{side}-{"tensor" if tensor else "array"}'
            yield name, partial(against_dropout, side, tensor)
    for grid in GRIDS:
        yield f'batch-{name_of(grid)}', partial(against_multiply, grid, False)
    yield 'batch-padding', partial(against_multiply, GRIDS[-1], True)


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(
        description='Measure the speed of Hide-and-Seek'
    )
    add_arguments(parser, 25, 'erasing-16 or batch')
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    for library in RIVALS:
        if not find_spec(library):
            print(f'left out, {library} is missing (pip install {library})')
    run_cases(cases(), args)


if __name__ == '__main__':
    main()
