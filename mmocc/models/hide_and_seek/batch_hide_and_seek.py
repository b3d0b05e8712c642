"""Hide-and-Seek on batches, on their device: images, feature maps, clips.

No function loops over a batch, and the host never waits for the device.
Random numbers come from the device's global generator, as dropout's do, which
the runner seeds; ``mmocc.EpochSeedHook`` makes them differ between ranks, and
repeat in a resumed run. All layers hide in training mode only.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmocc.models.feature_maps import tokens_to_map
from mmocc.occlusion.grid import (
    check_grid,
    check_segments,
    draw_batch_segments,
    draw_rows,
    spread_rows,
)
from mmocc.registry import MODELS

# Pixels of masks that a CPU makes at a time (20 images of 224 x 224): those
# of a large batch leave its cache, and their memory is reallocated each time.
CACHED_PIXELS = 2**20
# Integers as wide as the floats, to clear their bits.
BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class GridHiding(nn.Module):
    """Draws the hidden grid cells of a batch, in training mode.

    Args:
        grid_sizes: Sides of the grid cells in pixels, or in positions of a
            map; one is drawn for each sample. 0 leaves a sample as it is. A
            size larger than the sample makes one cell of it.
        hide_prob: Probability that a grid cell is hidden.

    Raises:
        ValueError: If a grid size is negative or no whole number, or the
            probability is outside [0, 1].
    """

    def __init__(self, grid_sizes: Sequence[int], hide_prob: float) -> None:
        super().__init__()
        self.grid_sizes = check_grid(grid_sizes, hide_prob)
        self.hide_prob = hide_prob
        sizes = torch.tensor(self.grid_sizes)
        self.register_buffer('sizes', sizes, persistent=False)

    @property
    def hides(self) -> bool:
        """Whether anything can be hidden now."""
        return self.training and any(self.grid_sizes)

    def draw(
        self, batch: Tensor, regions: Tensor | None = None, step: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Draw what :func:`mmocc.occlusion.grid.draw_rows` returns."""
        return draw_rows(
            tuple(batch.shape[-2:]),
            choose(self.sizes, batch),
            self.hide_prob,
            min(size for size in self.grid_sizes if size),
            regions,
            step,
        )

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f'grid_sizes={self.grid_sizes}, hide_prob={self.hide_prob}'


