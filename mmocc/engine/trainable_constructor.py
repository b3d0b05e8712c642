"""Optimizer of the parameters that train, and no others."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmocc.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TrainableOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's default constructor, without the frozen parameters.

    mmengine also gives these to the optimizer: they fill its groups,
    checkpoints and summaries. Arguments and ``paramwise_cfg`` are mmengine's.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        # A filled config makes mmengine go through add_params.
        super().__init__(
            optim_wrapper_cfg, paramwise_cfg or dict(bypass_duplicate=False)
        )

    def add_params(
        self, params: list[dict], module: nn.Module, **kwargs
    ) -> None:
        """Add the groups of the module's parameters that need a gradient."""
        super().add_params(params, module, **kwargs)
        params[:] = [
            group
            for group in params
            if any(param.requires_grad for param in group['params'])
        ]
