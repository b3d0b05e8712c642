"""Loading torchvision's ``features.N.*`` into networks of other names."""

import re
from collections.abc import Mapping

from torch import Tensor, nn


def rename_features(
    model: nn.Module,
    state_dict: dict[str, Tensor],
    prefix: str,
    layers: Mapping[int, str],
) -> None:
    """Rename ``features.N.weight`` and its like, in place.

    Names of more parts, such as mmpretrain's ``features.N.conv.weight``, are
    left alone.

    Args:
        model: The network that is loaded.
        state_dict: A checkpoint of torchvision's network, or any other.
        prefix: The network's prefix in it.
        layers: The name here of each of torchvision's numbered layers.

    Raises:
        ValueError: If a weight fits no layer here.
    """
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    pattern = re.compile(re.escape(prefix) + r'features\.(\d+)\.(\w+)')
    found = [m for m in map(pattern.fullmatch, state_dict) if m]
    # All are taken out first: an old name can be another's new one.
    weights = {m: state_dict.pop(m[0]) for m in found}
    for match, weight in weights.items():
        layer = layers.get(int(match[1]))
        new = f'{layer}.{match[2]}'
        if layer is None or weight.shape != shapes.get(new):
            raise ValueError(
                f'{match[0]} {tuple(weight.shape)} of the checkpoint does '
                f'not fit {type(model).__name__}: {new} is '
                f'{tuple(shapes[new]) if new in shapes else "not there"}; '
                'choose the settings of the network that it was trained with'
            )
        state_dict[prefix + new] = weight
