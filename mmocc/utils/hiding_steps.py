"""Which steps of a pipeline hide parts of an image, also inside wrappers."""

import copy
import inspect
from collections.abc import Iterator
from typing import Any

from mmocc.utils.config_types import class_name

# Of mmocc, mmpretrain and mmdet. They fill parts of an image with values that
# are not of the data.
HIDING = (
    'HideAndSeek', 'Occlude', 'OccludeObjects', 'PasteOcclusion',
    'RandomErasing', 'Cutout', 'CutOut', 'GridMask',
)  # fmt: skip
# Where wrappers (RandomApply, RandomChoice, AutoAugment, KeyMapper, ...) have
# the steps that they wrap, as a step, a list, or a list of lists.
INSIDE = ('transforms', 'policies', 'transform')


def step_names(transform: Any) -> Iterator[str]:
    """Yield the class names of a built transform and of those it wraps."""
    if isinstance(transform, list | tuple):
        for part in transform:
            yield from step_names(part)
    elif isinstance(transform, dict):  # a policy that is built at each call
        yield from (class_name(kind) for kind in _kinds(transform))
    else:
        yield type(transform).__name__
        for name in INSIDE:
            inner = getattr(transform, name, ())
            # Every transform of mmcv has a method of the name "transform".
            if not inspect.ismethod(inner):
                yield from step_names(inner)


def _kinds(step: Any) -> Iterator[Any]:
    """Yield the types of a step's config and of those inside."""
    if isinstance(step, list | tuple):
        for part in step:
            yield from _kinds(part)
    elif isinstance(step, dict):
        if 'type' in step:
            yield step['type']
        for name in INSIDE:
            yield from _kinds(step.get(name))


def without_hiding(steps: list, left_out: list[str]) -> list:
    """Return the configs of steps without those that hide.

    A wrapper keeps the other steps in it. A choice keeps its number of
    options, so that the others stay as likely: one that hid does nothing.

    Args:
        steps: Not changed.
        left_out: Gets the types of what is left out.
    """
    kept = []
    for step in steps:
        if isinstance(step, list | tuple):  # an option of several steps
            kept.append(without_hiding(list(step), left_out))
            continue
        kind = step['type']
        if class_name(kind) in HIDING:
            left_out.append(
                kind if isinstance(kind, str) else class_name(kind)
            )
            continue
        step = copy.copy(step)
        for name in INSIDE:
            inner = step.get(name)
            if isinstance(inner, dict) and 'type' in inner:
                inner = [inner]
            if isinstance(inner, list | tuple):
                options = _options(kind, inner)
                step[name] = without_hiding(options, left_out)
        kept.append(step)
    return kept


def _options(kind: Any, steps: Any) -> list:
    """Return a wrapper's steps; each option of a choice as a list."""
    choice = 'Choice' in class_name(kind) or 'Augment' in class_name(kind)
    return [
        [step] if choice and isinstance(step, dict) else step for step in steps
    ]
