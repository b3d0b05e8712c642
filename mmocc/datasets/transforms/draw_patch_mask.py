"""Chooses patches that a reconstructor must fill, without touching pixels."""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmocc.datasets.identity import identity_number, note_identity
from mmocc.datasets.picture_layout import check_picture, picture_name
from mmocc.occlusion.patches import draw_patch_masks, patch_grid
from mmocc.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DrawPatchMask(BaseTransform):
    """Choose irregular regions of patches as hidden; the image stays clean.

    For the test of a reconstructor on clean faces, as in the tables 8 and 9 of
    Latent-OFER (arXiv 2307.11404), which have irregular masks: the model does
    not see the chosen patches, and the clean face is the truth. The regions
    depend only on (seed, the image's identity).

    Required Keys: img (uint8, (H, W, C); H and W multiples of ``patch_size``)

    Added Keys:

    - patch_coverage (float32, (gh, gw); 1 where a patch is chosen, else 0)
    - clean_img (the image)

    Args:
        patch_size: Side of a patch in pixels.
        share: Least and greatest share of the patches that is chosen.
        roughness: See :func:`mmocc.occlusion.patches.draw_patch_masks`.
        seed: Base seed.

    Raises:
        ValueError: If an option is out of its range; while running, if an
            image does not fit the patches.
    """

    def __init__(
        self,
        patch_size: int = 16,
        share: Sequence[float] = (0.1, 0.5),
        roughness: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.patch_size = patch_size
        low, high = share
        self.share = (low, high)
        self.roughness = roughness
        self.seed = seed
        self.draw((1, 1), np.random.default_rng(0))  # refuses wrong options

    def draw(
        self, grid: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """Return a mask (gh, gw) float32, 1 is chosen."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        masks = draw_patch_masks(
            1, grid, self.share, self.roughness, generator=generator
        )
        return masks.view(grid).numpy().astype(np.float32)

    def transform(self, results: dict) -> dict:
        """Add the mask, and the image as the truth."""
        image = check_picture(results, 'mmocc.DrawPatchMask')
        identity = identity_number(note_identity(results))
        try:
            grid = patch_grid(image.shape[:2], self.patch_size)
        except ValueError as error:
            raise ValueError(f'{picture_name(results)}: {error}') from error
        rng = np.random.default_rng([self.seed, identity])
        results['patch_coverage'] = self.draw(grid, rng)
        results['clean_img'] = image
        return results

    def __repr__(self) -> str:
        options = ', '.join(f'{k}={v!r}' for k, v in vars(self).items())
        return f'{type(self).__name__}({options})'
