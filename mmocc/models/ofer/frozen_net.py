"""A trained network that others are held against."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random


@MODELS.register_module()
class FrozenNet(BaseModule):
    """Outputs of a frozen network, with gradient to what it is shown.

    Its weights never change and it is always in eval mode, but a gradient
    flows through it, to the pictures. It says once if its weights were never
    loaded.

    Args:
        net: Config of a network, called on images: a classifier gives logits.
        layers: Names that the caller uses, and the network's layers whose
            outputs they stand for; None for the network's own output.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` of the network,
            with ``prefix`` where it is a part of what was saved; or the same
            as the network's own ``init_cfg``.

    Raises:
        ValueError: If the network has no such layer, or a checkpoint does not
            fit it.
    """

    def __init__(
        self,
        net: dict | nn.Module,
        layers: dict[str, str] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        built = isinstance(net, nn.Module)
        self.net = net if built else MODELS.build(net)
        self.layers = dict(layers) if layers else None
        known = dict(self.net.named_modules())
        for layer in (self.layers or {}).values():
            if layer not in known:
                raise ValueError(
                    f'{type(self.net).__name__} has no layer {layer!r}; it '
                    f'has {", ".join(name for name in known if name)}'
                )
        self.loaded = built
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> 'FrozenNet':
        """Stay in eval mode, whatever is asked for."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output of the network, or of layers by their names.

        Args:
            images: (N, 3, H, W), normalised.
        """
        self._warn_if_random()
        if self.layers is None:
            return self.net(images)
        found, handles = {}, []
        for name, layer in self.layers.items():

            def keep(module: nn.Module, args: tuple, out: Tensor, n=name):  # noqa: ANN001, ANN202
                found[n] = out

            hook = self.net.get_submodule(layer).register_forward_hook(keep)
            handles.append(hook)
        try:
            self.net(images)
        finally:
            for handle in handles:
                handle.remove()
        return found

    def init_weights(self) -> None:
        """Initialise, or load what a ``Pretrained`` init_cfg names."""
        super().init_weights()
        own = getattr(self.net, 'init_cfg', None)
        for cfg in own if isinstance(own, list) else [own or {}]:
            self.loaded |= cfg.get('type') == 'Pretrained'
        if self.init_cfg and not self.loaded:
            raise ValueError(
                f'{self.init_cfg.get("checkpoint")} holds no weights of a '
                f'{type(self.net).__name__}; name its checkpoint, and in '
                "prefix where in it the network stands, such as 'backbone.'"
            )

    def _warn_if_random(self) -> None:
        """Say once that the network was never loaded."""
        if not self.loaded:
            self.loaded = True
            warn_random(
                'mmocc.FrozenNet',
                type(self.net).__name__,
                'it compares random features',
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        own, inner = self.net.state_dict(), f'{prefix}net.'
        # A checkpoint of the network alone
        if not any(key.startswith(inner) for key in state_dict):
            for name in own:
                if prefix + name in state_dict:
                    state_dict[inner + name] = state_dict.pop(prefix + name)
        given = {
            key.removeprefix(inner): value
            for key, value in state_dict.items()
            if key.startswith(inner)
        }
        if given:
            check_frozen(own, given, 'network', 'network')
            self.loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)
