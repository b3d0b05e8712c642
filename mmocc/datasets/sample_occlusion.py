"""Hiding a chosen share of the object of a sample, without mm.

``mmocc.Occlude`` is this as a transform of mm.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmocc.datasets.identity import identity_number, note_identity
from mmocc.datasets.picture_layout import (
    check_order,
    check_picture,
    like_picture,
    order_of,
    picture_name,
    to_bgr,
)
from mmocc.occlusion import (
    KINDS,
    EmptyRegionError,
    OccluderBank,
    UnreachableLevelError,
    check_kind,
    level_range,
    list_levels,
    occlude_object,
)

REGIONS = ('auto', 'mask', 'box', 'image')


class SampleOcclusion:
    """Hide a share of the object behind an occluder.

    Keys of samples, arguments and errors are those of ``mmocc.Occlude``.
    """

    def __init__(
        self,
        kind: str | Sequence[str] = KINDS,
        level: str | float | Sequence = ('L1', 'L2', 'L3'),
        texture_bank: str | Path | Sequence[str] | None = None,
        object_bank: str | Path | Sequence[str] | None = None,
        texture_size: int = 256,
        region: str = 'auto',
        seed: int | None = None,
        bank: OccluderBank | None = None,
        channel_order: str | None = None,
    ) -> None:
        kinds = [kind] if isinstance(kind, str) else list(kind)
        self.kinds = [check_kind(name) for name in kinds]
        self.levels: list[Any] = list_levels(level)
        self.shares = [level_range(name) for name in self.levels]
        if region not in REGIONS:
            raise ValueError(
                f'unknown region {region!r}; choose from {list(REGIONS)}'
            )
        self.region = region
        self.seed = seed
        self.channel_order = check_order(channel_order)
        self.bank = bank or OccluderBank(
            self.kinds, texture_bank, object_bank, texture_size
        )

    def draw(
        self, identity: str
    ) -> tuple[str, tuple[float, float], torch.Generator]:
        """Draw kind, share range and the generator of everything else."""
        generator = torch.Generator()
        if self.seed is None:
            kind = self.kinds[np.random.randint(len(self.kinds))]
            shares = self.shares[np.random.randint(len(self.shares))]
            generator.manual_seed(np.random.randint(2**31))
            return kind, shares, generator
        entropy = [self.seed, identity_number(identity)]
        choice = np.random.default_rng(entropy)
        kind = self.kinds[choice.integers(len(self.kinds))]
        shares = self.shares[choice.integers(len(self.shares))]
        state = np.random.SeedSequence([*entropy, 1])
        generator.manual_seed(int(state.generate_state(1, np.uint64)[0]) >> 1)
        return kind, shares, generator

    def object_region(self, results: Mapping) -> tuple[np.ndarray, str]:
        """Return the (H, W) bool object, and what it is: mask, box, image."""
        size = results['img'].shape[:2]
        name = picture_name(results)
        mask, boxes = results.get('gt_seg_map'), results.get('gt_bboxes')
        if self.region in ('auto', 'mask') and mask is not None:
            return mask_pixels(np.asarray(mask), size, name), 'mask'
        if self.region in ('auto', 'box') and boxes is not None:
            check_moved(results)
            return box_pixels(boxes, size, name), 'box'
        if self.region in ('mask', 'box'):
            raise ValueError(
                f'{name}: region={self.region!r} but the sample has no '
                + ('gt_seg_map' if self.region == 'mask' else 'gt_bboxes')
            )
        return np.ones(size, bool), 'image'

    def __call__(self, results: dict) -> dict:
        """Return the sample, occluded."""
        return self.transform(results)

    def transform(self, results: dict) -> dict:
        """Occlude ``results['img']`` and store the mask that was used."""
        check_picture(results, 'mmocc.Occlude')
        return self.hide(results, *self.object_region(results))

    def hide(self, results: dict, pixels: np.ndarray, what: str) -> dict:
        """Hide a share of the object's (H, W) bool pixels, as a transform.

        ``what`` says what the object is: its mask, box, or the image.
        """
        image = check_picture(results, 'mmocc.Occlude')
        order = order_of(results, self.channel_order)
        region = torch.from_numpy(pixels)
        kind, shares, generator = self.draw(note_identity(results))
        try:
            occluded, mask = occlude_object(
                to_planes(image, order),
                region,
                kind,
                shares,
                self.bank,
                generator,
            )
        except ValueError as error:
            name = picture_name(results)
            raise type(error)(f'{name}: {error}') from error
        results['img'] = to_image(occluded, image, order)
        results['occlusion_mask'] = mask.numpy().astype(np.uint8)
        results['occlusion_region'] = what
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


def to_planes(image: np.ndarray, order: str = 'bgr') -> Tensor:
    """Return a picture of :func:`check_picture` as (3, H, W), BGR."""
    bgr = np.ascontiguousarray(to_bgr(image, order))
    return torch.from_numpy(bgr).permute(2, 0, 1)


def to_image(
    planes: Tensor, like: np.ndarray, order: str = 'bgr'
) -> np.ndarray:
    """Return (3, H, W) BGR planes in the layout and type of a picture."""
    bgr = planes.permute(1, 2, 0).contiguous().numpy()
    return like_picture(bgr, like, order)


def mask_pixels(
    mask: np.ndarray, size: tuple[int, int], name: str
) -> np.ndarray:
    """Return the object of a ``gt_seg_map``, (H, W) bool.

    Its pixels are 1, or 255 where all values are 0 and 255. (Else, 255 is
    what mm leaves out.)

    Raises:
        ValueError: If the mask does not fit the (h, w) image, or has neither
            of these values.
        EmptyRegionError: If no pixel is set.
    """
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.shape != size:
        raise ValueError(
            f'{name}: gt_seg_map is {mask.shape}, the image {size}; put '
            'mmocc.Occlude after transforms that move both'
        )
    values = np.unique(mask).tolist()
    if values == [0]:
        raise EmptyRegionError(
            f'{name}: gt_seg_map is empty: no pixel of the object is set'
        )
    if values in ([255], [0, 255]):
        return mask == 255
    if not set(values) <= {0, 1, 255}:
        shown = ', '.join(map(str, values[:8])) + ', ...' * (len(values) > 8)
        raise ValueError(
            f'{name}: gt_seg_map has the values {shown}; mark the object with '
            '1 and the rest with 0 (or with 255 and 0)'
        )
    return mask == 1


def box_pixels(boxes: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Return the union of xyxy boxes as (H, W) bool.

    Raises:
        ValueError: If a box has NaN or inf.
        EmptyRegionError: If there is no box, one is inverted or has no width
            or height, or all are outside of the (h, w) image.
        UnreachableLevelError: If the boxes are inside, but too small.
    """
    boxes = np.asarray(getattr(boxes, 'tensor', boxes), np.float64)
    boxes = boxes.reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise ValueError(f'{name}: gt_bboxes has NaN or inf: {boxes.tolist()}')
    if not len(boxes):
        raise EmptyRegionError(f'{name}: gt_bboxes has no box')
    for box in boxes[(boxes[:, 2:] <= boxes[:, :2]).any(1)].tolist():
        raise EmptyRegionError(
            f'{name}: the box {box} (xyxy) is inverted or has no area'
        )
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
    raise EmptyRegionError(
        f'{name}: no box of {boxes.tolist()} lies inside {image}'
    )


def check_moved(results: Mapping) -> None:
    """Refuse a sample whose image was resized without its boxes.

    mm's steps that resize both store ``keep_ratio`` beside ``scale_factor``.

    Raises:
        ValueError: Naming the image.
    """
    scale = np.ravel(results.get('scale_factor', 1.0))
    if 'keep_ratio' in results or np.allclose(scale, 1):
        return
    raise ValueError(
        f'{picture_name(results)}: the image was resized by {scale.tolist()} '
        'and gt_bboxes was not (as by ResizeEdge of mmpretrain): use Resize, '
        'which moves both, or put mmocc.Occlude before it. (A step of your '
        'own that moves boxes should store keep_ratio, as Resize does.)'
    )
