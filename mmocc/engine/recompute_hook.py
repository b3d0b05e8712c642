"""Gradient checkpointing: activations are computed again, not kept.

mmengine's own ``activation_checkpointing`` uses the reentrant kind of torch,
which gives a module's parameters no gradient, and no error, where its input
needs none: behind a frozen stem or at the images. It also counts each batch
twice in the running statistics of batch norms.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmocc.registry import HOOKS


@HOOKS.register_module()
class RecomputeHook(Hook):
    """Keep the inputs of some modules only; the rest is computed again.

    Gradients and batch norm's statistics are those without it, as is what
    dropout drops. ``tools/train.py`` puts it in the place of mmengine's
    ``activation_checkpointing = [...]``.

    Args:
        modules: Their names in the model, such as ``backbone.layer1``. Of a
            list of modules (``backbone.layers``) each is one of its own. A
            range such as ``backbone.features.0-4`` is one module, if the
            model calls these just one after the other.

    Raises:
        ValueError: If there is no such module.
    """

    def __init__(self, modules: str | Sequence[str]) -> None:
        self.names = [modules] if isinstance(modules, str) else list(modules)

    def before_train(self, runner: Runner) -> None:
        """Wrap the modules, unless they are so already."""
        chains = [
            chain for name in self.names for chain in find(runner.model, name)
        ]
        for chain in chains:
            if not hasattr(chain[0].forward, 'recomputes'):
                recompute(chain)
        runner.logger.info(
            f'{len(chains)} parts of the model are computed again in the '
            f'backward pass: {", ".join(self.names)}'
        )


def find(model: nn.Module, name: str) -> list[list[nn.Module]]:
    """Return what a name stands for: chains of modules.

    Raises:
        ValueError: If there is no such module.
    """
    path, _, last = name.rpartition('.')
    span = re.fullmatch(r'(\d+)-(\d+)', last)
    module = model
    for part in filter(None, (path if span else name).split('.')):
        module = _unwrapped(module)
        if not isinstance(getattr(module, part, None), nn.Module):
            children = ', '.join(child for child, _ in module.named_children())
            raise ValueError(
                f'no module {name!r} to compute again: where {part!r} should '
                f'be there are {children or "none"}'
            )
        module = getattr(module, part)
    module = _unwrapped(module)
    if span is None:
        if not isinstance(module, nn.ModuleList):
            return [[module]]
        return [[child] for child in module]
    chain = list(module)[int(span[1]) : int(span[2]) + 1]
    if len(chain) != int(span[2]) - int(span[1]) + 1 or not chain:
        raise ValueError(
            f'no modules {name!r} to compute again: {path} has '
            f'{len(module)}, the first is 0'
        )
    return [chain]


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return what is in DistributedDataParallel and the like."""
    return module.module if is_model_wrapper(module) else module


def recompute(chain: Sequence[nn.Module]) -> None:
    """Make modules that follow each other keep the first one's input only.

    All are run where the first one is called; the others then do nothing.
    """
    forwards = [module.forward for module in chain]

    @wraps(forwards[0])
    def run(*args, **kwargs) -> Any:
        out = forwards[0](*args, **kwargs)
        for forward in forwards[1:]:
            out = forward(out)
        return out

    contexts = partial(_contexts, chain)

    @wraps(forwards[0])
    def kept_small(*args, **kwargs) -> Any:
        if not torch.is_grad_enabled():
            return run(*args, **kwargs)
        return checkpoint(
            run, *args, use_reentrant=False, context_fn=contexts, **kwargs
        )

    kept_small.recomputes = len(chain)
    chain[0].forward = kept_small
    for module in chain[1:]:
        module.forward = _identity


def _identity(x: Any) -> Any:
    """Return what a module before this one has made."""
    return x


def _contexts(
    chain: Sequence[nn.Module],
) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Return the contexts of the first computation and of the second."""
    return nullcontext(), _same_statistics(chain)


@contextmanager
def _same_statistics(chain: Sequence[nn.Module]) -> Iterator[None]:
    """Leave running statistics alone: they have seen this batch already."""
    kept = [
        (buffer, buffer.clone())
        for part in chain
        for module in part.modules()
        if isinstance(module, _BatchNorm) and module.training
        for buffer in module.buffers(recurse=False)
    ]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def use_recompute_hook(cfg: Config) -> None:
    """Put the hook in the place of mmengine's ``activation_checkpointing``.

    Args:
        cfg: The config, changed in place.
    """
    modules = cfg.get('activation_checkpointing')
    if modules:
        hook = dict(type='mmocc.RecomputeHook', modules=modules)
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
        cfg.activation_checkpointing = None
