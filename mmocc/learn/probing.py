"""Which modules of a network give features, and what follows them.

All that is known of a network comes from passes of one image, watched by
forward hooks; its own code is not read.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmocc.models.feature_maps import last_feature, last_path, replace_last
from mmocc.report.torch_model import modes_kept, unwrapped_logits

SIDE = 224  # of an image, where a model does not say its own
NAMED = 6  # candidates that an error names
GIVE_LAYER = "name one by layer=, as in model.named_modules(): layer='...'"


class Output(NamedTuple):
    """What a module gave in a pass."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]  # of its last feature, the batch first


def example_of(model: nn.Module, image: Tensor | None = None) -> Tensor:
    """Return an image (1, C, H, W) that a model takes, on its device.

    Args:
        model: Where it says its input size (timm, transformers), that is
            taken, else 3 x 224 x 224.
        image: The one to take instead.
    """
    if image is None:
        size = (3, SIDE, SIDE)
        told = getattr(model, 'pretrained_cfg', None)
        if isinstance(told, Mapping):
            size = tuple(told.get('input_size') or size)
        config = getattr(model, 'config', None)
        side = getattr(config, 'image_size', None)
        if isinstance(side, int):
            size = (getattr(config, 'num_channels', 3), side, side)
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(1, *size, generator=generator)
    first = next(model.parameters(), None)
    if image.dim() != 4:
        raise ValueError(
            f'example= must be images (1, C, H, W), got {tuple(image.shape)}'
        )
    return image[:1] if first is None else image[:1].to(first)


def logits_of(output: Any) -> Tensor:
    """Return the logits (N, classes) in what a classifier gives.

    Raises:
        ValueError: If there are none.
    """
    logits = unwrapped_logits(output)
    if not torch.is_tensor(logits) or logits.dim() != 2:
        shape = tuple(getattr(logits, 'shape', ()))
        raise ValueError(
            'the model must give logits (N, classes), got '
            f'{type(logits).__name__} {shape}'
        )
    return logits


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and each of its modules back after it."""
    with modes_kept([model]):
        model.eval()
        yield


@contextmanager
def hooked(module: nn.Module, hook: Callable[[Any], Any]) -> Iterator[None]:
    """Call a function on what a module gives; it may return another."""
    handle = module.register_forward_hook(lambda _, __, output: hook(output))
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def outputs_of(model: nn.Module, example: Tensor) -> list[Output]:
    """Return what modules gave, in the order in which they were done.

    A module that runs twice is there twice; one that gives no feature is not.
    """
    given: list[Output] = []

    def watch(name: str) -> Callable:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if last_path(output) is not None:
                shape = tuple(last_feature(output).shape)
                given.append(Output(name, module, shape))

        return hook

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if name
    ]
    try:
        with evaluating(model):
            logits_of(model(example))
    finally:
        for handle in handles:
            handle.remove()
    return given


def is_map(output: Output) -> bool:
    """Return whether it is a map (N, C, h, w) that is not pooled."""
    shape = output.shape
    pools = 'pool' in type(output.module).__name__.lower()
    return len(shape) == 4 and shape[2] * shape[3] > 1 and not pools


def channels_of(shape: tuple[int, ...]) -> int:
    """Return the channels of a feature: the side that is no place.

    They come last in tokens (N, L, C), and in maps (N, h, w, C), which are
    known by their square.
    """
    last = len(shape) == 3 or (
        len(shape) == 4 and shape[1] == shape[2] != shape[3]
    )
    return shape[-1] if last else shape[1]


def find_layer(outputs: list[Output]) -> Output:
    """Return the module that gives the last map, before it is pooled.

    Raises:
        ValueError: If there is none, it runs several times, or what follows
            works on tokens, so that places are still apart.
    """
    places = [i for i, output in enumerate(outputs) if is_map(output)]
    after = outputs[places[-1] + 1 :] if places else outputs
    tokens = [output for output in after if len(output.shape) == 3]
    if not places or tokens:
        raise ValueError(
            'no module gives a map (N, C, h, w) just before the pooling: '
            f'{GIVE_LAYER}. {_candidates(tokens or outputs)}'
        )
    last = outputs[places[-1]]
    if [output.name for output in outputs].count(last.name) > 1:
        raise ValueError(
            f'{last.name}, which gives the last map, runs several times: '
            f'{GIVE_LAYER}. {_candidates([outputs[i] for i in places])}'
        )
    return last


def _candidates(outputs: list[Output]) -> str:
    """Return the last candidates in words: numbered blocks, if there are."""
    names = [output.name for output in outputs]
    once = [o for o in outputs if names.count(o.name) == 1]
    blocks = [o for o in once if o.name.rpartition('.')[2].isdigit()]
    words = [f'{o.name} {o.shape[1:]}' for o in (blocks or once)[-NAMED:]]
    return f'Candidates, and what they give: {", ".join(words) or "none"}'


def named_layer(outputs: list[Output], layer: str) -> Output:
    """Return what a named module gave.

    Raises:
        ValueError: If it did not run, or several times.
    """
    given = [output for output in outputs if output.name == layer]
    if len(given) != 1:
        times = f'ran {len(given)} times' if given else 'gave no feature'
        raise ValueError(
            f'layer={layer!r} {times} in a pass of an image; '
            f'{GIVE_LAYER}. {_candidates(outputs)}'
        )
    return given[0]


def run_from(
    model: nn.Module, layer: str, feature: Tensor, example: Tensor
) -> Tensor:
    """Return the logits of features that stand for a module's output.

    The modules before it see the one image of ``example``, and what they make
    of it is replaced: so N features cost the rest of the network only.

    Args:
        model: A classifier.
        layer: Name of the module.
        feature: (N, ...), as the module would give it for N images.
        example: (1, C, H, W).
    """

    def replace(output: Any) -> Any:
        return replace_last(output, feature)

    with hooked(model.get_submodule(layer), replace):
        return logits_of(model(example))


def feature_of(
    model: nn.Module, layer: str, images: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a module's last feature for N images, and the model's logits."""
    features: list[Tensor] = []

    def keep(output: Any) -> None:
        features.append(last_feature(output))

    with hooked(model.get_submodule(layer), keep):
        logits = logits_of(model(images))
    return features[0], logits


