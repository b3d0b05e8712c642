"""What a pipeline hides: an image before and after, and the hidden share."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmocc.utils.hiding_steps import HIDING, step_names
from mmocc.visualization.localization_pictures import true_boxes
from mmocc.visualization.sheet import as_rgb


@dataclass
class Draw:
    """One draw of a pipeline's hiding.

    Attributes:
        before: (H, W, 3) uint8 RGB, just before the first hiding transform.
        after: The same, just after the last one.
        hidden: (H, W) bool: the pipeline's mask, else the pixels that changed.
        boxes: Boxes (n, 4) xyxy in pixels of ``after``.
        object_share: Hidden share of the object, if the pipeline knows it.
        path: The image's file, if it has one.
    """

    before: np.ndarray
    after: np.ndarray
    hidden: np.ndarray
    boxes: np.ndarray
    object_share: float | None = None
    path: str | None = None

    @property
    def share(self) -> float:
        """Hidden share of the image, in [0, 1]."""
        return float(self.hidden.mean())


def find_hiding(
    transforms: Sequence[Callable], names: Sequence[str] = HIDING
) -> list[int]:
    """Return the places of the transforms that hide.

    ``names`` are class names, also of transforms inside wrappers such as
    ``RandomApply``. ValueError, which names all transforms, if none is there.
    """
    places = [
        place
        for place, transform in enumerate(transforms)
        if set(step_names(transform)) & set(names)
    ]
    if not places:
        steps = ', '.join(type(t).__name__ for t in transforms)
        raise ValueError(
            f'the pipeline hides nothing that is known: it has {steps}; name '
            'what hides with --transforms'
        )
    return places


def unwrap(dataset: Any, index: int) -> tuple[Any, int]:
    """Return the data set inside all wrappers, and the index in it."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            if index < len(part):
                return unwrap(part, index)
            index -= len(part)
    if hasattr(dataset, 'dataset'):
        return unwrap(dataset.dataset, index % len(dataset.dataset))
    return dataset, index


def draw_hiding(
    dataset: Any,
    index: int,
    number: int = 0,
    seed: int = 0,
    names: Sequence[str] = HIDING,
) -> Draw:
    """Run a pipeline on one sample, up to its last hiding transform.

    The steps before the hiding (crops, flips) depend on (seed, index), the
    hiding on (seed, index, number).

    Raises:
        ValueError: No transform of ``names`` is in the pipeline, or one drops
            the sample.
    """
    base, index = unwrap(dataset, index)
    transforms = base.pipeline.transforms
    places = find_hiding(transforms, names)
    results = base.get_data_info(index)
    before = None
    seed_all(seed, index)
    for place, transform in enumerate(transforms[: places[-1] + 1]):
        if place == places[0]:
            before = results['img'].copy()
            seed_all(seed, index, number)
        results = transform(results)
        if results is None:
            raise ValueError(
                f'{type(transform).__name__} drops sample {index}'
            )
    return _read(results, before)


def seed_all(*entropy: int) -> None:
    """Seed all generators that pipelines use."""
    state = np.random.SeedSequence(entropy).generate_state(1)[0]
    random.seed(int(state))
    np.random.seed(state)
    torch.manual_seed(int(state))


def _read(results: dict, before: np.ndarray) -> Draw:
    """Compare an image with what it was before the hiding."""
    after, mask = results['img'], results.get('occlusion_mask')
    if mask is None:
        if before.shape != after.shape:
            raise ValueError(
                'between the first and the last hiding transform the image '
                f'changes its size, from {before.shape} to {after.shape}: '
                'name one of them with --transforms'
            )
        mask = before != after
        mask = mask.any(axis=2) if mask.ndim == 3 else mask
    return Draw(
        as_rgb(before),
        as_rgb(after),
        np.asarray(mask, bool),
        true_boxes(results),
        results.get('occlusion_share'),
        results.get('img_path'),
    )
