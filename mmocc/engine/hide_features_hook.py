"""Hides feature maps after any module of a model, by config."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmocc.models.feature_maps import map_features
from mmocc.registry import HOOKS, MODELS


@HOOKS.register_module()
class HideFeaturesHook(Hook):
    """Put ``mmocc.HideFeatures`` after a named module, in training only.

    The model, its parameters and its checkpoints do not change::

        custom_hooks = [
            dict(
                type='mmocc.HideFeaturesHook',
                module='backbone.conv1',
                hide=dict(type='mmocc.HideFeatures', grid_sizes=(5,)))]

    Args:
        module: Name of the module in ``model.named_modules()``; its output is
            a map (N, C, H, W), tokens (N, L, C), or a tuple, list or dict of
            them.
        hide: Config of the layer.

    Raises:
        ValueError: At the start of training, if the model has no such module.
    """

    def __init__(
        self, module: str, hide: dict = dict(type='mmocc.HideFeatures')
    ) -> None:
        self.module = module
        self.hide = MODELS.build(hide)
        self._handle = None

    def before_train(self, runner: Runner) -> None:
        """Put the layer in place."""
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        modules = dict(model.named_modules())
        if not self.module or self.module not in modules:
            names = [name for name in modules if name.count('.') == 1]
            raise ValueError(
                f'mmocc.HideFeaturesHook: the model has no module '
                f'{self.module!r}; it has {", ".join(names)} and their parts'
            )

        def hide(module: nn.Module, inputs: Any, output: Any) -> Any:
            # The model's mode: a frozen module is always in evaluation mode.
            if not model.training:
                return output
            return map_features(self.hide, output)

        self._handle = modules[self.module].register_forward_hook(hide)

    def after_train(self, runner: Runner) -> None:
        """Take the layer away."""
        self._handle.remove()
