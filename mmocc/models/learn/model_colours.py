"""In which colours a model sees its images: order, range, number of channels.

Occluders are uint8 BGR; they must be pasted in the colours of the images.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

ORDERS = ('bgr', 'rgb')
GREY = (0.114, 0.587, 0.299)  # of blue, green and red, ITU-R BT.601
LEAST_WHITE = 20  # images with no larger value are not in 0-255 units
GIVE_STATISTICS = (
    'give it mean and std in 0-255 units, in the channel order that the model '
    'sees (0-1 units times 255), e.g. model.occluder=dict(mean=[123.675, '
    '116.28, 103.53], std=[58.395, 57.12, 57.375])'
)


def preprocessor_colours(
    preprocessor: nn.Module, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an occluder's colour options as a data preprocessor tells them.

    Args:
        preprocessor: The model's; mmpretrain's, mmengine's, or another that
            has ``mean`` and ``std``.
        options: Those that are given already.
    """
    colours: dict[str, Any] = {}
    mean, std = (getattr(preprocessor, key, None) for key in ('mean', 'std'))
    normalises = getattr(preprocessor, '_enable_normalize', True)
    if normalises and mean is not None and std is not None:
        for name, values in dict(mean=mean, std=std).items():
            colours[name] = torch.as_tensor(values).flatten().tolist()
    # Images come as BGR; a swap of mmengine's, whichever it is, gives RGB.
    swaps = (
        getattr(preprocessor, key, False)
        for key in ('to_rgb', '_channel_conversion')
    )
    if any(swaps) and not {'channel_order', 'bgr_to_rgb'} & set(options):
        colours['bgr_to_rgb'] = True
    return colours


def check_order(order: str | None, bgr_to_rgb: bool | None) -> str | None:
    """Return the order that two options name, or None.

    Raises:
        ValueError: If it is unknown, or they contradict each other.
    """
    if order not in (None, *ORDERS):
        raise ValueError(
            f'unknown channel_order {order!r}; choose from {list(ORDERS)}'
        )
    if bgr_to_rgb is None:
        return order
    named = ORDERS[bgr_to_rgb]
    if order not in (None, named):
        raise ValueError(
            f'channel_order={order!r} contradicts bgr_to_rgb={bgr_to_rgb}; '
            'give one of them'
        )
    return named


def order_of(
    samples: Sequence[BaseDataElement] | None, kinds: Sequence[str]
) -> str:
    """Return the order of images that no preprocessor swaps.

    What the samples say comes first. Those of files are BGR, as mm loads
    them. A data set that holds its images (mmpretrain's CIFAR) holds RGB; as
    this is a guess, it is logged if the order matters to one of the
    ``kinds``.
    """
    sample = samples[0] if samples else None
    if sample is not None and 'channel_order' in sample:
        return check_order(sample.channel_order, None) or 'bgr'
    if sample is None or 'img_path' in sample:
        return 'bgr'
    if {'texture', 'object'} & set(kinds):
        print_log(
            'mmocc.BatchOccluder: the images are not from files (img_path is '
            'missing in their samples), so they are taken for RGB; if they '
            "are BGR, set model.occluder.channel_order='bgr'",
            logger='current',
            level=logging.WARNING,
        )
    return 'rgb'


def check_statistics(mean: Tensor, std: Tensor) -> None:
    """Raise ValueError if mean or std cannot be in 0-255 units."""
    if not (std > 0).all():
        raise ValueError(f'std {std.flatten().tolist()} must be positive')
    same = (mean == 0).all() and (std == 1).all()
    if not same and std.max() <= 1 and mean.abs().max() <= 1:
        raise ValueError(
            f'mean {mean.flatten().tolist()} and std {std.flatten().tolist()} '
            f'are in 0-1 units; mmocc.BatchOccluder: {GIVE_STATISTICS}'
        )


def check_images(inputs: Tensor, mean: Tensor, std: Tensor) -> None:
    """Raise ValueError if occluders cannot be given the images' colours.

    Args:
        inputs: (N, C, H, W).
        mean: (1, 1 or C, 1, 1), taken to be the normalisation of them.
        std: Likewise.
    """
    channels = inputs.shape[1]
    if inputs.dim() != 4 or channels not in (1, 3):
        raise ValueError(
            'mmocc.BatchOccluder hides images (N, C, H, W) of 1 or 3 '
            f'channels, got shape {tuple(inputs.shape)}'
        )
    for name, values in dict(mean=mean, std=std).items():
        if values.numel() not in (1, channels):
            raise ValueError(
                f'{name} of mmocc.BatchOccluder has {values.numel()} numbers, '
                f'but the images have {channels} channel(s); give one for each'
            )
    if (mean != 0).any() or (std != 1).any():
        return
    low, high = (float(x) for x in inputs.aminmax())
    whole = bool((inputs == inputs.round()).all())
    if low < 0 or 0 < high <= 1 or (high <= LEAST_WHITE and not whole):
        raise ValueError(
            f'the images have values from {low:.3g} to {high:.3g}: they are '
            'normalised already, in the pipeline or by a data preprocessor '
            f'that mmocc.BatchOccluder does not know; {GIVE_STATISTICS}'
        )


def to_model(kind: str, sheets: Tensor, order: str, channels: int) -> Tensor:
    """Return a kind's sheets (T, 3 or 4, S, S) in a model's colours.

    Args:
        kind: The occluders' kind.
        sheets: uint8, BGR or BGRA.
        order: ``bgr`` or ``rgb``.
        channels: 3, or 1 for grey.
    """
    if channels == 3:
        colours = sheets[:, [2, 1, 0]] if order == 'rgb' else sheets[:, :3]
    elif kind == 'noise':  # its mean would be less noisy
        colours = sheets[:, :1]
    else:
        weights = torch.tensor(GREY).view(3, 1, 1)
        colours = torch.stack(
            [(sheet[:3] * weights).sum(dim=0).round() for sheet in sheets]
        )[:, None].to(torch.uint8)
    if sheets.shape[1] == 3:
        return colours
    return torch.cat([colours, sheets[:, 3:]], dim=1)
