"""What the cells of a network's map see of the image."""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.utils.dl_utils import is_norm
from torch import Tensor, nn

from mmocc.utils.cell_grid import CellGrid

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
ACTIVATIONS = 'torch.nn.modules.activation'
# Sides of the probe, beyond the image's; multiples of common strides, so
# that "same" padding stays as it is.
MARGINS = (256, 512, 1024, 2048)
WIDTH = 128  # of the probe, across the axis; InceptionV3 needs 75


class _Ignored(nn.AdaptiveAvgPool2d):
    """A pooling over the whole image, such as a gate's, of no place."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled map, without a way back."""
        return super().forward(x).detach()


def average_everything(module: nn.Module) -> None:
    """Make a network's layers average what they see, in place.

    Then a backward pass gives what an activation sees, and how often.
    Convolutions and max-pooling average, norms return their input, and gates
    that pool the whole image count as constant. It is meant for networks
    with ReLU or a like function.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            _average_conv(child)
        elif isinstance(child, nn.Linear):
            nn.init.constant_(child.weight, 1 / child.in_features)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, POOLS):
            average = nn.AvgPool2d(
                child.kernel_size, child.stride, child.padding, child.ceil_mode
            )
            setattr(module, name, average)
        elif isinstance(child, nn.AdaptiveAvgPool2d):
            setattr(module, name, _Ignored(child.output_size))
        elif _keeps_places(child):
            setattr(module, name, nn.Identity())
        else:
            average_everything(child)


def _keeps_places(module: nn.Module) -> bool:
    """Return whether a layer is a norm, or an activation without weights."""
    if type(module).__module__ == ACTIVATIONS:
        return not list(module.parameters())  # attention has some
    return isinstance(module, nn.LocalResponseNorm) or is_norm(module)


def _average_conv(conv: nn.Conv2d) -> None:
    """Make a convolution average what it sees, in place.

    All its channels are alike then: one is computed and repeated, which is
    many times faster. Its class stays, with the padding that it does.
    """
    channels, size = conv.out_channels, conv.kernel_size
    # Half of the average: sums of branches stay below ReLU6's limit.
    weight = torch.full((1, 1, *size), 0.5 / math.prod(size))
    conv.weight = nn.Parameter(weight.to(conv.weight), requires_grad=False)
    conv.bias = None
    conv.in_channels = conv.out_channels = conv.groups = 1
    conv.register_forward_pre_hook(
        lambda module, args: (args[0].mean(dim=1, keepdim=True), *args[1:])
    )
    conv.register_forward_hook(
        lambda module, args, output: output.repeat(1, channels, 1, 1)
    )


class ReceptiveField:
    """The receptive fields of a map's cells, exact to the pixel.

    A backward pass through a copy of the network in which all pixels count
    alike gives them.

    Args:
        network: A convolutional network, with branches or without.
        run: A function of the network and images (N, 3, H, W) that returns
            the map (N, C, h, w).
        size: (H, W) of the images.
    """

    def __init__(
        self,
        network: nn.Module,
        run: Callable[[nn.Module, Tensor], Tensor],
        size: tuple[int, int],
    ) -> None:
        # In a holder, since layers are replaced in what holds them.
        holder = nn.ModuleList([copy.deepcopy(network)])
        holder.double().requires_grad_(False)
        for part in holder.modules():
            part.training = False  # mmpretrain's own train() returns None
        average_everything(holder)
        twin, parameter = holder[0], next(network.parameters())
        self.inputs = parameter.new_ones(1, 3, *size, dtype=torch.double)
        self.inputs.requires_grad_()
        with torch.enable_grad():
            output = run(twin, self.inputs)
            self.maps: Tensor = output[0].sum(dim=0)  # (h, w)

    def weights(self, y: int, x: int) -> Tensor:
        """Return how often the cell (y, x) sees each pixel, (H, W)."""
        with torch.enable_grad():
            cell = self.maps[y, x]
        (grad,) = torch.autograd.grad(cell, self.inputs, retain_graph=True)
        return grad[0].sum(dim=0)

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return the field of (y, x): xyxy in pixels, half-open, clipped."""
        rows, cols = self.weights(y, x).nonzero().T
        left, top = int(cols.min()), int(rows.min())
        return left, top, int(cols.max()) + 1, int(rows.max()) + 1


def last_map(output: Any) -> Tensor:
    """Return a backbone's last map; ValueError if it is no map."""
    while isinstance(output, list | tuple):
        output = output[-1]
    if not torch.is_tensor(output) or output.ndim != 4:
        shape = getattr(output, 'shape', type(output).__name__)
        raise ValueError(f'the last output must be (N, C, h, w), got {shape}')
    return output


