"""Hide-and-Seek: hide random cells of a grid in training images."""

import math
import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmocc.datasets.picture_layout import (
    check_order,
    order_of,
    picture_name,
)
from mmocc.occlusion.grid import (
    cell_mask,
    check_grid,
    draw_grid,
    hide_cells,
    paint,
)
from mmocc.registry import TRANSFORMS

IMAGENET_MEAN = (103.53, 116.28, 123.675)  # BGR, as mmpretrain's configs have
TYPES = ('uint8', 'int8', 'uint16', 'int16', 'int32', 'float32', 'float64')


@TRANSFORMS.register_module()
class HideAndSeek(BaseTransform):
    """Hide each cell of a grid with the same probability, at each call.

    Singh and Lee, "Hide-and-Seek: Forcing a Network to be Meticulous for
    Weakly-supervised Object and Action Localization", ICCV 2017, arXiv
    1704.04232, section 3.1. For training pipelines of mmpretrain and mmdet,
    after all geometric steps and before packing. Hidden pixels get the mean
    colour of the data set, so that the first layer sees the same mean as
    without hiding. Boxes, masks and labels are kept, even those of objects
    that are hidden completely (mmdet's RandomErasing drops them).

    Required Keys:

    - ``key`` ((H, W, 3); (H, W, 4), whose alpha is kept; (H, W) or (H, W, 1)
      grey; uint8. If ``fill`` is given in numbers, also (H, W, C), and other
      integers and floats. Under another key than ``img`` also a clip: a list
      of such frames of one size, or an array (..., H, W, C), whose frames all
      hide the same cells)
    - channel_order (optional)

    Modified Keys:

    - ``key`` (a new array or list; with grid size 0 the input itself)

    Added Keys:

    - occlusion_mask (uint8, (H, W), 1 = hidden; only with ``keep_mask``)

    Args:
        grid_sizes: Side(s) of the cells in pixels; one is drawn for each
            image. 0 leaves an image as it is. The border cuts off the last
            row and column. A size larger than the image makes one cell of
            it, with a warning: scale the sizes, which are for 224 pixels, to
            small images (for CIFAR-10, ``(0, 4, 8)``).
        hide_prob: Probability that a cell is hidden.
        fill: Value of hidden pixels. ``'mean'``: ImageNet's mean colour in
            BGR, (103.53, 116.28, 123.675), for uint8 colour images.
            ``'noise'``: any value, drawn for each pixel and channel, for
            uint8 images. A number for each channel (alpha is kept without
            one) in the pipeline's order and units, or one for all: for other
            data, their mean, which is the data preprocessor's ``mean``,
            reversed if it has ``to_rgb``
            (``tools/analysis_tools/dataset_mean.py`` computes it); 0 for
            images that the pipeline itself normalises. Rounded for integer
            images.
        keep_mask: Store the mask of hidden pixels.
        channel_order: ``bgr`` or ``rgb``, in which images come, for
            ``'mean'``; by default the sample's ``channel_order`` if it has
            one, else ``rgb`` of a data set that holds its images (CIFAR), else
            ``bgr``.
        key: Where the sample has its image or clip: ``imgs`` in mmaction2.

    Raises:
        ValueError: If a grid size or the probability is out of range, or the
            fill is unknown or does not fit the image's channels, type or
            range of values.
    """

    def __init__(
        self,
        grid_sizes: int | Sequence[int] = (0, 16, 32, 44, 56),
        hide_prob: float = 0.5,
        fill: str | float | Sequence[float] = 'mean',
        keep_mask: bool = False,
        channel_order: str | None = None,
        key: str = 'img',
    ) -> None:
        self.grid_sizes = check_grid(grid_sizes, hide_prob)
        self.key = key
        self.hide_prob = hide_prob
        values: Any = fill
        self.fill: Any = (
            fill if isinstance(fill, str | Real) else tuple(values)
        )
        words = isinstance(fill, str) and fill in ('mean', 'noise')
        if not words and not all(
            isinstance(v, Real) and math.isfinite(v)
            for v in np.ravel(self.fill).tolist()
        ):
            raise ValueError(
                "fill must be 'mean', 'noise', a number, or a number for each "
                f'channel, got {fill!r}'
            )
        self.keep_mask = keep_mask
        self.channel_order = check_order(channel_order)
        self._colours: dict[tuple, np.ndarray | None] = {}
        self._warned = False

    @cache_randomness
    def draw(self, size: tuple[int, int]) -> tuple[int, np.ndarray]:
        """Draw a cell size and the hidden cells of an (H, W) image."""
        cell = self.grid_sizes[np.random.randint(len(self.grid_sizes))]
        return cell, draw_grid(size, cell, self.hide_prob)

    @cache_randomness
    def draw_noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw the canvas of fill ``'noise'``."""
        noise = bytearray(np.random.bytes(math.prod(shape)))
        return np.frombuffer(noise, np.uint8).reshape(shape)

    def transform(self, results: dict) -> dict:
        """Hide cells of ``results[key]``."""
        frames = self._frames(results)
        image = frames[0]
        size = image.shape[:2]
        order = order_of(results, self.channel_order)
        kind = (image.dtype.char, image.shape[2:], order)
        if kind not in self._colours:
            self._colours[kind] = self._colour(
                image, picture_name(results), order
            )
        cell, hidden = self.draw(size)
        if cell > max(size) and not self._warned:
            self._warned = True
            warnings.warn(
                f'mmocc.HideAndSeek: a cell of {cell} pixels is all of an '
                f'image of {size[0]}x{size[1]}; use smaller grid_sizes',
                stacklevel=2,
            )
        if cell:
            colour = self._colours[kind]
            data = results[self.key]
            done = [
                self._hide(frame, hidden, cell, colour) for frame in frames
            ]
            if isinstance(data, list | tuple):
                results[self.key] = done
            elif data.ndim > 3:
                results[self.key] = np.stack(done).reshape(data.shape)
            else:
                results[self.key] = done[0]
        if self.keep_mask:
            results['occlusion_mask'] = cell_mask(size, hidden, cell)
        return results

    def _frames(self, results: dict) -> list[np.ndarray]:
        """Return the image, or the frames of a clip, as arrays alike.

        Raises:
            ValueError: If the sample has no such data (naming them).
        """
        name = picture_name(results)
        if self.key not in results:
            raise ValueError(
                f'{name}: the sample has no {self.key!r}, only '
                f'{sorted(map(str, results))}; give mmocc.HideAndSeek '
                "key='imgs' for the frames of mmaction2, or put it after "
                'loading'
            )
        data = results[self.key]
        frames = [data]
        if self.key != 'img' and isinstance(data, list | tuple):
            frames = list(data)
        elif self.key != 'img' and getattr(data, 'ndim', 0) > 3:
            frames = list(data.reshape(-1, *data.shape[-3:]))
        for frame in frames:
            if not isinstance(frame, np.ndarray) or frame.ndim not in (2, 3):
                hint = 'put it before packing'
                if hasattr(frame, 'getbands'):
                    hint = (
                        'np.asarray(image) makes an array of a PIL image, '
                        'or take mmocc.transforms.HideAndSeek'
                    )
                raise ValueError(
                    f'{name}: mmocc.HideAndSeek takes arrays (H, W) and '
                    f'(H, W, C), got {type(frame).__name__} of shape '
                    f'{tuple(getattr(frame, "shape", ()))}; {hint}'
                )
        kinds = {(frame.shape, frame.dtype.name) for frame in frames}
        if len(kinds) != 1:
            raise ValueError(
                f'{name}: the frames of {self.key!r} must have one size and '
                f'type, got {sorted(kinds) or "no frame"}; resize them first'
            )
        return frames

    def _hide(
        self,
        image: np.ndarray,
        hidden: np.ndarray,
        cell: int,
        colour: np.ndarray | None,
    ) -> np.ndarray:
        """Return a copy of an image with its hidden cells filled."""
        if colour is None:
            canvas = self.draw_noise(image.shape)
        else:
            canvas = paint(image, colour)
        if self._keeps_alpha(image):
            canvas[..., 3:] = image[..., 3:]
        return hide_cells(image, hidden, cell, canvas)

    def _colour(
        self, image: np.ndarray, name: str, order: str
    ) -> np.ndarray | None:
        """Return the fill in the image's type, or None for noise."""
        channels = image.shape[2] if image.ndim == 3 else 1
        if image.dtype.name not in TYPES:
            raise ValueError(
                f'{name} is {image.dtype}; mmocc.HideAndSeek takes '
                f'{", ".join(TYPES)}: image.astype(np.float32) makes one of '
                'float16'
            )
        if isinstance(self.fill, str) and image.dtype != np.uint8:
            raise ValueError(
                f'{name} is {image.dtype}, whose range of values is not known,'
                f' so fill={self.fill!r} cannot be; give fill as a number for '
                "each channel, in the image's units: 0 if it is normalised, "
                f"ImageNet's mean {IMAGENET_MEAN} if it is in 0-255 BGR"
            )
        if self.fill == 'noise':
            return None
        fill = self.fill
        if fill == 'mean':
            fill = IMAGENET_MEAN[:: 1 if order == 'bgr' else -1]
        if not isinstance(fill, tuple):
            fill = (fill,) * channels
        if self._keeps_alpha(image) and len(fill) == 3:
            fill = (*fill, 0)  # its place; the image's alpha is kept
        if len(fill) != channels:
            hint = '.'
            if self.fill == 'mean':
                hint = (
                    " (fill='mean' is ImageNet's, BGR). Give the mean of your "
                    'data; tools/analysis_tools/dataset_mean.py computes it.'
                )
            raise ValueError(
                f'{name} has {channels} channel(s), but fill has {len(fill)} '
                f'values{hint}'
            )
        if not np.issubdtype(image.dtype, np.integer):
            return np.asarray(fill, image.dtype)
        whole, limits = np.round(fill), np.iinfo(image.dtype)
        if whole.min() < limits.min or whole.max() > limits.max:
            raise ValueError(
                f'{name} is {image.dtype}, {limits.min} to {limits.max}, '
                f'which fill={self.fill} is not'
            )
        return whole.astype(image.dtype)

    def _keeps_alpha(self, image: np.ndarray) -> bool:
        """Return whether the fourth of 8-bit channels is not filled."""
        four = image.shape[2:] == (4,) and image.dtype == np.uint8
        given = isinstance(self.fill, tuple) and len(self.fill) == 4
        return four and not given

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(grid_sizes={self.grid_sizes}, '
            f'hide_prob={self.hide_prob}, fill={self.fill!r}, '
            f'keep_mask={self.keep_mask}, key={self.key!r})'
        )
