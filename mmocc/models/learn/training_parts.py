"""Checks and parts of training beside a frozen classifier."""

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.registry import MODELS


def build_occluder(cfg: dict, data_preprocessor: nn.Module) -> nn.Module:
    """Build an occluder that normalises as the data preprocessor does."""
    cfg = dict(cfg)
    if getattr(data_preprocessor, '_enable_normalize', False):
        cfg.setdefault('mean', data_preprocessor.mean.flatten().tolist())
        cfg.setdefault('std', data_preprocessor.std.flatten().tolist())
    cfg.setdefault('bgr_to_rgb', getattr(data_preprocessor, 'to_rgb', False))
    return MODELS.build(cfg)


def make_room(state_dict: dict, prefix: str, index: int) -> None:
    """Rename the tensors of a classifier's own neck, to let LEARN in.

    With LEARN before it, ``neck.fc`` or ``neck.0.fc`` is ``neck.1.fc``. What
    has LEARN already is left alone.

    Args:
        state_dict: State dict of a whole model, changed in place.
        prefix: The neck's prefix in it.
        index: LEARN's place in the list of necks.
    """
    own = [key for key in state_dict if key.startswith(prefix)]
    if any(key.startswith(f'{prefix}{index}.encoder.') for key in own):
        return
    renamed = {}
    for key in own:
        name = key.removeprefix(prefix)
        number, _, rest = name.partition('.')
        if not number.isdigit():  # the neck was not a list
            number, rest = 0, name
        place = int(number) + (int(number) >= index)
        renamed[f'{prefix}{place}.{rest}'] = state_dict.pop(key)
    state_dict.update(renamed)


def check_finite(losses: dict[str, Tensor]) -> None:
    """Raise FloatingPointError that names the losses that are not finite."""
    values = torch.stack([loss.detach().float() for loss in losses.values()])
    if not values.isfinite().all():
        bad = [
            f'{name} = {value}'
            for name, value in zip(losses, values.tolist(), strict=True)
            if not torch.isfinite(torch.tensor(value))
        ]
        raise FloatingPointError(
            f"not finite: {', '.join(bad)}; check the frozen model's "
            'features (a wrong checkpoint? float16 overflow: try bfloat16) '
            'and the learning rate'
        )


def class_labels(samples: list[DataSample], head: nn.Module) -> Tensor:
    """Return the (N,) labels of N samples.

    Raises:
        ValueError: If a sample has not just one label, or it is no class of
            the head.
    """
    labels = torch.cat([sample.gt_label for sample in samples])
    classes = getattr(head, 'num_classes', None)
    if len(labels) != len(samples):
        raise ValueError(
            'mmocc.LEARNClassifier needs one label for each image, got '
            f'{len(labels)} labels for {len(samples)} images'
        )
    low, high = labels.aminmax()
    if low < 0 or (classes is not None and high >= classes):
        bad = labels[(labels < 0) | (labels >= (classes or high + 1))]
        raise ValueError(
            f'label {int(bad[0])} is outside the {classes} classes '
            "(0 .. num_classes - 1) of the head; check the data set's "
            'classes against model.head.num_classes'
        )
    return labels
