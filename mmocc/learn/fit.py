"""Train LEARN on photographs without labels.

The frozen classifier is the teacher: what it answers to a clean photograph,
it must answer to the same photograph partly hidden. With B the network up to
the layer, H what comes after it, E and D LEARN, x a view and x_o its twin:

    loss = KL(H(B(x)), H(D(E(f)))) + rec |D(E(f)) - B(x)|^2 / |B(x)|^2

for f = B(x_o), and for a share of the views also f = B(x), so that what is
not hidden stays as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmocc.learn.agreement import Fit
from mmocc.learn.attach import Attached, attach
from mmocc.learn.features import Features, ask, fitting
from mmocc.learn.probing import check_tail, evaluating, example_of
from mmocc.learn.trainer import Trainer
from mmocc.learn.views import BUILTIN, Images, Views, list_photos
from mmocc.occlusion import KINDS
from mmocc.occlusion.banks import Folders
from mmocc.report.default_transform import default_transform


def fit_learn(
    model: nn.Module,
    images: Images,
    layer: str | None = None,
    learn: Mapping[str, Any] | None = None,
    transform: Callable | None = None,
    epochs: int = 10,
    views: int = 1,
    variants: int = 3,
    kinds: Sequence[str] = KINDS,
    texture_bank: Folders = BUILTIN,
    object_bank: Folders = BUILTIN,
    validation: float = 0.1,
    clean_share: float = 0.5,
    left_alone: float = 0.98,
    max_clean_cost: float = 0.01,
    batch_size: int = 32,
    lr: float = 1e-3,
    temperature: float = 1.0,
    rec_weight: float = 0.1,
    memory_gib: float = 4.0,
    seed: int = 0,
    example: Tensor | None = None,
    tell: Callable[[str], None] = print,
) -> Fit:
    """Train LEARN for a classifier on photographs without labels.

    The classifier itself is not changed. The features of each view, clean and
    hidden in several ways, are computed once; then only LEARN and what comes
    after it are computed. Training runs where the classifier is.

    Args:
        model: Any classifier of torch, trained.
        images: A folder (with folders in it), paths, PIL images or uint8
            arrays, or a data set of them or of (image, label).
        layer: Name of the module whose output is repaired; by default the one
            that gives the last map before the pooling. An earlier one sees
            places apart that later ones mix.
        learn: Options of ``mmocc.LEARN`` beside or instead of the default's.
        transform: From a PIL image to the model's input; by default timm's of
            its models, else 224 pixels and ImageNet's mean, which is told.
        epochs: Passes over the views.
        views: Of each photograph: the whole, and random crops.
        variants: Occluded variants of each view; fewer, if ``memory_gib``
            does not hold them, which is told.
        kinds: Of occluders.
        texture_bank: Folder(s) of images, or a built-in bank.
        object_bank: Folder(s) of RGBA cut-outs, or a built-in bank.
        validation: Share of the photographs that is held out.
        clean_share: Clean views in a batch, for each hidden one.
        left_alone: Share of the clean held-out views that stay as they are,
            and with them all that LEARN changes as little; 0 repairs all.
        max_clean_cost: Share of the clean held-out views that may get another
            answer; of the epochs below it, that with the best agreement is
            kept, and without one, that with the least cost.
        batch_size: Hidden views in a batch.
        lr: Highest learning rate, of AdamW; it follows one cycle.
        temperature: Of the distillation.
        rec_weight: Weight of the reconstruction.
        memory_gib: For all features, in float16.
        seed: Of everything that is random: the same call gives the same LEARN
            on the same machine.
        example: As in :func:`mmocc.learn.attach`.
        tell: Called on lines of progress.

    Returns:
        The handle, and the agreement before and after.

    Raises:
        ValueError: If an argument is wrong, an image cannot be read, or the
            layer cannot be told.
        FloatingPointError: If training diverges.
    """
    _check(epochs, views, variants, validation, clean_share, batch_size, lr)
    if not 0 <= left_alone < 1:
        raise ValueError(f'left_alone= must be in [0, 1), got {left_alone}')
    photos = list_photos(images)
    if transform is None:
        transform, _ = default_transform(type(model).__name__, model)
    prepared = Views(
        photos, transform, views, kinds, texture_bank, object_bank, seed
    )
    with seeded(seed), evaluating(model), frozen(model):
        example = example_of(model, example)
        handle = attach(model, layer, learn, example)
        try:
            check_tail(model, handle.layer, example)
            training, held_out = _features(
                handle, prepared, variants, validation, memory_gib,
                batch_size, tell,
            )  # fmt: skip
            trainer = Trainer(
                handle, training, held_out, example, temperature, rec_weight,
                clean_share, batch_size, left_alone,
            )  # fmt: skip
            fit = trainer.run(epochs, lr, max_clean_cost, tell)
        except BaseException:
            handle.remove()
            raise
    handle.enabled = bool(fit.epoch)
    tell(str(fit))
    return fit


def _check(
    epochs: int,
    views: int,
    variants: int,
    validation: float,
    clean_share: float,
    batch_size: int,
    lr: float,
) -> None:
    """Raise ValueError if an argument is out of its range."""
    counts = dict(
        epochs=epochs, views=views, variants=variants, batch_size=batch_size
    )
    for name, number in counts.items():
        if not isinstance(number, int) or number < 1:
            raise ValueError(
                f'{name}= must be a whole number of at least 1, got {number!r}'
            )
    if not 0 < validation < 1:
        raise ValueError(
            f'validation= must be a share in (0, 1), got {validation}'
        )
    if not 0 <= clean_share <= 1:
        raise ValueError(f'clean_share= must be in [0, 1], got {clean_share}')
    if not lr > 0:
        raise ValueError(f'lr= must be positive, got {lr}')


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's generator by a seed, and leave it as it was."""
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        yield


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Let no parameter of a model train inside of a ``with`` block."""
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    for parameter, _ in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, grad in wanted:
            parameter.requires_grad_(grad)


def split_photos(number: int, share: float) -> tuple[list[int], list[int]]:
    """Return the photographs for training, and those that are held out.

    Raises:
        ValueError: If there are fewer than two.
    """
    if number < 2:
        raise ValueError(
            f'images= has {number} photograph: one must be held out, so at '
            'least two are needed; for diverse features, hundreds'
        )
    order = torch.randperm(number).tolist()
    held = min(max(round(share * number), 1), number - 1)
    return sorted(order[held:]), sorted(order[:held])


def _features(
    handle: Attached,
    views: Views,
    variants: int,
    validation: float,
    memory_gib: float,
    batch_size: int,
    tell: Callable[[str], None],
) -> tuple[Features, Features]:
    """Return the features for training, and those of held-out photographs."""
    train, held = split_photos(len(views.photos), validation)
    numbers = [
        [
            photo * views.views + i
            for photo in photos
            for i in range(views.views)
        ]
        for photos in (train, held)
    ]
    model, layer = handle.model, handle.layer
    out = ask(model, layer, views.levels, numbers[1], batch_size, tell)
    left = memory_gib - out.maps.nbytes / 2**30
    forms = fitting(len(numbers[0]), 1 + variants, out.maps.shape[2:], left)
    if forms <= variants:
        tell(
            f'{forms - 1} instead of {variants} occluded variants of each '
            f'view fit memory_gib={memory_gib:g}'
        )
    tell(
        f'{layer}: features {tuple(out.maps.shape[2:])} of {len(train)} '
        f'photographs, {len(numbers[0])} views, each clean and hidden in '
        f'{forms - 1} ways; {len(held)} photographs are held out'
    )
    return ask(
        model, layer, lambda view: views.twins(view, forms - 1), numbers[0],
        batch_size, tell,
    ), out  # fmt: skip