def has_attention(network: nn.Module) -> bool:
    """Return whether a network mixes patches by attention."""
    return any(
        word in type(module).__name__
        for module in network.modules()
        for word in ('Attention', 'MSA')
    )


def find_cells(
    network: nn.Module,
    size: tuple[int, int],
    run: Callable[[nn.Module, Tensor], Tensor] | None = None,
) -> CellGrid:
    """Return where the cells of a network's last map lie in the image.

    A cell lies at the centre of mass of what it sees, all paths through the
    network counted, as if the image had no border. So a map follows from
    kernels, strides and paddings alone, not from weights. Networks with
    attention keep the even grid of their patches.

    Args:
        network: Such as a backbone, on images (N, 3, H, W).
        size: (H, W) of the images.
        run: Returns the map, of the network and images; by default its last
            output.

    Raises:
        ValueError: If the last output is no map, or a cell sees the whole
            image, however large.
    """
    run = run or (lambda net, images: last_map(net(images)))
    if has_attention(network):
        parameter = next(network.parameters())
        with torch.no_grad():
            maps = run(network, parameter.new_zeros(1, 3, *size))
        return CellGrid.even(tuple(maps.shape[-2:]))
    firsts, steps = zip(
        *(_probe(network, run, size, axis) for axis in (0, 1)), strict=True
    )
    return CellGrid(firsts, steps)


def _probe(
    network: nn.Module, run: Callable, size: tuple[int, int], axis: int
) -> tuple[float, float]:
    """Return first centre and step along an axis, in shares of its side."""
    for margin in MARGINS:
        shape = [WIDTH, WIDTH]
        shape[axis] = size[axis] + margin
        field = ReceptiveField(network, run, tuple(shape))
        middle = [side // 2 for side in field.maps.shape]
        centres = []
        for shift in (0, 1):
            middle[axis] += shift
            seen = field.weights(*middle).sum(dim=1 - axis)
            pixels = torch.arange(len(seen)).to(seen) + 0.5
            if not seen.any():
                raise ValueError('its cells see nothing of the image')
            centres.append(float((seen * pixels).sum() / seen.sum()))
            if seen[0] or seen[-1]:  # cut off by the border
                break
        else:
            step = centres[1] - centres[0]
            first = centres[1] - middle[axis] * step
            return first / size[axis], step / size[axis]
    raise ValueError(
        f'a cell of {type(network).__name__} sees all of an image of '
        f'{size[axis] + MARGINS[-1]} pixels, so its place is not known: use '
        "align='grid'"
    )


def try_cells(
    network: nn.Module,
    size: tuple[int, int],
    run: Callable[[nn.Module, Tensor], Tensor] | None = None,
) -> CellGrid | None:
    """Return what :func:`find_cells` does; None, and a warning, if it fails.

    Pictures then draw maps evenly, and aligned metrics refuse them.
    """
    try:
        return find_cells(network, size, run)
    except (ValueError, RuntimeError) as error:
        name = type(network).__name__
        print_log(
            f'where the cells of {name} lie is not known, and its maps are '
            f'drawn evenly: {error}',
            logger='current',
            level=logging.WARNING,
        )
        return None


def set_cells(model: nn.Module, size: tuple[int, int]) -> None:
    """Tell the heads that make class maps where the cells lie, in place.

    Each part of the model with a ``backbone`` and a ``head`` that has
    ``cells`` (``mmocc.CAMHead``, ``mmocc.ACoLHead``, ...) gets the grid of its
    backbone and neck, found once for each size by :func:`try_cells`.

    Args:
        model: A classifier, or a model that holds some.
        size: (H, W) of the images that come next.
    """
    for part in _with_cells(model):
        known = part.__dict__.setdefault('_known_cells', {})
        if size not in known:
            run = _features if hasattr(part, 'extract_feat') else None
            known[size] = try_cells(part, size, run)
        part.head.cells = known[size]


def has_cells(model: nn.Module) -> bool:
    """Return whether a part of a model has a head that takes its cells."""
    return any(True for _ in _with_cells(model))


def _with_cells(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a model that :func:`set_cells` is for."""
    for part in model.modules():
        head = getattr(part, 'head', None)
        if hasattr(part, 'backbone') and hasattr(head, 'cells'):
            yield part


def _features(model: nn.Module, images: Tensor) -> Tensor:
    """Return the map that the head gets."""
    return last_map(model.extract_feat(images))
