"""Maps in what the modules of a network give: tensors, tuples, dicts, tokens.

A map is (N, C, h, w). Transformers give tokens (N, L, C): a grid of positions
row by row, and before them extra ones, such as the class token.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MAX_EXTRA = 8  # extra tokens that are looked for beside a known grid
MAX_EXTRA_UNKNOWN = 2  # beside an unknown one: class, distillation (DeiT)
MAX_HALVINGS = 5  # of the first grid, by the stages of a transformer

Size = tuple[int, int]
Back = Callable[[Tensor], Tensor]


def last_path(output: Any) -> tuple | None:
    """Return the keys that lead to the last feature of nested containers.

    A feature is a floating-point tensor (N, C, ...); None if there is none.
    """
    if isinstance(output, Tensor):
        return () if output.is_floating_point() and output.dim() > 1 else None
    items = []
    if isinstance(output, dict):
        items = list(output.items())
    elif isinstance(output, tuple | list):
        items = list(enumerate(output))
    for key, item in reversed(items):
        path = last_path(item)
        if path is not None:
            return (key, *path)
    return None


def last_feature(output: Any) -> Tensor:
    """Return the last feature of a tensor, or of tuples, lists and dicts.

    Raises:
        ValueError: If there is none.
    """
    path = last_path(output)
    if path is None:
        raise ValueError(
            f'no feature (N, C, ...) in {type(output).__name__}: the module '
            'must give a tensor, or a tuple, list or dict of tensors'
        )
    for key in path:
        output = output[key]
    return output


def replace_last(output: Any, feature: Tensor) -> Any:
    """Return a copy of what :func:`last_feature` reads, with another one."""
    path = last_path(output)

    def replace(part: Any, keys: tuple) -> Any:
        if not keys:
            return feature
        new = replace(part[keys[0]], keys[1:])
        if isinstance(part, dict):
            return type(part)({**part, keys[0]: new})
        parts = [new if i == keys[0] else p for i, p in enumerate(part)]
        if hasattr(part, '_fields'):  # a named tuple
            return type(part)(*parts)
        return type(part)(parts)

    return replace(output, path)


def map_features(change: Back, output: Any) -> Any:
    """Apply a function to all features of nested containers."""
    if isinstance(output, dict):
        return {k: map_features(change, v) for k, v in output.items()}
    if isinstance(output, tuple | list):
        return type(output)(map_features(change, part) for part in output)
    return output if last_path(output) is None else change(output)


def stated_grid(output: Any) -> Size | None:
    """Return the (h, w) that a module gives beside its tokens, if it does.

    mmpretrain's patch embeddings and Swin's stages do: (tokens, (h, w)).
    """
    if isinstance(output, tuple) and len(output) == 2:
        tokens, size = output
        pair = isinstance(size, tuple | list) and len(size) == 2
        pair = pair and all(isinstance(side, int) for side in size)
        if pair and isinstance(tokens, Tensor) and tokens.dim() == 3:
            return tuple(size)
    return None


def split_tokens(tokens: int, first: Size | None = None) -> tuple[int, Size]:
    """Return the number of extra tokens, and the (h, w) of the others' grid.

    Args:
        tokens: Number of all tokens.
        first: (h, w) of the network's first grid, which later stages may have
            halved. Without, the grid is a square.

    Raises:
        ValueError: If there is no such grid.
    """
    grids, most = [], MAX_EXTRA
    if first is not None:
        for step in (2**i for i in range(MAX_HALVINGS + 1)):
            grids.append(tuple(math.ceil(side / step) for side in first))
    else:
        most = min(MAX_EXTRA_UNKNOWN, tokens - 1)
        sides = (math.isqrt(tokens - extra) for extra in range(most + 1))
        grids = [(side, side) for side in sides]
    for grid in grids:
        if 0 <= tokens - math.prod(grid) <= most:
            return tokens - math.prod(grid), grid
    raise ValueError(
        f'{tokens} tokens are no grid of {first[0]}x{first[1]} positions, or '
        f'of halves of it, with up to {MAX_EXTRA} tokens before it'
        if first
        else f'{tokens} tokens are no square grid, with up to '
        f'{MAX_EXTRA_UNKNOWN} tokens before it: its (h, w) must be given'
    )


def tokens_to_map(
    tokens: Tensor, first: Size | None = None
) -> tuple[Tensor, Back]:
    """Return tokens (N, L, C) as a map (N, C, h, w), without extra tokens.

    And the way back: a function that turns another such map into tokens, with
    these extra ones before it.
    """
    extra, size = split_tokens(tokens.shape[1], first)
    grid = tokens[:, extra:].transpose(1, 2).unflatten(2, size)

    def back(new: Tensor) -> Tensor:
        new = new.flatten(2).transpose(1, 2)
        if not extra:
            return new
        return torch.cat([tokens[:, :extra].to(new.dtype), new], dim=1)

    return grid, back


def feature_to_map(
    feature: Tensor, channels: int, first: Size | None = None
) -> tuple[Tensor, Back]:
    """Return a feature as a map (N, C, h, w), and the way back.

    Args:
        feature: A map (N, C, h, w) or (N, h, w, C), a vector (N, C), taken as
            a map of one cell, or tokens (N, L, C) or (N, C, L).
        channels: C.
        first: As in :func:`split_tokens`.

    Raises:
        ValueError: If the feature is not one of these.
    """
    first_is, last_is = (feature.shape[i] == channels for i in (1, -1))
    if feature.dim() == 2 and first_is:
        return feature[:, :, None, None], lambda new: new.flatten(1)
    if feature.dim() == 4 and first_is:
        return feature, lambda new: new
    if feature.dim() == 4 and last_is:
        return feature.movedim(3, 1), lambda new: new.movedim(1, 3)
    if feature.dim() != 3 or not (first_is or last_is):
        raise ValueError(
            f'a feature of shape {tuple(feature.shape)} is no map (N, C, h, '
            f'w), vector (N, C) or tokens (N, L, C) of {channels} channels'
        )
    if first_is and last_is and first is None:
        raise ValueError(
            f'as many tokens as channels ({channels}): which is which cannot '
            'be told'
        )
    if last_is:
        return tokens_to_map(feature, first)
    grid, back = tokens_to_map(feature.transpose(1, 2), first)
    return grid, lambda new: back(new).transpose(1, 2)
