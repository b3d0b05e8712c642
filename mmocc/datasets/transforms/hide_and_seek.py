"""Hide-and-Seek: hide random grid patches of training images."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmocc.occlusion.grid import cell_mask, draw_grid, hide_cells
from mmocc.registry import TRANSFORMS


@TRANSFORMS.register_module()
class HideAndSeek(BaseTransform):
    """Hide each patch of a grid with the same probability, anew every time.

    Singh and Lee, "Hide-and-Seek: Forcing a Network to be Meticulous for
    Weakly-supervised Object and Action Localization", ICCV 2017, arXiv
    1704.04232, section 3.1. For training pipelines, after all geometric steps
    and before packing. Hidden pixels get the mean colour of the data set, so
    that the first layer sees the same mean as without hiding (section 3.1);
    boxes and masks stay, also of objects that are wholly hidden.

    Required Keys:

    - img ((H, W, 3) in BGR, or (H, W) grey)

    Modified Keys:

    - img (a new array; the input is never changed in place)

    Added Keys:

    - occlusion_mask (uint8, (H, W), 1 = hidden; only with ``keep_mask``)

    Args:
        grid_sizes: Sides of the patches in pixels; one is drawn for each
            image. 0 leaves an image as it is.
        hide_prob: Probability that a patch is hidden.
        fill: Value of hidden pixels for each channel of the pipeline's images
            (BGR); rounded for uint8 images. Use the mean of the data set: the
            data preprocessor's ``mean``, turned round if it has ``to_rgb``.
        keep_mask: Store the mask of hidden pixels.

    Raises:
        ValueError: If a grid size is negative or no number, the probability
            is outside [0, 1], or the fill does not fit the image's channels.
    """

    def __init__(
        self,
        grid_sizes: Sequence[int] = (0, 16, 32, 44, 56),
        hide_prob: float = 0.5,
        fill: Sequence[float] = (103.53, 116.28, 123.675),
        keep_mask: bool = False,
    ) -> None:
        if not len(grid_sizes) or any(
            size < 0 or size != int(size) for size in grid_sizes
        ):
            raise ValueError(
                'grid_sizes must be whole numbers of pixels >= 0, got '
                f'{list(grid_sizes)}'
            )
        if not 0 <= hide_prob <= 1:
            raise ValueError(f'hide_prob must be in [0, 1], got {hide_prob}')
        self.grid_sizes = [int(size) for size in grid_sizes]
        self.hide_prob = hide_prob
        self.fill = tuple(fill)
        self.keep_mask = keep_mask

    @cache_randomness
    def draw(self, size: tuple[int, int]) -> tuple[int, np.ndarray]:
        """Draw a patch size and the hidden patches of an (H, W) image."""
        cell = self.grid_sizes[np.random.randint(len(self.grid_sizes))]
        return cell, draw_grid(size, cell, self.hide_prob)

    def transform(self, results: dict) -> dict:
        """Hide patches of ``results['img']``."""
        image = results['img']
        size = image.shape[:2]
        channels = image.shape[2] if image.ndim == 3 else 1
        if len(self.fill) != channels:
            raise ValueError(
                f'{results.get("img_path", "the image")} has {channels} '
                f'channel(s), but fill has {len(self.fill)} values'
            )
        whole = np.issubdtype(image.dtype, np.integer)
        fill = np.round(self.fill) if whole else self.fill
        cell, hidden = self.draw(size)
        results['img'] = hide_cells(image, hidden, cell, fill)
        if self.keep_mask:
            results['occlusion_mask'] = cell_mask(size, hidden, cell)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(grid_sizes={self.grid_sizes}, '
            f'hide_prob={self.hide_prob}, fill={self.fill}, '
            f'keep_mask={self.keep_mask})'
        )
