"""A backbone that also gives the maps of modules within it."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as HOST_MODELS
from torch import Tensor

from mmocc.models.feature_maps import last_feature
from mmocc.registry import MODELS


@MODELS.register_module()
class InnerMapsBackbone(BaseModule):
    """Any backbone; maps of its inner modules come before its own.

    For heads that read a network at places where its stages do not end::

        backbone=dict(
            type='mmocc.InnerMapsBackbone',
            backbone=dict(type='ResNet', depth=50),
            modules=('layer3.0', 'layer3'))

    Args:
        backbone: Config of the backbone.
        modules: Names of modules in the backbone, as in
            ``backbone.named_modules()``, in the order in which they run.
        init_cfg: Initialisation; the backbone has its own.

    Raises:
        ValueError: If the backbone has no such module.
    """

    def __init__(
        self,
        backbone: dict,
        modules: Sequence[str],
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = HOST_MODELS.build(backbone)
        self.inner_names = tuple(modules)
        known = dict(self.backbone.named_modules())
        missing = [name for name in self.inner_names if name not in known]
        if missing:
            raise ValueError(
                f'modules {missing} are not in {type(self.backbone).__name__}'
                f': its first ones are {list(known)[1:6]}'
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the last feature of each module, then the backbone's."""
        maps = {}
        # For this call only: a copy of the network must not write into ours.
        hooks = [
            self.backbone.get_submodule(name).register_forward_hook(
                lambda module, args, out, name=name: maps.update({name: out})
            )
            for name in self.inner_names
        ]
        try:
            own = self.backbone(x)
        finally:
            for hook in hooks:
                hook.remove()
        inner = [last_feature(maps[name]) for name in self.inner_names]
        return (*inner, *(own if isinstance(own, tuple | list) else [own]))
