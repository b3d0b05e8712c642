"""What prepares a photo for a torch model whose owner has not said it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from torch import nn
from torchvision import transforms as tv
from torchvision.transforms.functional import to_pil_image

SIZE, RESIZE = 224, 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def default_transform(name: str, module: nn.Module) -> tuple[Callable, str]:
    """Return a transform for a module, and in words where it is from.

    A model of timm says what it was trained with; for others it is a guess,
    which the log tells.
    """
    known = timm_transform(module)
    if known is not None:
        return known, "timm's data config of the model"
    words = (
        f'shorter side to {RESIZE}, centre {SIZE} x {SIZE}, mean and '
        'standard deviation of ImageNet'
    )
    print(
        f'No transform= is given for {name!r}: it gets {words}. Give the one '
        'it was trained with if that is another.'
    )
    steps = [
        AsPIL(),
        tv.Resize(RESIZE),
        tv.CenterCrop(SIZE),
        tv.ToTensor(),
        tv.Normalize(MEAN, STD),
    ]
    return tv.Compose(steps), f'not given; {words}'


def timm_transform(module: nn.Module) -> Callable | None:
    """Return the transform of a timm model, None of other modules."""
    config: Any = getattr(module, 'pretrained_cfg', None)
    if not isinstance(config, Mapping) or 'input_size' not in config:
        return None
    try:
        data = import_module('timm.data')
    except ImportError:
        return None
    wanted = data.resolve_model_data_config(module)
    return data.create_transform(**wanted, is_training=False)


class AsPIL:
    """Make arrays and tensors PIL images, as torchvision's Resize wants."""

    def __call__(self, image: Any) -> Any:
        """Return a PIL image."""
        return image if hasattr(image, 'mode') else to_pil_image(image)

    def __repr__(self) -> str:
        return 'AsPIL()'
