"""A LEARN inside a frozen backbone: passes through it, with images or maps.

From a map that is known already, only what comes after it must be computed. No
backbone has to be split for that: it runs on one small image, and where LEARN
is, the map takes the place of what was computed so far.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from mmocc.models.feature_maps import Size, last_feature

if TYPE_CHECKING:
    from mmocc.models.learn.learn_classifier import LEARNClassifier

Repair = Callable[[Tensor, Size | None], Tensor]

SMALL = 32  # pixels: the side of an image whose features are not used


class _Reached(Exception):
    """The place of LEARN is reached; holds the feature."""


def unrepaired(feat: Tensor, grid: Size | None = None) -> Tensor:
    """Return a feature as it is."""
    return feat


def never_runs(name: str | None) -> ValueError:
    """Return the error for a module that no pass comes through."""
    return ValueError(
        f'insert_after={name!r} does not run before the head; name a module '
        'of the backbone or the neck'
    )


def answer(
    model: 'LEARNClassifier',
    images: Tensor,
    repair: Repair,
    feat: Tensor | None = None,
) -> tuple[Any, Tensor]:
    """Return the head's logits, and the last feature of the backbone.

    Args:
        model: With ``insert_after``.
        images: (N, C, H, W), normalised.
        repair: Called on the feature at the place of LEARN.
        feat: (M, C, h, w), a feature known already: it takes the place of
            what the images would give.
    """
    change, last = repair, []
    if feat is not None:
        images = images[:1, :, :SMALL, :SMALL]

        def change(_: Tensor, grid: Size | None) -> Tensor:
            return repair(feat, grid)

    def note(module: nn.Module, args: tuple, output: Any) -> None:
        last.append(last_feature(output))

    handle = model.backbone.register_forward_hook(note)
    try:
        feats = model.extract_feat(images, repair=change)
    finally:
        handle.remove()
    return model.head(feats), last[-1]


@torch.no_grad()
def inner_feature(model: 'LEARNClassifier', images: Tensor) -> Tensor:
    """Return the map at the place of LEARN; nothing after it is computed.

    Args:
        model: With ``insert_after``.
        images: (N, C, H, W), normalised.

    Raises:
        ValueError: If it is no map.
    """

    def stop(feat: Tensor, grid: Size | None) -> NoReturn:
        raise _Reached(feat)

    try:
        model.extract_feat(images, repair=stop)
    except _Reached as reached:
        feat = reached.args[0]
    else:
        raise never_runs(model.insert_after)
    if feat.dim() != 4:
        raise ValueError(
            f'clean_cache stores inner maps (N, C, h, w), but '
            f'{model.insert_after} gives {tuple(feat.shape)}; set '
            'clean_cache=None'
        )
    return feat


@torch.no_grad()
def check_inner(model: 'LEARNClassifier', images: Tensor) -> None:
    """Raise ValueError if a map does not tell all that comes after it.

    Args:
        model: With ``insert_after``.
        images: (N, C, H, W), normalised; the first of them is tried.
    """
    feat = inner_feature(model, images[:1])  # as stored, it would be rounded
    expected, _ = answer(model, images[:1], unrepaired)
    try:
        logits, _ = answer(model, images, unrepaired, feat)
        tolerance = 0.01 * float(expected.abs().max())
        same = torch.allclose(logits, expected, rtol=0.01, atol=tolerance)
    except (AssertionError, RuntimeError, ValueError):  # sizes do not fit
        same = False
    if not same:
        raise ValueError(
            f'{type(model.backbone).__name__} reads more than the map of '
            f'{model.insert_after} after it, so that clean_cache cannot take '
            'its place; set clean_cache=None, or name the end of a stage'
        )
