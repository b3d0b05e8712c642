"""What a frozen network makes of views: computed once, held in memory."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmocc.learn.probing import feature_of

TOLD_EACH = 10.0  # seconds between two lines of progress
DTYPE = torch.float16
GIB = 2**30


class Features(NamedTuple):
    """Features of N views, each in K forms: clean first, then hidden."""

    maps: Tensor  # (N, K, ...) in float16, on the CPU
    logits: Tensor  # (N, classes): the frozen model's, of the clean form


def fitting(views: int, forms: int, shape: Sequence[int], gib: float) -> int:
    """Return how many of ``forms`` features of each view the memory holds.

    Args:
        views: Number of views.
        forms: Wanted for each.
        shape: Of one feature.
        gib: The memory in GiB.

    Raises:
        ValueError: If it holds less than two: the clean one and one hidden.
    """
    one = views * torch.Size(shape).numel() * DTYPE.itemsize
    held = min(forms, int(gib * GIB) // one)
    if held < 2:
        raise ValueError(
            f'the features of {views} views and one occluded variant of each '
            f'take {2 * one / GIB:.1f} GiB, and memory_gib={gib:g}: raise it, '
            'or take fewer images or views'
        )
    return held


def ask(
    model: nn.Module,
    layer: str,
    inputs_of: Callable[[int], list[Tensor]],
    views: Sequence[int],
    batch_size: int,
    tell: Callable[[str], None],
) -> Features:
    """Return what a module gives for views.

    Args:
        model: The frozen classifier, in eval mode.
        layer: Name of the module.
        inputs_of: Returns the inputs of a view, the clean one first.
        views: Numbers of the views.
        batch_size: Images in a pass, about.
        tell: Called on lines of progress.

    Raises:
        FloatingPointError: If a feature is not finite in float16.
    """
    device = next(model.parameters()).device
    maps: Tensor | None = None
    logits = []
    start = told = time.monotonic()
    done = 0
    while done < len(views):
        rows = [inputs_of(views[done])]
        forms = len(rows[0])
        part = views[done + 1 : done + max(batch_size // forms, 1)]
        rows += [inputs_of(view) for view in part]
        images = torch.stack([image for row in rows for image in row])
        with torch.no_grad():
            feature, answers = feature_of(model, layer, images.to(device))
        small = feature.unflatten(0, (len(rows), forms)).to('cpu', DTYPE)
        if not small.isfinite().all():
            raise FloatingPointError(
                f'features of {layer} are not finite in float16: name another '
                'layer'
            )
        if maps is None:
            maps = small.new_empty(len(views), forms, *small.shape[2:])
        maps[done : done + len(rows)] = small
        logits.append(answers.unflatten(0, (len(rows), forms))[:, 0].float())
        done += len(rows)
        now = time.monotonic()
        if now - told > TOLD_EACH:
            told = now
            left = (now - start) / done * (len(views) - done)
            tell(f'features: {done} of {len(views)} views, {left:.0f} s left')
    assert maps is not None
    return Features(maps, torch.cat(logits))