@MODELS.register_module()
class BatchHideAndSeek(GridHiding):
    """Hide random grid cells of a normalised batch: set them to 0.

    It does what ``mmocc.HideAndSeek`` does image by image: each image has its
    own size and choice of grid cells, and the grid starts at its top-left
    corner. In a normalised batch the data set's mean is exactly 0, the hidden
    value of Singh and Lee (arXiv 1704.04232, section 3.1). Labels stay as
    they are, and so does padding, where the images' own sizes are known.

    In mmdet configs it is a batch augmentation, which reads each image's size
    from its data sample. Boxes stay, even of objects that are wholly hidden::

        model = dict(
            data_preprocessor=dict(
                batch_augments=[dict(type='mmocc.BatchHideAndSeek')]))

    In mmpretrain configs it goes into ``mmocc.HidingDataPreprocessor``, and
    not into ``train_cfg.augments``, which would turn the labels into scores.

    Args:
        grid_sizes: As in :class:`GridHiding`, in pixels.
        hide_prob: As there.
        inplace: Write into the batch; else into a copy. On a CPU, the new
            memory of a large copy takes most of the time:
            ``THP_MEM_ALLOC_ENABLE=1`` in the environment lets PyTorch take
            it in large pages, three times as fast.
    """

    def __init__(
        self,
        grid_sizes: Sequence[int] = (0, 16, 32, 44, 56),
        hide_prob: float = 0.5,
        inplace: bool = True,
    ) -> None:
        super().__init__(grid_sizes, hide_prob)
        self.inplace = inplace

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> tuple[Tensor, Any]:
        """Hide grid cells of a batch.

        Args:
            inputs: (N, C, H, W), normalised, floating point; or clips of
                five dimensions, such as (N, C, T, H, W), whose frames all
                hide the same cells.
            data_samples: Of the batch; returned as they are. Their
                ``img_shape``, (h, w), is the image's size in the batch.
            sizes: (h, w) of each image, instead of the data samples'.

        Raises:
            ValueError: If the batch has another shape, is not floating point,
                so that it cannot be normalised, or the number of sizes is not
                the batch's.
        """
        if inputs.dim() == 5:
            images, _ = self.forward(inputs.flatten(1, 2), data_samples, sizes)
            return images.view(inputs.shape), data_samples
        if inputs.dim() != 4:
            raise ValueError(
                'mmocc.BatchHideAndSeek hides in images (N, C, H, W), got '
                f'shape {tuple(inputs.shape)}; or in clips (N, C, T, H, W)'
            )
        if not inputs.is_floating_point():
            raise ValueError(
                f'mmocc.BatchHideAndSeek got a batch of {inputs.dtype}: it '
                'fills with 0, which is the mean of normalised batches only; '
                'use mmocc.HideAndSeek in the pipeline, or normalise first'
            )
        if not self.hides:
            return inputs, data_samples
        inputs = inputs if self.inplace else inputs.clone()
        size = tuple(inputs.shape[-2:])
        sizes = image_sizes(size, data_samples, sizes)
        regions = None
        if sizes is not None:
            if len(sizes) != len(inputs):
                raise ValueError(
                    f'{len(sizes)} image sizes for a batch of {len(inputs)}'
                )
            # The host does not wait for such a copy.
            regions = torch.tensor(sizes).to(inputs.device, non_blocking=True)
        alike = self.rows_alike(inputs, sizes)
        rows, row = self.draw(inputs, regions, alike)
        # Bits are cleared, since a product would give -0 and NaN (of inf).
        bits = BITS[inputs.element_size()]
        bit_rows = rows.view(torch.int8).sub_(1).to(bits)  # no bits or all
        step = len(inputs)
        if inputs.device.type == 'cpu':
            step = max(1, CACHED_PIXELS // (row.shape[1] * size[1]))
        parts = zip(
            inputs.view(bits).split(step), row.split(step), strict=True
        )
        for images, image_rows in parts:
            clear_rows(images, spread_rows(bit_rows, image_rows), alike)
        return inputs, data_samples

    def rows_alike(
        self, inputs: Tensor, sizes: Sequence[tuple[int, int]] | None
    ) -> int:
        """Return how many rows of pixels are alike, wherever they begin.

        Grid cells and images end only at multiples of it, or with the batch:
        masks, and the time to make them, may be so many times smaller.
        """
        height = inputs.shape[2]
        ends = [end for end, _ in sizes or () if end < height]
        return min(height, math.gcd(*self.grid_sizes, *ends))


@MODELS.register_module()
class HideFeatures(GridHiding):
    """Hide random grid cells of a feature map, all channels together.

    The "AlexNet-HaS-conv1-5" and "-11" of Singh and Lee (arXiv 1704.04232,
    table 5): cells of 5 or 11 positions of the 55x55 map after conv1, half of
    them. ``mmocc.HideFeaturesHook`` puts it after a module of any model.

    Args:
        grid_sizes: As in :class:`GridHiding`, in positions of the map.
        hide_prob: As there.
        fill: Value of what is hidden: a number, or ``'mean'``, each channel's
            mean over the batch, without a gradient. It keeps the mean of what
            the next layer gets; the paper does not say what it used.

    Raises:
        ValueError: If the fill is something else.
    """

    def __init__(
        self,
        grid_sizes: Sequence[int] = (5,),
        hide_prob: float = 0.5,
        fill: str | float = 'mean',
    ) -> None:
        super().__init__(grid_sizes, hide_prob)
        if isinstance(fill, str) and fill != 'mean':
            raise ValueError(f"fill must be 'mean' or a number, got {fill!r}")
        self.fill = fill

    def forward(self, maps: Tensor) -> Tensor:
        """Hide cells of maps (N, C, H, W); in evaluation, return them.

        Tokens (N, L, C) are the map of their square grid; those before it,
        such as a class token, stay.

        Raises:
            ValueError: If it is neither, or the tokens are no such grid.
        """
        if not self.hides:
            return maps
        if maps.dim() == 3:
            grid, back = tokens_to_map(maps)
            return back(self.forward(grid))
        if maps.dim() != 4:
            raise ValueError(
                'mmocc.HideFeatures hides in maps (N, C, H, W) or tokens '
                f'(N, L, C), got shape {tuple(maps.shape)}; name another '
                'module'
            )
        hidden = spread_rows(*self.draw(maps))
        if self.fill != 'mean':
            return maps.masked_fill(hidden, self.fill)
        mean = maps.detach().mean(dim=(0, 2, 3), keepdim=True)
        return torch.where(hidden, mean.to(maps.dtype), maps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f'{super().extra_repr()}, fill={self.fill!r}'


@MODELS.register_module()
class BatchHideSegments(nn.Module):
    """Hide random segments of clips (N, T, ...) in training.

    It does what ``mmocc.HideSegments`` does sample by sample (arXiv
    1704.04232, section 3.3).

    Args:
        segment_lengths: Frames of a segment; one is drawn for each clip. 0
            leaves a clip as it is. The end may cut off the last segment.
        hide_prob: Probability that a segment is hidden.
        fill: Value of hidden frames: a number (0 in normalised data), or one
            for each item of the last axis: the mean feature.

    Raises:
        ValueError: If a length or the probability is not possible.
    """

    def __init__(
        self,
        segment_lengths: int | Sequence[int],
        hide_prob: float = 0.5,
        fill: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        lengths = np.ravel(segment_lengths).tolist()
        self.segment_lengths = check_segments(lengths, hide_prob)
        self.hide_prob = hide_prob
        lengths = torch.tensor(self.segment_lengths)
        self.register_buffer('lengths', lengths, persistent=False)
        fill = torch.tensor(fill, dtype=torch.float32)
        self.register_buffer('fill', fill, persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Return a copy of clips (N, T, ...) with segments hidden."""
        if not self.training or not any(self.segment_lengths):
            return clips
        hidden = draw_batch_segments(
            choose(self.lengths, clips), clips.shape[1], self.hide_prob
        )
        hidden = hidden.view(*hidden.shape, *[1] * (clips.ndim - 2))
        fill = self.fill.to(clips.device, clips.dtype, non_blocking=True)
        return torch.where(hidden, fill, clips)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f'segment_lengths={self.segment_lengths}, '
            f'hide_prob={self.hide_prob}'
        )


def choose(sizes: Tensor, batch: Tensor) -> Tensor:
    """Draw one of the sizes for each sample of a batch, on its device."""
    choice = torch.randint(len(sizes), (len(batch),), device=batch.device)
    return sizes.to(batch.device, non_blocking=True)[choice]


def clear_rows(images: Tensor, masks: Tensor, alike: int) -> None:
    """Clear the bits of a batch where masks have none, in place.

    Args:
        images: int (N, C, H, W).
        masks: int (N, 1, H / alike, W), rounded up.
        alike: Rows of pixels that share a row of the masks; fewer share the
            last one.
    """
    whole = images.shape[2] // alike
    end = whole * alike
    blocks = images[:, :, :end].unflatten(2, (whole, alike))
    blocks.bitwise_and_(masks[:, :, :whole].unsqueeze(3))
    if end < images.shape[2]:
        images[:, :, end:].bitwise_and_(masks[:, :, whole:])


def image_sizes(
    batch: tuple[int, int],
    data_samples: Any,
    sizes: Sequence[tuple[int, int]] | None,
) -> list[tuple[int, int]] | None:
    """Return each image's (h, w) in a batch.

    None if one is unknown, or none is smaller than the batch.
    """
    if sizes is None:
        if not isinstance(data_samples, list | tuple):
            return None  # or the scores of mmpretrain's batch augmentations
        sizes = [getattr(sample, 'img_shape', ()) for sample in data_samples]
    sizes = [tuple(map(min, batch, size)) for size in sizes]
    if () in sizes or all(size == batch for size in sizes):
        return None
    return sizes
