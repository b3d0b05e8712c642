"""Optimizers of the parts of a model, for adversarial training."""

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

from mmocc.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    """Give each named part of a model a separate optimizer.

    mmengine trains with several optimizers (``OptimWrapperDict``), but cannot
    build them from a config. All settings besides ``parts`` (``type``,
    ``clip_grad``, ``accumulative_counts``, ...) apply to every part, so
    ``tools/train.py --amp`` works as with one optimizer::

        optim_wrapper = dict(
            constructor='mmocc.MultiOptimWrapperConstructor',
            parts=dict(
                unet=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)),
                discriminator=dict(type='Adam', lr=2e-4)))

    Args:
        optim_wrapper_cfg: ``parts``, an optimizer for each submodule by its
            name, and the options of an ``OptimWrapper``.
        paramwise_cfg: As in mmengine, for all parts.

    Raises:
        ValueError: If there are no parts; when called, if the model lacks a
            part, or a trainable parameter is in no part.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        self.shared = dict(optim_wrapper_cfg)
        self.parts = self.shared.pop('parts', None)
        if not self.parts:
            raise ValueError(
                'mmocc.MultiOptimWrapperConstructor needs optim_wrapper.'
                'parts: an optimizer for each part of the model, by its name'
            )
        self.shared['paramwise_cfg'] = paramwise_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Return the optimizers of a model, wrapped or not."""
        model = model.module if is_model_wrapper(model) else model
        known = {n: m for n, m in model.named_children() if m is not None}
        missing = [name for name in self.parts if name not in known]
        free = {
            name.partition('.')[0]
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        } - set(self.parts)
        if missing or free:
            raise ValueError(
                f'optim_wrapper.parts has {list(self.parts)}, but '
                f'{type(model).__name__} has no {missing or "other part"} '
                f'and also trains {sorted(free) or "nothing else"}: name '
                'exactly the parts that train'
            )
        wrappers = {
            name: build_optim_wrapper(
                known[name], dict(self.shared, optimizer=optimizer)
            )
            for name, optimizer in self.parts.items()
        }
        return OptimWrapperDict(**wrappers)
