"""Activations of a layer, projected back to the pixels.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks",
ECCV 2014, arXiv 1311.2901, section 2.1. All activations of a layer except one
are set to zero. That one goes back to the pixels, layer by layer: unpooled to
the places that the switches remember, rectified, and filtered with the
transposed filters.

This is a backward pass with one rule changed. The gradient of max-pooling goes
to the place of the maximum, as in unpooling with switches; the gradient of a
convolution is the convolution with its transposed filters. At a ReLU, the
gradient passes where the input was positive on the way up, and the deconvnet
rectifies on the way down. captum's ``Deconvolution`` makes that change (import
name ``captum``). It starts from 1 and the deconvnet from the activation: all
steps are positively homogeneous, so we multiply by the activation at the end.
Layers that the paper does not name (batch norm, residual sums) pass the signal
as the gradient does.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmocc.visualization.target_layers import find_layer, run_until

INSTALL = 'pip install "captum>=0.7"'


class _LayerOutput(nn.Module):
    """A model that ends with the map (N, C, h, w) of one of its layers."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model = model
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the map."""
        layer = find_layer(self.model, self.layer)
        output = run_until(self.model, layer, inputs)
        if not torch.is_tensor(output) or output.ndim != 4:
            shape = getattr(output, 'shape', type(output).__name__)
            raise ValueError(
                f'the output of {self.layer!r} is {shape}, not a map '
                '(N, C, h, w)'
            )
        return output


@contextmanager
def _not_in_place(model: nn.Module) -> Iterator[None]:
    """Let no layer overwrite its input: captum's hooks need it."""
    changed = [m for m in model.modules() if getattr(m, 'inplace', False)]
    for module in changed:
        module.inplace = False
    try:
        yield
    finally:
        for module in changed:
            module.inplace = True


def layer_maps(model: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """Return the output (N, C, h, w) of a layer of a network in eval mode.

    Raises:
        ValueError: There is no such layer, or its output is not a map.
    """
    with torch.no_grad(), _not_in_place(model):
        return _LayerOutput(model, layer)(inputs)


def project_activations(
    model: nn.Module,
    layer: str,
    inputs: Tensor,
    units: Sequence[tuple[int, int, int]],
) -> Tensor:
    """Send one activation of each image back to its pixels.

    Args:
        model: A network in eval mode whose ReLUs are modules.
        layer: Name of a layer with maps (N, C, h, w).
        inputs: Normalised images (N, 3, H, W).
        units: For each image (channel, y, x) of the activation.

    Returns:
        (N, 3, H, W): the projection in units of the normalised input.

    Raises:
        ImportError: captum is missing.
        ValueError: The model has no ReLU module, the layer has no maps, or an
            activation does not exist.
    """
    try:
        from captum.attr import Deconvolution
    except ImportError as error:
        raise ImportError(
            f'the deconvnet needs the package captum: {INSTALL}'
        ) from error
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        raise ValueError(
            f'{type(model).__name__} has no ReLU module; the deconvnet is '
            'defined for convolutions, ReLU and max-pooling'
        )
    maps = layer_maps(model, layer, inputs)
    shape = tuple(maps.shape[1:])
    for unit in units:
        if any(not 0 <= i < n for i, n in zip(unit, shape, strict=True)):
            raise ValueError(
                f'{layer!r} has no activation (channel, y, x) = {unit}: its '
                f'maps are {shape}'
            )
    with _not_in_place(model), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter('ignore')  # captum: it sets hooks
        projected = Deconvolution(_LayerOutput(model, layer)).attribute(
            inputs.detach().clone(), target=[tuple(unit) for unit in units]
        )
    model.zero_grad(set_to_none=True)
    values = torch.stack([maps[(n, *unit)] for n, unit in enumerate(units)])
    return projected.detach() * values.clamp(min=0)[:, None, None, None]


def strongest_activations(
    model: nn.Module, layer: str, batches: Iterable[Tensor], count: int = 9
) -> dict[str, Tensor]:
    """Find the images in which each channel of a layer fires most.

    Each image counts once, with its strongest position, as in the paper's
    figure 2. Memory does not grow with the number of images.

    Args:
        model: A network in eval mode.
        layer: Name of a layer with maps (N, C, h, w).
        batches: Normalised images (N, 3, H, W), in batches.
        count: How many images to keep for a channel.

    Returns:
        ``value``, ``image`` (its index), ``y`` and ``x``, each (C, k), the
        strongest first; k is ``count``, or the number of images if smaller.

    Raises:
        ValueError: There are no images.
    """
    best, total = {}, 0
    for inputs in batches:
        maps = layer_maps(model, layer, inputs)
        value, place = maps.flatten(2).max(dim=2)  # (N, C)
        images = torch.arange(total, total + len(maps), device=maps.device)
        new = dict(
            value=value.T,
            image=images.expand(maps.shape[1], -1),
            y=(place // maps.shape[3]).T,
            x=(place % maps.shape[3]).T,
        )
        if best:
            new = {key: torch.cat([best[key], new[key]], 1) for key in new}
        # Stable: of equal values the earlier image stays first.
        order = new['value'].argsort(dim=1, descending=True, stable=True)
        best = {k: v.gather(1, order[:, :count]) for k, v in new.items()}
        total += len(maps)
    if not best:
        raise ValueError('no images to look for strong activations in')
    return best
