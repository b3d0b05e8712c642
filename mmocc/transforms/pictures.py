"""Pictures of several types as planes, and back."""

from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

FORMS = (
    'PIL images (RGB or L), uint8 arrays (H, W, 3) and uint8 tensors '
    '(3, H, W), all of them RGB'
)


def plain(value: Any) -> Tensor:
    """Return a tensor without torchvision's type, on the CPU."""
    return value.detach().as_subclass(Tensor).cpu()


def to_planes(image: Any, name: str) -> Tensor:
    """Return a picture as (3, H, W) uint8, RGB, on the CPU.

    A tensor's memory is shared. ``name`` says whose picture it is.

    Raises:
        TypeError: If it is none of :data:`FORMS`.
    """
    if isinstance(image, Image.Image) and image.mode in ('RGB', 'L'):
        image = np.asarray(_as_mode(image, 'RGB'))
    of_bytes = getattr(image, 'dtype', None) in (np.uint8, torch.uint8)
    if of_bytes and image.ndim == 3 and 0 not in image.shape:
        if isinstance(image, Tensor) and len(image) == 3:
            return plain(image)
        if isinstance(image, np.ndarray) and image.shape[2] == 3:
            # ten times as fast as torch reorders bytes
            planes = np.empty((3, *image.shape[:2]), np.uint8)
            cv2.split(np.ascontiguousarray(image), list(planes))
            return torch.from_numpy(planes)
    raise TypeError(f'{name} takes {FORMS}; got {_told(image)}')


def _told(image: Any) -> str:
    """Return what a value is, and what to do about it."""
    if isinstance(image, Image.Image):
        return f"a PIL image of mode {image.mode}: call .convert('RGB')"
    what = type(image).__name__
    if not isinstance(image, np.ndarray | Tensor):
        return f'{what}: give the image first, or as image='
    what = f'{what} of {image.dtype}, shape {tuple(image.shape)}'
    if str(image.dtype).removeprefix('torch.') != 'uint8':
        return f'{what}: put it before ToTensor, ToDtype and Normalize'
    return f'{what}: give one colour image at a time, channels as above'


def like_picture(planes: Tensor, image: Any) -> Any:
    """Return planes (3, H, W) in the type and layout of a picture."""
    if isinstance(image, Tensor):
        return like_tensor(planes.contiguous(), image)
    array = cv2.merge(list(planes.contiguous().numpy()))
    if isinstance(image, Image.Image):
        return _as_mode(Image.fromarray(array), image.mode)
    return array


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return a PIL image of a mode; itself if it has it."""
    return image if image.mode == mode else image.convert(mode)


def like_tensor(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a tensor on the device of another and of torchvision's type."""
    tensor = tensor.to(like.device)
    if type(like) in (Tensor, torch.nn.Parameter):
        return tensor
    from torchvision import tv_tensors

    return tv_tensors.wrap(tensor, like=like)
