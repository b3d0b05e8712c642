"""Pictures of several types: as planes, covered in part, and back."""

from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmocc.occlusion.grid import Bools, hide_cells, hide_planes, paint

FORMS = (
    'PIL images (RGB or L), uint8 arrays (H, W, 3) and uint8 tensors '
    '(3, H, W), all of them RGB'
)
Pixels = NDArray[np.uint8]


def plain(value: Any) -> Tensor:
    """Return a tensor without torchvision's type, on the CPU."""
    return value.detach().as_subclass(Tensor).cpu()


class Picture:
    """A picture of one of :data:`FORMS`; it is never changed in place.

    Args:
        image: The picture.
        name: Whose picture it is, for errors.

    Raises:
        TypeError: If it is of another form.
    """

    def __init__(self, image: Any, name: str) -> None:
        self.image = image
        pixels = image
        if isinstance(image, Image.Image) and image.mode in ('RGB', 'L'):
            pixels = np.asarray(_as_mode(image, 'RGB'))
        of_bytes = getattr(pixels, 'dtype', None) in (np.uint8, torch.uint8)
        if not of_bytes or pixels.ndim != 3 or 0 in pixels.shape:
            raise TypeError(f'{name} takes {FORMS}; got {_told(image)}')
        # one of the two; torch is slow at turning the one into the other
        self._rows: Pixels | None = None  # (H, W, 3)
        self._given: Tensor | None = None  # (3, H, W)
        if isinstance(pixels, Tensor) and len(pixels) == 3:
            self._given = plain(pixels)
            self.size = int(pixels.shape[1]), int(pixels.shape[2])
        elif isinstance(pixels, np.ndarray) and pixels.shape[2] == 3:
            self._rows = np.ascontiguousarray(pixels)
            self.size = pixels.shape[:2]
        else:
            raise TypeError(f'{name} takes {FORMS}; got {_told(image)}')

    @cached_property
    def planes(self) -> Tensor:
        """The picture as (3, H, W) uint8, RGB, on the CPU.

        A tensor's memory is shared.
        """
        if self._given is not None:
            return self._given
        return torch.from_numpy(_split(self._rows))

    def like(self, planes: Tensor) -> Any:
        """Return planes (3, H, W) in the type and layout of the picture."""
        if isinstance(self.image, Tensor):
            return like_tensor(planes.contiguous(), self.image)
        return self._of_rows(cv2.merge(list(planes.contiguous().numpy())))

    def covered(self, cover: Pixels, hidden: Bools, cell: int) -> Any:
        """Return the picture with hidden cells of a grid.

        Args:
            cover: What hidden pixels get: (H, W, 3) uint8 RGB, changed in
                place; or a colour, (3,).
            hidden: The hidden cells, from ``mmocc.occlusion.grid.draw_grid``.
            cell: Their side in pixels.
        """
        one = cover.ndim == 1
        if self._rows is not None:
            canvas = paint(self._rows, cover) if one else cover
            return self._of_rows(hide_cells(self._rows, hidden, cell, canvas))
        canvas = _fill(self.size, cover) if one else _split(cover)
        given = self.planes.contiguous().numpy()
        hide_planes(given, hidden, cell, canvas)
        return like_tensor(torch.from_numpy(canvas), self.image)

    def _of_rows(self, rows: np.ndarray) -> Any:
        """Return (H, W, 3) as the picture is: an array or a PIL image."""
        if isinstance(self.image, Image.Image):
            return _as_mode(Image.fromarray(rows), self.image.mode)
        return rows


def _split(rows: Any) -> Pixels:
    """Return (H, W, 3) as (3, H, W), ten times as fast as torch does."""
    planes = np.empty((3, *rows.shape[:2]), np.uint8)
    cv2.split(rows, list(planes))
    return planes


def _fill(size: tuple[int, int], colour: Pixels) -> Pixels:
    """Return planes (3, H, W) of a single colour (3,)."""
    planes = np.empty((3, *size), np.uint8)
    for plane, value in zip(planes, colour, strict=True):
        plane.fill(value)
    return planes


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
