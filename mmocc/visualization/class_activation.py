"""Class activation maps of any classifier, by the methods of grad-cam.

CAM itself (Zhou et al., CVPR 2016, arXiv 1512.04150, equation 2) is computed
here, the others by the package grad-cam (``pytorch_grad_cam``).
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmocc.utils.cell_grid import CellGrid
from mmocc.visualization.receptive_field import set_cells, try_cells
from mmocc.visualization.target_layers import (
    as_maps,
    default_layer,
    extra_tokens,
    find_layer,
    run_to,
    run_until,
    token_grid,
)

CAM = 'cam'
INSTALL = 'pip install "grad-cam>=1.5"'
ALIASES = {'gradcam++': 'gradcamplusplus'}


def import_grad_cam() -> ModuleType:
    """Return the package grad-cam; ImportError if missing or too old."""
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise ImportError(
            f'maps other than {CAM!r} need the package grad-cam: {INSTALL}'
        ) from error
    installed = version('grad-cam')
    if tuple(int(part) for part in installed.split('.')[:2]) < (1, 5):
        raise ImportError(f'grad-cam {installed} is too old: {INSTALL}')
    return pytorch_grad_cam


def method_classes() -> dict[str, type]:
    """Return grad-cam's methods by lower-case name, such as ``layercam``."""
    package = import_grad_cam()
    base = package.base_cam.BaseCAM
    return {
        name.lower().replace('_', ''): kind
        for name, kind in vars(package).items()
        if inspect.isclass(kind) and issubclass(kind, base)
    }


def check_method(method: str) -> str:
    """Return a method's canonical name; ValueError if there is none."""
    plain = method.lower().replace('-', '').replace('_', '')
    plain = ALIASES.get(plain, plain)
    if plain != CAM and plain not in method_classes():
        known = [CAM, *ALIASES, *sorted(method_classes())]
        raise ValueError(f'unknown method {method!r}; choose from {known}')
    return plain


def method_title(method: str) -> str:
    """Return a method's name as people write it, such as ``GradCAM++``."""
    if method == CAM:
        return 'CAM'
    name = method_classes()[method].__name__
    return name.replace('PlusPlus', '++').replace('_', '-')


def class_activation(
    model: nn.Module,
    inputs: Tensor,
    categories: int | Sequence[int] | None = None,
    method: str = 'gradcam',
    layers: Sequence[str] = (),
    num_extra_tokens: int | None = None,
    aug_smooth: bool = False,
    eigen_smooth: bool = False,
) -> np.ndarray:
    """Return where a classifier sees a class.

    Args:
        model: A classifier of any host, in eval mode: (N, 3, H, W) to (N,
            classes).
        inputs: Normalised images (N, 3, H, W) on the model's device.
        categories: The class of each image, or one for all; None: predicted
            ones.
        method: ``cam``, or a method of grad-cam, such as ``gradcam++``.
        layers: Names of layers, whose maps are averaged;
            :func:`default_layer`'s without.
        num_extra_tokens: Tokens before the patches; None: the backbone's
            number.
        aug_smooth: Average over a mirrored and three scaled versions.
        eigen_smooth: Take the first principal component of weighted
            activations.

    Returns:
        (N, h, w) float32. ``cam``: raw, at the resolution of the features.
            Others: in [0, 1] at (H, W), rectified and scaled by minimum and
            maximum.

    Raises:
        ImportError: grad-cam is missing or too old.
        ValueError: The method, a layer or a class does not exist, the layer
            has no map, or the head is not linear for ``cam``.
    """
    method = check_method(method)
    if num_extra_tokens is None:
        num_extra_tokens = extra_tokens(model)
    categories = _check_categories(model, inputs, categories)
    own_maps = hasattr(getattr(model, 'head', None), 'class_maps')
    if method == CAM and not layers and own_maps:
        with torch.no_grad():  # mmocc.CAMHead
            labels = torch.tensor(categories, device=inputs.device)
            maps = model.head.class_maps(model.extract_feat(inputs), labels)
        return maps.cpu().numpy()
    if not layers:
        layers = [default_layer(model, inputs, num_extra_tokens)[0]]
    reshape = partial(
        as_maps, size=inputs.shape[-2:], num_extra_tokens=num_extra_tokens
    )
    if method == CAM:
        return _linear_cam(model, inputs, categories, layers[-1], reshape)
    cam = _grad_cam(model, inputs, method, layers, reshape)
    return _run(cam, inputs, categories, aug_smooth, eigen_smooth)


def activation_cells(
    model: nn.Module,
    size: tuple[int, int],
    method: str = 'gradcam',
    layers: Sequence[str] = (),
    num_extra_tokens: int | None = None,
) -> CellGrid | None:
    """Return where the cells of :func:`class_activation`'s maps lie.

    Args:
        model: As there.
        size: (H, W) of the images that the network gets.
        method: As there.
        layers: As there. Of several, the last one's cells count.
        num_extra_tokens: As there.

    Returns:
        None where the place is not known; patches lie evenly.
    """
    known = model.__dict__.setdefault('_activation_cells', {})
    key = size, check_method(method), tuple(layers), num_extra_tokens
    if key not in known:
        known[key] = _activation_cells(model, *key)
    return known[key]


