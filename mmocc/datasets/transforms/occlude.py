"""Pipeline transform that hides a chosen share of the object."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from torch import Tensor

from mmocc.occlusion import (
    KINDS,
    OccluderBank,
    UnreachableLevelError,
    check_kind,
    level_range,
    occlude_object,
)
from mmocc.registry import TRANSFORMS

REGIONS = ('auto', 'mask', 'box', 'image')


@TRANSFORMS.register_module()
class Occlude(BaseTransform):
    """Hide a share of the object behind an occluder.

    The hidden share of the object always lies inside the level. The object is
    its mask (``gt_seg_map == 1``) if there is one, else the union of
    ``gt_bboxes`` (xyxy pixels), else the whole image. Put the transform after
    loading and all geometric steps and before packing: a host transform that
    moves pixels but not boxes or masks would leave these wrong.

    With a ``seed``, an occlusion depends on (seed, ``sample_idx``, kind,
    level) only, so that every model sees the same one; an image without a
    ``sample_idx`` (an inferencer's) counts as index 0. Without a seed it is
    drawn from NumPy's global state each time, as in other transforms.

    Required Keys:

    - img (uint8, (H, W, 3) in BGR, or (H, W) grey)
    - gt_seg_map, gt_bboxes, sample_idx (optional)

    Modified Keys:

    - img (a new array; the input is never changed in place)

    Added Keys:

    - occlusion_mask (uint8, (H, W); 1 = hidden, on the object or next to it)
    - occlusion_share (hidden share of the object, in [0, 1])
    - occlusion_region (what the object is: ``mask``, ``box`` or ``image``)

    Args:
        kind: ``white``, ``noise``, ``texture`` or ``object``; of a sequence,
            one is drawn for each image.
        level: ``L0``, ``L1``, ``L2``, ``L3``, or a pair of shares; of a
            sequence of these, one is drawn for each image.
        texture_bank: Folder(s) of images, for kind ``texture``.
        object_bank: Folder(s) of RGBA cut-outs, for kind ``object``.
        texture_size: Side of the texture sheets in pixels.
        region: What the share refers to: ``mask``, ``box`` or ``image``;
            ``auto`` takes the first that the sample has.
        seed: Base seed of repeatable (evaluation) occlusions.
        bank: A built bank that serves the kinds, instead of the folders.

    Raises:
        ValueError: If a kind, level or region is unknown, or a bank is
            missing, empty or unreadable (all at construction); or if an
            image is not uint8, a mask or box does not fit its image, or an
            object has too few pixels for the level (naming the image).
    """

    def __init__(
        self,
        kind: str | Sequence[str] = KINDS,
        level: str | Sequence = ('L1', 'L2', 'L3'),
        texture_bank: str | Path | Sequence[str] | None = None,
        object_bank: str | Path | Sequence[str] | None = None,
        texture_size: int = 256,
        region: str = 'auto',
        seed: int | None = None,
        bank: OccluderBank | None = None,
    ) -> None:
        kinds = [kind] if isinstance(kind, str) else list(kind)
        self.kinds = [check_kind(name) for name in kinds]
        one = isinstance(level, str) or isinstance(level[0], int | float)
        self.levels = [level] if one else list(level)
        self.shares = [level_range(name) for name in self.levels]
        if region not in REGIONS:
            raise ValueError(
                f'unknown region {region!r}; choose from {list(REGIONS)}'
            )
        self.region = region
        self.seed = seed
        self.bank = bank or OccluderBank(
            self.kinds, texture_bank, object_bank, texture_size
        )

    @cache_randomness
    def draw(
        self, sample_idx: int
    ) -> tuple[str, tuple[float, float], torch.Generator]:
        """Draw kind, share range and the generator of everything else."""
        generator = torch.Generator()
        if self.seed is None:
            kind = self.kinds[np.random.randint(len(self.kinds))]
            shares = self.shares[np.random.randint(len(self.shares))]
            generator.manual_seed(np.random.randint(2**31))
            return kind, shares, generator
        choice = np.random.default_rng([self.seed, sample_idx])
        kind = self.kinds[choice.integers(len(self.kinds))]
        shares = self.shares[choice.integers(len(self.shares))]
        millionths = [round(share * 1e6) for share in shares]
        entropy = [self.seed, sample_idx, KINDS.index(kind), *millionths]
        state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
        generator.manual_seed(int(state[0] >> np.uint64(1)))
        return kind, shares, generator

    def object_region(self, results: dict) -> tuple[np.ndarray, str]:
        """Return the (H, W) bool object, and what it is: mask, box, image."""
        size = results['img'].shape[:2]
        name = results.get('img_path', 'the image')
        mask, boxes = results.get('gt_seg_map'), results.get('gt_bboxes')
        if self.region in ('auto', 'mask') and mask is not None:
            if mask.shape != size:
                raise ValueError(
                    f'{name}: gt_seg_map is {mask.shape}, the image {size}; '
                    'put mmocc.Occlude after transforms that move both'
                )
            return mask == 1, 'mask'
        if self.region in ('auto', 'box') and boxes is not None:
            return _boxes_region(boxes, size, name), 'box'
        if self.region in ('mask', 'box'):
            raise ValueError(
                f'{name}: region={self.region!r} but the sample has no '
                + ('gt_seg_map' if self.region == 'mask' else 'gt_bboxes')
            )
        return np.ones(size, bool), 'image'

    def transform(self, results: dict) -> dict:
        """Occlude ``results['img']`` and store the mask that was used."""
        image = results['img']
        name = results.get('img_path', 'the image')
        if image.dtype != np.uint8:
            raise ValueError(
                f'{name}: mmocc.Occlude works on uint8 images, got '
                f'{image.dtype}; put it before normalisation and packing'
            )
        pixels, results['occlusion_region'] = self.object_region(results)
        region = torch.from_numpy(pixels)
        kind, shares, generator = self.draw(int(results.get('sample_idx', 0)))
        try:
            occluded, mask = occlude_object(
                to_planes(image), region, kind, shares, self.bank, generator
            )
        except ValueError as error:
            raise type(error)(f'{name}: {error}') from error
        results['img'] = to_image(occluded, image)
        results['occlusion_mask'] = mask.numpy().astype(np.uint8)
        share = (mask & region).sum() / region.sum()
        results['occlusion_share'] = float(share)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(kind={self.kinds}, level={self.levels}, '
            f'texture_bank={self.bank.texture_bank!r}, '
            f'object_bank={self.bank.object_bank!r}, '
            f'texture_size={self.bank.texture_size}, '
            f'region={self.region!r}, seed={self.seed})'
        )


def to_planes(image: np.ndarray) -> Tensor:
    """Return an image, (H, W), (H, W, 1) or (H, W, 3), as (3, H, W)."""
    colour = image if image.ndim == 3 else image[..., None]
    planes = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)
    return planes.expand(3, -1, -1)


def to_image(planes: Tensor, like: np.ndarray) -> np.ndarray:
    """Return (3, H, W) planes in the shape and type of an image."""
    image = planes.permute(1, 2, 0).contiguous().numpy()
    if image.shape != like.shape:  # grey
        image = image.mean(axis=-1).round().reshape(like.shape)
    return image.astype(like.dtype, copy=False)


def _boxes_region(boxes: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Return the union of xyxy boxes as (H, W) bool."""
    boxes = np.asarray(getattr(boxes, 'tensor', boxes), np.float64)
    boxes = boxes.reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise ValueError(f'{name}: gt_bboxes has NaN or inf: {boxes.tolist()}')
    region = np.zeros(size, bool)
    limit = np.array(size[::-1] * 2)
    for x1, y1, x2, y2 in boxes.round().clip(0, limit).astype(int):
        region[y1:y2, x1:x2] = True
    if region.any():
        return region
    image = f'the image of {size[1]}x{size[0]} pixels'
    if ((boxes[:, :2] < limit[:2]) & (boxes[:, 2:] > 0)).all(1).any():
        raise UnreachableLevelError(
            f'{name}: no box of {boxes.tolist()} has a pixel of {image}'
        )
    raise ValueError(f'{name}: no box of {boxes.tolist()} lies inside {image}')
