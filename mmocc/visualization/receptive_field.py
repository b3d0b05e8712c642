"""Which pixels an activation can see."""

import copy

import torch
from torch import Tensor, nn

from mmocc.visualization.target_layers import find_layer, run_until

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
NORMS = (nn.BatchNorm2d, nn.LocalResponseNorm)


class ReceptiveField:
    """The receptive fields of a layer's activations, exact to the pixel.

    They come from a backward pass through a copy of the network in which all
    pixels count alike: convolutions and max-pooling average, norms return
    their input. So networks with branches work, too.

    Args:
        model: A convolutional network with ReLU.
        layer: Name of a layer with maps (N, C, h, w).
        size: (H, W) of the images.

    Raises:
        ValueError: There is no such layer.
    """

    def __init__(
        self, model: nn.Module, layer: str, size: tuple[int, int]
    ) -> None:
        twin = copy.deepcopy(model).double().requires_grad_(False).eval()
        _average_everything(twin)
        parameter = next(twin.parameters())
        self.inputs = parameter.new_ones(1, 3, *size).requires_grad_()
        with torch.enable_grad():
            output = run_until(twin, find_layer(twin, layer), self.inputs)
        self.maps: Tensor = output[0].sum(dim=0)  # (h, w)

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return the field of the activations at (y, x).

        xyxy in pixels, half-open, clipped to the image.
        """
        (grad,) = torch.autograd.grad(
            self.maps[y, x], self.inputs, retain_graph=True
        )
        rows, cols = grad[0].sum(dim=0).nonzero().T
        left, top = int(cols.min()), int(rows.min())
        return left, top, int(cols.max()) + 1, int(rows.max()) + 1


def _average_everything(module: nn.Module) -> None:
    """Replace, in place, what would keep a pixel from the gradient."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            nn.init.constant_(child.weight, 1 / child.weight[0].numel())
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, POOLS):
            average = nn.AvgPool2d(
                child.kernel_size, child.stride, child.padding, child.ceil_mode
            )
            setattr(module, name, average)
        elif isinstance(child, NORMS):
            setattr(module, name, nn.Identity())
        else:
            _average_everything(child)