def _two(example: Tensor) -> Tensor:
    """Return two images of an example's size, which differ."""
    return torch.cat([example, example.flip(-1) * 0.5])


@torch.no_grad()
def check_effect(
    model: nn.Module,
    layer: str,
    example: Tensor,
    blank: Callable[[Tensor], Tensor],
) -> None:
    """Check that a classifier's answer depends on what LEARN repairs.

    Args:
        model: The classifier.
        layer: Name of the module.
        example: (1, C, H, W).
        blank: Returns a feature with 0 in all that LEARN repairs.

    Raises:
        ValueError: If it does not.
    """

    def empty(output: Any) -> Any:
        return replace_last(output, blank(last_feature(output)))

    with evaluating(model):
        logits = logits_of(model(example))
        with hooked(model.get_submodule(layer), empty):
            without = logits_of(model(example))
    if torch.equal(without, logits):
        raise ValueError(
            f'the answer does not depend on what LEARN repairs at {layer} '
            '(it reads another feature, such as the class token): name an '
            'earlier layer'
        )


@torch.no_grad()
def check_tail(model: nn.Module, layer: str, example: Tensor) -> None:
    """Check that :func:`run_from` gives the classifier's own answer.

    Args:
        model: The classifier.
        layer: Name of the module.
        example: (1, C, H, W).

    Raises:
        ValueError: If it does not, so that LEARN cannot be trained on stored
            features.
    """
    with evaluating(model):
        feature, logits = feature_of(model, layer, _two(example))
        try:
            again = run_from(model, layer, feature, example)
            same = torch.allclose(
                again, logits, rtol=0.01, atol=0.01 * float(logits.abs().max())
            )
        except RuntimeError:  # of shapes that follow the number of images
            same = False
    if not same:
        raise ValueError(
            f'the answer depends on more than what {layer} gives (it is '
            'inside of a branch, with another way round it): name the module '
            'that ends the branch'
        )
