"""Layers of a network whose outputs are maps of the image."""

import difflib
import math
from collections.abc import Callable

import torch
from mmengine.utils.dl_utils import is_norm
from torch import Tensor, nn

CLOSE_TO_SQUARE = 1.3  # patches are about square on the image


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return a layer by its name, such as ``backbone.layer4``.

    Raises:
        ValueError: If the model has no such layer; names close ones.
    """
    layers = dict(model.named_modules())
    if name not in layers or not name:
        close = difflib.get_close_matches(name, layers, n=5, cutoff=0.4)
        raise ValueError(
            f'the model has no layer {name!r}; close names: '
            f'{", ".join(close) or "none"}; all names: --preview-model'
        )
    return layers[name]


class _Reached(Exception):
    """Ends a forward pass at the layer that was waited for."""


def run_until(model: nn.Module, layer: nn.Module, inputs: Tensor) -> Tensor:
    """Return what a layer gives, without running the layers after it.

    Args:
        model: A network.
        layer: One of its modules.
        inputs: Normalised images (N, 3, H, W).

    Raises:
        ValueError: If the model does not run the layer.
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


def extra_tokens(model: nn.Module) -> int:
    """Return how many tokens before the patches a ViT's backbone says it has.

    Class and distillation tokens: 1 and 2 in mmpretrain's ViT and DeiT, 0 in
    Swin and in networks without tokens.
    """
    return getattr(getattr(model, 'backbone', model), 'num_extra_tokens', 0)


def default_layer(
    model: nn.Module, inputs: Tensor, num_extra_tokens: int = 0
) -> tuple[str, nn.Module]:
    """Return the last layer whose map reaches the score of the top class.

    Of convolutional networks, the last layer before the head with outputs
    (N, C, h, w) of more than one position: the output of the last stage,
    after its residual sums. Of networks on tokens (N, L, C), the last norm
    layer from whose patch tokens the score has a gradient: the last norm
    where patches are averaged, the one before the last attention where a
    class token is read, for patch tokens after that have no influence.

    Args:
        model: A classifier; (N, 3, H, W) to (N, classes).
        inputs: Normalised images (N, 3, H, W).
        num_extra_tokens: Tokens before those of the patches.

    Returns:
        Its name and the layer.

    Raises:
        ValueError: If there is none.
    """
    outputs, shared, scores = _watch(model, inputs)
    grads = torch.autograd.grad(
        scores.max(dim=1).values.sum(),
        list(outputs.values()),
        allow_unused=True,
    )
    found = None
    for name, grad in zip(outputs, grads, strict=True):
        if grad is None or name in shared:  # no one map
            continue
        patches = grad[:, num_extra_tokens:] if grad.ndim == 3 else grad
        if patches.any():
            found = name
    if found is None:
        raise ValueError(
            f'no layer of {type(model).__name__} before its head gives a map '
            'that the score depends on; name one with --target-layers'
        )
    return found, find_layer(model, found)


def _watch(
    model: nn.Module, inputs: Tensor
) -> tuple[dict[str, Tensor], set[str], Tensor]:
    """Run a model and keep the maps of its layers.

    Returns:
        Maps by name in the order in which layers end, with their graph; the
        names of layers that run more than once; and the scores.
    """
    outputs, shared = {}, set()

    def keep(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            if torch.is_tensor(output) and _is_map(module, output):
                if outputs.pop(name, None) is not None:
                    shared.add(name)
                outputs[name] = output

        return hook

    handles = [
        module.register_forward_hook(keep(name))
        for name, module in model.named_modules()
        if name and not name.startswith(('head', 'data_preprocessor'))
    ]
    try:
        with torch.enable_grad():
            # Frozen networks have gradients as well if their input has one.
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
    """Return a layer's output as maps.

    Args:
        output: (N, C, h, w), or tokens (N, L, C).
        size: (H, W) of the network's input, whose aspect tells how tokens lie.
        num_extra_tokens: Tokens before those of the patches.

    Returns:
        (N, C, h, w); a copy, which later in-place layers do not change.

    Raises:
        ValueError: If the output is neither, or its tokens form no grid.
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
            f'{error} (after {num_extra_tokens} extra tokens are left out; '
            'another number: --num-extra-tokens)'
        ) from error
    return tokens.unflatten(1, (h, w)).permute(0, 3, 1, 2).clone()


def token_grid(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) with h * w = count for the squarest patches.

    Args:
        count: Number of patch tokens.
        size: (H, W) of the image they cover.

    Raises:
        ValueError: If the sides of the squarest patches differ by more than
            a factor of 1.3.
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
