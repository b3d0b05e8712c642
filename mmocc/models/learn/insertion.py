"""LEARN inside a backbone: hooks that repair what a module gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from mmocc.models.feature_maps import (
    Size,
    last_feature,
    replace_last,
    stated_grid,
)

Repair = Callable[[Tensor, Size | None], Tensor]


def repair_output(output: Any, repair: Repair, first: Size | None) -> Any:
    """Return what a module gave with its last feature repaired.

    Args:
        output: The module's, which may state its grid of tokens.
        repair: Called on the feature, and on the grid if it is known.
        first: The network's first grid, for outputs that state none.
    """
    grid = stated_grid(output) or first
    return replace_last(output, repair(last_feature(output), grid))


@contextmanager
def inserted(
    model: nn.Module,
    name: str,
    repair: Repair,
) -> Iterator[None]:
    """Replace a module's output in the forward passes of a ``with`` block.

    Args:
        model: It has a ``backbone``.
        name: Name of one of its modules.
        repair: Called on the last feature that the module gives, and on the
            network's first grid of tokens if it is stated anywhere.

    Raises:
        ValueError: If the module runs more than once, or gives no feature.
    """
    runs = 0

    def hook(module: nn.Module, args: tuple, output: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs > 1:
            raise ValueError(
                f'insert_after={name!r} runs several times in a forward pass; '
                'name a module that runs once'
            )
        return repair_output(output, repair, next(iter(sizes), None))

    with first_grid(model.backbone) as sizes:
        handle = model.get_submodule(name).register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def embeddings(backbone: nn.Module) -> list[nn.Module]:
    """Return what may be patch embeddings, by name: of transformers only."""
    return [
        module
        for name, module in backbone.named_modules()
        if 'embed' in f'{name.rpartition(".")[2]} {type(module)}'.lower()
    ]


@contextmanager
def first_grid(backbone: nn.Module) -> Iterator[list[Size]]:
    """Collect the (h, w) that patch embeddings state in a forward pass."""
    sizes: list[Size] = []

    def watch(module: nn.Module, args: tuple, output: Any) -> None:
        size = stated_grid(output)
        if size is not None and not sizes:
            sizes.append(size)

    handles = [
        module.register_forward_hook(watch) for module in embeddings(backbone)
    ]
    try:
        yield sizes
    finally:
        for handle in handles:
            handle.remove()
