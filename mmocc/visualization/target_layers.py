"""Layers of a network and their maps."""

import difflib
import math
from collections.abc import Callable

import torch
from mmengine.utils.dl_utils import is_norm
from torch import Tensor, nn

CLOSE_TO_SQUARE = 1.3  # patches are about square on the image


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return a layer by its name; ValueError, with close names, if none."""
    layers = dict(model.named_modules())
    if name not in layers or not name:
        close = difflib.get_close_matches(name, layers, n=5, cutoff=0.4)
        raise ValueError(
            f'the model has no layer {name!r}; close names: '
            f'{", ".join(close) or "none"}; all names: --preview-model'
        )
    return layers[name]


class _Reached(Exception):
    """Ends a forward pass at the wanted layer; carries its output."""


def run_until(model: nn.Module, layer: nn.Module, inputs: Tensor) -> Tensor:
    """Return a layer's output without running later layers.

    ValueError if the model does not run the layer.
    """

    def stop(module: nn.Module, args: tuple, output: Tensor) -> None:
        raise _Reached(output)

    handle = layer.register_forward_hook(stop)
    try:
        model(inputs)
    except _Reached as reached:
        return reached.args[0]
    finally:
        handle.remove()
    raise ValueError(f'the model does not run its layer {layer}')


def run_to(name: str) -> Callable[[nn.Module, Tensor], Tensor]:
    """Return a function of a model and images: a layer's output, by name."""
    return lambda model, images: run_until(
        model, find_layer(model, name), images
    )


def extra_tokens(model: nn.Module) -> int:
    """Return how many class and distillation tokens precede the patches."""
    return getattr(getattr(model, 'backbone', model), 'num_extra_tokens', 0)


def default_layer(
    model: nn.Module, inputs: Tensor, num_extra_tokens: int = 0
) -> tuple[str, nn.Module]:
    """Return name and module of the last map that the top score depends on.

    In a convolutional network it is the last layer before the head with
    outputs (N, C, h, w) of more than one position. On tokens (N, L, C) it is
    the last norm layer from whose patch tokens the score has a gradient: the
    last norm if patches are averaged; the norm before the last attention if a
    class token is read. ``inputs`` are normalised (N, 3, H, W). ValueError if
    there is none.
    """
    outputs, shared, scores = _watch(model, inputs)
    with torch.enable_grad():
        top = scores.max(dim=1).values.sum()
    grads = torch.autograd.grad(top, [*outputs.values()], allow_unused=True)
    last = None
    for name, grad in zip(outputs, grads, strict=True):
        if grad is None or name in shared:  # unused, or several maps
            continue
        patches = grad[:, num_extra_tokens:] if grad.ndim == 3 else grad
        if patches.any():
            last = name
    if last is None:
        raise ValueError(
            f'no layer of {type(model).__name__} before its head gives a map '
            'that the score depends on; name one with --target-layers'
        )
    return last, find_layer(model, last)


def _watch(
    model: nn.Module, inputs: Tensor
) -> tuple[dict[str, Tensor], set[str], Tensor]:
    """Return maps by layer, names of layers that run twice, and scores."""
    outputs, shared = {}, set()

    def record(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            if torch.is_tensor(output) and _is_map(module, output):
                if outputs.pop(name, None) is not None:
                    shared.add(name)
                outputs[name] = output

        return hook

    handles = [
        module.register_forward_hook(record(name))
        for name, module in model.named_modules()
        if name and not name.startswith(('head', 'data_preprocessor'))
    ]
    try:
        with torch.enable_grad():
            # Frozen networks need an input with a gradient.
            scores = model(inputs.detach().clone().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    return outputs, shared, scores


def _is_map(module: nn.Module, output: Tensor) -> bool:
    if output.ndim == 4:
        return output.shape[2] * output.shape[3] > 1
    return output.ndim == 3 and is_norm(module)


def as_maps(
    output: Tensor, size: tuple[int, int], num_extra_tokens: int = 0
) -> Tensor:
    """Return a layer's output as maps (N, C, h, w), a copy.

    Args:
        output: (N, C, h, w), or tokens (N, L, C).
        size: (H, W) of the network's input; the tokens' grid has its aspect.
        num_extra_tokens: Tokens before those of the patches.

    Raises:
        ValueError: The output has another shape, or its tokens form no grid.
    """
    if output.ndim == 4:
        return output.clone()
    if output.ndim != 3:
        raise ValueError(
            f'a layer with output {tuple(output.shape)} has no map; choose '
            'one with (N, C, h, w) or tokens (N, L, C)'
        )
    tokens = output[:, num_extra_tokens:]
    try:
        h, w = token_grid(tokens.shape[1], size)
    except ValueError as error:
        raise ValueError(
            f'{error} (without {num_extra_tokens} extra tokens; another '
            'number: --num-extra-tokens)'
        ) from error
    return tokens.unflatten(1, (h, w)).permute(0, 3, 1, 2).clone()


def token_grid(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) of ``count`` patches, the squarest on a (H, W) image.

    ValueError if the sides of a patch would differ by more than a factor of
    1.3.
    """

    def stretch(h: int) -> float:
        return abs(math.log(size[0] / h * (count // h) / size[1]))

    rows = [h for h in range(1, count + 1) if count % h == 0]
    h = min(rows, key=stretch, default=0)
    if not h or stretch(h) > math.log(CLOSE_TO_SQUARE):
        raise ValueError(
            f'{count} tokens are no grid of square patches on an image of '
            f'{size[0]}x{size[1]}'
        )
    return h, count // h