def _activation_cells(
    model: nn.Module,
    size: tuple[int, int],
    method: str,
    layers: Sequence[str],
    num_extra_tokens: int | None,
) -> CellGrid | None:
    """Find what :func:`activation_cells` returns."""
    if num_extra_tokens is None:
        num_extra_tokens = extra_tokens(model)
    own_maps = hasattr(getattr(model, 'head', None), 'class_maps')
    if method == CAM and not layers and own_maps:
        set_cells(model, size)
        return model.head.cells
    inputs = next(model.parameters()).new_zeros(1, 3, *size)
    if not layers:
        layers = [default_layer(model, inputs, num_extra_tokens)[0]]
    run = run_to(layers[-1])
    with torch.no_grad():
        output = run(model, inputs)
    if output.ndim == 4:
        shape, cells = tuple(output.shape[-2:]), try_cells(model, size, run)
    else:  # patches
        shape = token_grid(output.shape[1] - num_extra_tokens, size)
        cells = CellGrid.even(shape)
    if cells is None or method == CAM:
        return cells
    # All others enlarge the map to the image.
    return cells.refined(shape, size)


def _grad_cam(
    model: nn.Module,
    inputs: Tensor,
    method: str,
    layers: Sequence[str],
    reshape: Callable[[Tensor], Tensor],
) -> Any:
    """Return an object of grad-cam; it puts hooks into the model."""
    targets = [find_layer(model, name) for name in layers]
    options = {}
    if method == 'ablationcam':
        with torch.no_grad():
            output = run_until(model, targets[-1], inputs)
        if output.ndim == 3:
            options['ablation_layer'] = import_grad_cam().AblationLayerVit()
    kind = method_classes()[method]
    return kind(model, targets, reshape_transform=reshape, **options)


def _run(
    cam: Any, inputs: Tensor, categories: Sequence[int], aug: bool, eigen: bool
) -> np.ndarray:
    """Return grad-cam's maps (N, H, W) and remove its hooks."""
    targets = import_grad_cam().utils.model_targets
    try:
        with torch.enable_grad():
            # Frozen networks need an input with a gradient.
            return cam(
                inputs.detach().clone().requires_grad_(),
                [targets.ClassifierOutputTarget(c) for c in categories],
                aug_smooth=aug,
                eigen_smooth=eigen,
            ).astype(np.float32)
    finally:
        # grad-cam 1.5.7 cannot detach gradients that are views: drop them.
        hooks = cam.activations_and_grads
        hooks.activations, hooks.gradients = [], []
        hooks.release()
        cam.model.zero_grad(set_to_none=True)


def _linear_cam(
    model: nn.Module,
    inputs: Tensor,
    categories: Sequence[int],
    layer: str,
    reshape: Callable[[Tensor], Tensor],
) -> np.ndarray:
    """Return maps (N, h, w): the class's weights times each position."""
    with torch.no_grad():
        maps = reshape(run_until(model, find_layer(model, layer), inputs))
        scores = model(inputs)
        head = getattr(model, 'head', model)
        linear = [m for m in head.modules() if isinstance(m, nn.Linear)]
        fits = bool(linear) and linear[-1].in_features == maps.shape[1]
        if not fits or not torch.allclose(
            linear[-1](maps.mean(dim=(2, 3))), scores, rtol=1e-3, atol=1e-4
        ):
            raise ValueError(
                'CAM needs a head that is linear on the averaged outputs of '
                f'{layer!r}, and this one is not: choose another method, '
                'such as gradcam, or the layer before the pooling'
            )
        weight = linear[-1].weight[list(categories)]  # (N, C)
        return torch.einsum('nc,nchw->nhw', weight, maps).float().cpu().numpy()


def _check_categories(
    model: nn.Module, inputs: Tensor, categories: int | Sequence[int] | None
) -> list[int]:
    """Return a class for each image; for None the predicted ones."""
    with torch.no_grad():
        scores = model(inputs)
    if not torch.is_tensor(scores) or scores.ndim != 2:
        raise ValueError(
            'class activation maps need a classifier that gives scores '
            f'(N, classes); {type(model).__name__} gives '
            f'{getattr(scores, "shape", type(scores).__name__)}'
        )
    if categories is None:
        return scores.argmax(dim=1).tolist()
    count = scores.shape[1]
    if not isinstance(categories, Sequence | np.ndarray | Tensor):
        categories = [categories] * len(inputs)
    categories = [int(category) for category in categories]
    if len(categories) != len(inputs):
        raise ValueError(
            f'{len(categories)} categories for {len(inputs)} images'
        )
    wrong = [number for number in categories if not 0 <= number < count]
    if wrong:
        raise ValueError(f'category {wrong[0]} is not in 0 ... {count - 1}')
    return categories
