"""Hide-and-Seek on a whole normalised batch, on its device."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmocc.occlusion.grid import check_grid, draw_rows, spread_rows
from mmocc.registry import MODELS

# A CPU makes so many pixels of masks at a time (20 whole images of 224 x 224):
# those of a large batch leave its cache, and their memory is asked for anew.
CACHED_PIXELS = 2**20
# Integers as wide as the floats, to clear their bits.
BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@MODELS.register_module()
class BatchHideAndSeek(nn.Module):
    """Hide random grid patches of a normalised batch: set them to 0.

    Does what ``mmocc.HideAndSeek`` does image by image: each image gets a
    patch size and hidden patches of its own, the grid starting at its
    top-left corner. In a normalised batch the data set's mean is exactly 0,
    the hidden value of Singh and Lee (arXiv 1704.04232, section 3.1); their
    released code multiplies the normalised batch likewise. Labels are left as
    they are, and padding as well, where the images' own sizes are given.

    No loop over images, and the host never waits for the device. Random
    numbers come from the device's global generator, as dropout's do, which
    the runner seeds; ``mmocc.EpochSeedHook`` makes them differ between ranks,
    and repeat in a resumed run. Only in training mode (``layer.train()``).

    In mmdet configs it is a batch augmentation, which knows each image's size
    from its data sample. Boxes are kept, also of objects wholly hidden::

        model = dict(
            data_preprocessor=dict(
                batch_augments=[dict(type='mmocc.BatchHideAndSeek')]))

    In mmpretrain configs it goes into ``mmocc.HidingDataPreprocessor``, and
    not into ``train_cfg.augments``, which would turn the labels into scores.

    Args:
        grid_sizes: Sides of the patches in pixels; one is drawn for each
            image. 0 leaves an image as it is. A size larger than the image
            makes one patch of it all.
        hide_prob: Probability that a patch is hidden.
        inplace: Write into the batch; else into a copy.

    Raises:
        ValueError: If a grid size is negative or no whole number, or the
            probability is outside [0, 1].
    """

    def __init__(
        self,
        grid_sizes: Sequence[int] = (0, 16, 32, 44, 56),
        hide_prob: float = 0.5,
        inplace: bool = True,
    ) -> None:
        super().__init__()
        self.grid_sizes = check_grid(grid_sizes, hide_prob)
        self.hide_prob = hide_prob
        self.inplace = inplace
        sizes = torch.tensor(self.grid_sizes)
        self.register_buffer('sizes', sizes, persistent=False)

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> tuple[Tensor, Any]:
        """Hide patches of a batch.

        Args:
            inputs: (N, C, H, W), normalised, floating point.
            data_samples: Of the batch; returned as they are. Where they tell
                ``img_shape``, (h, w), it is the image's size in the batch.
            sizes: (h, w) of each image, instead of the data samples'.

        Raises:
            ValueError: If the batch is not floating point, so that it cannot
                be normalised, or the number of sizes is not the batch's.
        """
        if not inputs.is_floating_point():
            raise ValueError(
                f'mmocc.BatchHideAndSeek got a batch of {inputs.dtype}: it '
                'fills with 0, which is the mean of normalised batches only; '
                'use mmocc.HideAndSeek in the pipeline, or normalise first'
            )
        if not self.training or not any(self.grid_sizes):
            return inputs, data_samples
        inputs = inputs if self.inplace else inputs.clone()
        size = tuple(inputs.shape[-2:])
        sizes = image_sizes(size, data_samples, sizes)
        alike = self.rows_alike(inputs, sizes)
        rows, row = self.draw(inputs, sizes, alike)
        # Bits are cleared, where a product would give -0 and NaN (of inf).
        bits = BITS[inputs.element_size()]
        shown = rows.view(torch.int8).sub_(1).to(bits)  # to no bits or all
        step = len(inputs)
        if inputs.device.type == 'cpu':
            mask_pixels = row.shape[1] * size[1]
            step = max(1, CACHED_PIXELS // mask_pixels)
        parts = zip(
            inputs.view(bits).split(step), row.split(step), strict=True
        )
        for images, which in parts:
            clear_rows(images, spread_rows(shown, which), alike)
        return inputs, data_samples

    def rows_alike(
        self, inputs: Tensor, sizes: Sequence[tuple[int, int]] | None
    ) -> int:
        """Return how many rows of pixels are alike, wherever they begin.

        No patch or image ends but at a multiple of it, or with the batch:
        masks may be so many times smaller, and so is the time to make them.
        """
        height = inputs.shape[2]
        ends = [end for end, _ in sizes or () if end < height]
        return min(height, math.gcd(*self.grid_sizes, *ends))

    def draw(
        self,
        inputs: Tensor,
        sizes: Sequence[tuple[int, int]] | None,
        alike: int,
    ) -> tuple[Tensor, Tensor]:
        """Draw what :func:`mmocc.occlusion.grid.draw_rows` returns."""
        number, device = len(inputs), inputs.device
        regions = None
        if sizes is not None:
            if len(sizes) != number:
                raise ValueError(
                    f'{len(sizes)} image sizes for a batch of {number}'
                )
            # Such a copy is not waited for.
            regions = torch.tensor(sizes).to(device, non_blocking=True)
        choice = torch.randint(len(self.sizes), (number,), device=device)
        return draw_rows(
            tuple(inputs.shape[-2:]),
            self.sizes.to(device, non_blocking=True)[choice],
            self.hide_prob,
            min(size for size in self.grid_sizes if size),
            regions,
            alike,
        )

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f'grid_sizes={self.grid_sizes}, hide_prob={self.hide_prob}'


def clear_rows(images: Tensor, masks: Tensor, alike: int) -> None:
    """Clear the bits of a batch where masks have none, in place.

    Args:
        images: int (N, C, H, W).
        masks: int (N, 1, H / alike, W), rounded up.
        alike: For how many rows of pixels a row of the masks is, the last
            one for what is left.
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

    None if they are not all told, or none is smaller than the batch.
    """
    if sizes is None:
        if not isinstance(data_samples, list | tuple):
            return None  # or the scores of mmpretrain's batch augmentations
        sizes = [getattr(sample, 'img_shape', ()) for sample in data_samples]
    sizes = [tuple(map(min, batch, size)) for size in sizes]
    if () in sizes or all(size == batch for size in sizes):
        return None
    return sizes
