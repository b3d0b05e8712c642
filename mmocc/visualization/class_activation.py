"""Class activation maps of any classifier, by the methods of grad-cam.

CAM itself (Zhou et al., "Learning Deep Features for Discriminative
Localization", CVPR 2016, arXiv 1512.04150, equation 2) is computed here; the
others come from the package grad-cam (import name ``pytorch_grad_cam``), from
version 1.5 on, which takes the device from the model.
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

from mmocc.visualization.target_layers import (
    as_maps,
    default_layer,
    extra_tokens,
    find_layer,
    run_until,
)

CAM = 'cam'
INSTALL = 'pip install "grad-cam>=1.5"'
ALIASES = {'gradcam++': 'gradcamplusplus'}


def import_grad_cam() -> ModuleType:
    """Return the package grad-cam.

    Raises:
        ImportError: If it is missing or too old; says how to install it.
    """
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise ImportError(
            f'maps other than {CAM!r} need the package grad-cam: {INSTALL}'
        ) from error
    found = version('grad-cam')
    if tuple(int(part) for part in found.split('.')[:2]) < (1, 5):
        raise ImportError(f'grad-cam {found} is too old: {INSTALL}')
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
    """Return the canonical name of a method, in any spelling.

    Raises:
        ValueError: If there is none of that name.
    """
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
        model: A classifier of any host, in eval mode; its call maps (N, 3,
            H, W) to scores (N, classes).
        inputs: Normalised images (N, 3, H, W) on the model's device, from
            its data preprocessor.
        categories: The class of each image, or one for all; the predicted
            ones if None.
        method: ``cam``, or a method of grad-cam, such as ``gradcam``,
            ``gradcam++``, ``layercam``, ``scorecam``.
        layers: Names of the layers to look at; grad-cam averages the maps of
            several. Without a name it is :func:`default_layer`'s.
        num_extra_tokens: Tokens before the patches in networks on tokens;
            the backbone's own number if None.
        aug_smooth: Average over a mirrored and three scaled versions
            (grad-cam's test-time augmentation).
        eigen_smooth: Take the first principal component of the weighted
            activations.

    Returns:
        (N, h, w) float32. ``cam``: the raw map, negative values included, at
        the resolution of the features. Others: in [0, 1] at (H, W), as
        grad-cam scales them: rectified, then min-max.

    Raises:
        ImportError: If grad-cam is missing or too old.
        ValueError: If the method, a layer or a class does not exist, if the
            layer has no map, or if the head is not linear for ``cam``.
    """
    method = check_method(method)
    if num_extra_tokens is None:
        num_extra_tokens = extra_tokens(model)
    categories = _choose(model, inputs, categories)
    if method == CAM and not layers and _knows_maps(model):
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
        return linear_cam(model, inputs, categories, layers[-1], reshape)
    cam = _build(model, inputs, method, layers, reshape)
    return _run(cam, inputs, categories, aug_smooth, eigen_smooth)


def _build(
    model: nn.Module,
    inputs: Tensor,
    method: str,
    layers: Sequence[str],
    reshape: Callable[[Tensor], Tensor],
) -> Any:
    """Return an object of grad-cam with its hooks in the model."""
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
    """Return grad-cam's maps (N, H, W) and take its hooks out of the model."""
    targets = import_grad_cam().utils.model_targets
    try:
        with torch.enable_grad():
            # A gradient at the input makes one in frozen networks, too.
            return cam(
                inputs.detach().clone().requires_grad_(),
                [targets.ClassifierOutputTarget(c) for c in categories],
                aug_smooth=aug,
                eigen_smooth=eigen,
            ).astype(np.float32)
    finally:
        # Emptied first: grad-cam 1.5.7 cannot detach gradients that are views.
        kept = cam.activations_and_grads
        kept.activations, kept.gradients = [], []
        kept.release()
        cam.model.zero_grad(set_to_none=True)


def linear_cam(
    model: nn.Module,
    inputs: Tensor,
    categories: Sequence[int],
    layer: str,
    reshape: Callable[[Tensor], Tensor],
) -> np.ndarray:
    """Return the class maps of a head that is linear on averaged features.

    Zhou et al. 2016, equation 2: the class's weights times the features at
    each position. Their mean over all positions is the class's score, less
    the bias.

    Args:
        model: As in :func:`class_activation`.
        inputs: Normalised images (N, 3, H, W).
        categories: The class of each image.
        layer: Name of the layer whose maps (N, C, h, w) are averaged.
        reshape: Makes maps of the layer's output.

    Returns:
        (N, h, w) float32; raw, negative values included.

    Raises:
        ValueError: If the scores are not those of a linear layer on the
            averaged maps.
    """
    with torch.no_grad():
        maps = reshape(run_until(model, find_layer(model, layer), inputs))
        scores = model(inputs)
        head = getattr(model, 'head', model)
        linear = [m for m in head.modules() if isinstance(m, nn.Linear)]
        fits = bool(linear) and linear[-1].in_features == maps.shape[1]
        same = fits and torch.allclose(
            linear[-1](maps.mean(dim=(2, 3))), scores, rtol=1e-3, atol=1e-4
        )
        if not same:
            raise ValueError(
                'CAM needs a head that is linear on the averaged outputs of '
                f'{layer!r}, and this one is not: choose another method, '
                'such as gradcam, or the layer before the pooling'
            )
        weight = linear[-1].weight[list(categories)]  # (N, C)
        return torch.einsum('nc,nchw->nhw', weight, maps).float().cpu().numpy()


def _choose(
    model: nn.Module, inputs: Tensor, categories: int | Sequence[int] | None
) -> list[int]:
    """Return a class for each image, the predicted ones if none is given."""
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
    for category in categories:
        if not 0 <= category < count:
            raise ValueError(
                f'category {category} is not in 0 ... {count - 1}'
            )
    return categories


def _knows_maps(model: nn.Module) -> bool:
    return hasattr(getattr(model, 'head', None), 'class_maps')
