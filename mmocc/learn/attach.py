"""LEARN at the output of a module of any torch classifier."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmocc.learn import files
from mmocc.learn.probing import (
    channels_of,
    check_effect,
    check_tail,
    example_of,
    find_layer,
    logits_of,
    named_layer,
    outputs_of,
)
from mmocc.models.feature_maps import Size
from mmocc.models.learn.insertion import repair_output
from mmocc.models.learn.learn import LEARN

FULL_GATE = 256  # channels up to which a gate of 2 C^2 + C numbers is small
LARGEST = 64 * 1536  # hidden channels times channels: files below 4 MiB


def default_options(channels: int) -> dict[str, Any]:
    """Return the options of a LEARN that is not described further.

    Its file is below 4 MiB.
    """
    return dict(
        in_channels=channels,
        hidden_channels=min(64, max(LARGEST // channels, 8)),
        pool='none',
        gate='full' if channels <= FULL_GATE else 'low_rank',
    )


def change_of(feature: Tensor, repaired: Tensor) -> Tensor:
    """Return how much LEARN changes features (N, ...), in squares: (N,)."""
    diff = (repaired - feature).float().flatten(1).square().mean(dim=1)
    power = feature.float().flatten(1).square().mean(dim=1)
    return diff / power.clamp_min(1e-12)


def switch(feature: Tensor, repaired: Tensor, threshold: float) -> Tensor:
    """Return the repaired features of images that LEARN changes enough.

    Args:
        feature: (N, ...).
        repaired: The same shape.
        threshold: Least change; the others stay as they are.
    """
    if not threshold:
        return repaired
    enough = change_of(feature, repaired) >= threshold
    shape = [-1] + [1] * (feature.dim() - 1)
    return torch.where(enough.view(shape), repaired, feature)


class Attached(nn.Module):
    """A classifier with LEARN, which repairs the features of one module.

    Called, it is the classifier; the classifier itself is repaired, too, as
    its module has a hook. The classifier's state dict is what it was: LEARN's
    tensors are in this module's, under ``learn``.

    A copy (``copy.deepcopy``) of either is whole and independent.
    ``torch.compile`` and ``torch.jit.trace`` take what is switched on at that
    time; ``torch.jit.script`` refuses modules with hooks. Move it between
    devices and types as a whole, by ``Attached.to``.

    Args:
        model: The classifier; its weights are not changed.
        layer: Name of the module.
        learn: Options of ``mmocc.LEARN``.
        grid: (h, w) of a transformer's tokens, if it is not a square.

    Attributes:
        enabled: Whether features are repaired.
        threshold: Images whose feature changes less, |x' - x|^2 / |x|^2, stay
            as they are: what LEARN hardly changes is hardly hidden.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        learn: Mapping[str, Any],
        grid: Size | None = None,
    ) -> None:
        super().__init__()
        module = model.get_submodule(layer)
        for hook in module._forward_hooks.values():
            if isinstance(getattr(hook, '__self__', None), Attached):
                raise ValueError(
                    f'{layer} has a LEARN already: call remove() of its handle'
                )
        self.model = model
        self.layer = layer
        self.options = dict(learn)
        self.learn = LEARN(**self.options)
        self.enabled = True
        self.threshold = 0.0
        self._hook = module.register_forward_hook(self._repaired)

    def _repaired(self, module: nn.Module, args: tuple, output: Any) -> Any:
        """Return a module's output with its last feature repaired."""
        if not self.enabled:
            return output
        return repair_output(output, self._repair, None)

    def _repair(self, feature: Tensor, grid: Size | None) -> Tensor:
        """Return a feature repaired, on its device and in its type."""
        own = next(self.learn.parameters())
        if own.device != feature.device:
            raise ValueError(
                f'LEARN is on {own.device}, and {self.layer} gives features '
                f'on {feature.device}: move the handle that attach() gave, '
                f".to('{feature.device}'), which moves both"
            )
        given = feature.to(own.dtype)
        repaired = self.learn.repair(given, grid)[0]
        return switch(given, repaired, self.threshold).to(feature.dtype)

    def blank(self, feature: Tensor) -> Tensor:
        """Return a feature with 0 in all that LEARN repairs."""
        maps, back = self.learn.to_map(feature)
        return back(maps * 0)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the classifier gives."""
        return self.model(*args, **kwargs)

    def averaged(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the mean probabilities (N, classes), with LEARN and without.

        It takes two passes, and costs less than LEARN alone when nothing is
        hidden.
        """
        repaired = logits_of(self(*args, **kwargs)).softmax(dim=1)
        with self.disabled():
            plain = logits_of(self(*args, **kwargs)).softmax(dim=1)
        return (repaired + plain) / 2

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Do without LEARN inside of a ``with`` block."""
        before, self.enabled = self.enabled, False
        try:
            yield
        finally:
            self.enabled = before

    def remove(self) -> nn.Module:
        """Take LEARN out for good; return the classifier."""
        self._hook.remove()
        return self.model

    def save(self, path: str | Path) -> Path:
        """Write LEARN alone, in half precision, and what it belongs to.

        Returns:
            The path. The file is whole or not there.

        Raises:
            ValueError: If a number of LEARN does not fit half precision.
        """
        return files.write(
            path, self.learn, self.options, self.layer, self.threshold,
            self.model,
        )  # fmt: skip

    def load(self, path: str | Path) -> 'Attached':
        """Read LEARN from a file of the same form, layer and classifier.

        It is switched on.

        Raises:
            ValueError: If one of them is another; the message says which.
            FileNotFoundError: If there is no such file.
        """
        saved = files.read(path, self.model)
        for name, own in (('layer', self.layer), ('learn', self.options)):
            if saved[name] != own:
                raise ValueError(
                    f'{path} is for {name}={saved[name]!r}, this one has '
                    f'{name}={own!r}; mmocc.learn.load(model, file) makes '
                    'what fits'
                )
        self.learn.load_state_dict(saved['state'])
        self.threshold = saved['threshold']
        self.enabled = True
        return self

    def extra_repr(self) -> str:
        """Return where LEARN is, and whether it is on."""
        return f'layer={self.layer!r}, enabled={self.enabled}'


def attach(
    model: nn.Module,
    layer: str | None = None,
    learn: Mapping[str, Any] | None = None,
    example: Tensor | None = None,
) -> Attached:
    """Put a new LEARN at the output of a module of a classifier.

    It is not trained, so it is switched off: set ``enabled`` to train it in a
    loop of your own. :func:`mmocc.fit_learn` attaches and trains.

    Args:
        model: Any classifier of torch that gives logits (N, classes), or an
            object that has ``logits``.
        layer: Name of the module, as in ``model.named_modules()``. By default
            the one that gives the last map before the pooling.
        learn: Options of ``mmocc.LEARN`` beside or instead of the default's;
            ``in_channels`` is found.
        example: Images (1, C, H, W) that the model takes; by default of the
            size that it states, or of 3 x 224 x 224.

    Returns:
        The handle: on and off, save and load.

    Raises:
        ValueError: If the module cannot be told, does not run just once,
            or does not decide the answer; candidates are named.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(
            f'model must be a torch module, got {type(model).__name__}'
        )
    image = example_of(model, example)
    outputs = outputs_of(model, image)
    if layer is None:
        place = find_layer(outputs)
        check_tail(model, place.name, image)
    else:
        place = named_layer(outputs, layer)
    options = default_options(channels_of(place.shape)) | dict(learn or {})
    handle = Attached(model, place.name, options)
    first = next(model.parameters(), image)
    handle.learn.to(first.device)
    try:
        with handle.disabled():
            check_effect(model, place.name, image, handle.blank)
    except ValueError:
        handle.remove()
        raise
    handle.enabled = False
    return handle


def load(model: nn.Module, path: str | Path) -> Attached:
    """Put the LEARN of a file into the classifier that it was trained for.

    Args:
        model: With the same weights as then.
        path: Of a file that ``save`` wrote.

    Raises:
        ValueError: If the weights are others, or the file is none of ours.
        FileNotFoundError: If there is no such file.
    """
    saved = files.read(path, model)
    handle = Attached(model, saved['layer'], saved['learn'])
    handle.learn.load_state_dict(saved['state'])
    handle.threshold = saved['threshold']
    first = next(model.parameters(), None)
    if first is not None:
        handle.learn.to(first.device)
    return handle
