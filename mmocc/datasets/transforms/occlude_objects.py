"""Pipeline transform that hides a chosen share of every object."""

from typing import Any

import numpy as np

from mmocc.datasets.identity import note_identity
from mmocc.datasets.picture_layout import (
    check_picture,
    order_of,
    picture_name,
)
from mmocc.datasets.sample_occlusion import to_image, to_planes
from mmocc.datasets.transforms.occlude import Occlude
from mmocc.occlusion import EmptyRegionError
from mmocc.occlusion.occlude_objects import occlude_objects
from mmocc.occlusion.regions import (
    Region,
    box_region,
    hidden_share,
    mask_region,
)
from mmocc.registry import TRANSFORMS

IGNORED = 'ignored'


@TRANSFORMS.register_module()
class OccludeObjects(Occlude):
    """Hide a share of every annotated object of a detection image.

    An object is its mask if it has one, else its box. Put the transform right
    after the loading of the image: there it reads the annotations of the data
    set (``instances``), and every later resizing sees the same occlusion.
    After ``LoadAnnotations`` it uses what that has loaded. Boxes and masks
    are kept as they are.

    With a ``seed``, an occlusion depends on (seed, the image's identity, kind,
    level) only, as in :class:`Occlude`. What a level hides, the next level
    hides as well. White, noise and textures are the same rectangles; a
    cut-out is put on the same point unless one of a neighbour hides it.

    No object is ever hidden above the level, whatever overlaps. An occluder
    passes behind neighbours that have their share. An object whose visible
    pixels all belong to such neighbours stays ``below``; one of 0 to 3 pixels
    is ``too_small``; ``iscrowd`` and difficult ones are ``ignored``, as by
    the metrics: they get no occluder, and do not limit those of others.

    Required Keys:

    - img (as for :class:`Occlude`; or whole numbers in float32 as
      ``LoadImageFromFile(to_float32=True)`` gives them)
    - gt_bboxes, or instances (as mmdet's data sets give them)
    - gt_masks, gt_ignore_flags, channel_order (optional)
    - img_path, or what else says which image it is (optional)

    Modified Keys:

    - img (a new array of the same dtype)

    Added Keys:

    - occlusion_mask (uint8, (H, W); 1 = hidden, on an object or next to it)
    - occlusion_shares (float32, (n,); hidden share of each object, NaN for
      one without a pixel)
    - occlusion_status (n times ``inside``, ``below``, ``too_small`` or
      ``ignored``)

    Arguments are those of :class:`Occlude`; ``region`` may be ``mask``,
    ``box``, or ``auto``.

    Raises:
        ValueError: As ``mmocc.Occlude``; or if a sample has no annotations,
            or a mask or box that does not fit its image or is inverted
            (naming the image).
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.region == 'image':
            raise ValueError(
                "region='image' is no object; choose from "
                "['auto', 'mask', 'box'], or use mmocc.Occlude"
            )

    def transform(self, results: dict) -> dict:
        """Occlude ``results['img']`` and store each object's hidden share."""
        name = picture_name(results)
        image = results['img']
        pixels = check_picture(results, 'mmocc.OccludeObjects', floats=True)
        order = order_of(results, self.channel_order)
        try:
            regions, ignored = instance_regions(results, self.region)
        except ValueError as error:
            raise type(error)(f'{name}: {error}') from error
        pairs = zip(regions, ignored, strict=True)
        objects = [region for region, skip in pairs if not skip]
        kind, shares, generator = self.draw(note_identity(results))
        occlusion = occlude_objects(
            to_planes(pixels, order),
            objects,
            kind,
            shares,
            self.bank,
            generator,
        )
        mask, status = occlusion.mask, iter(occlusion.status)
        results['img'] = to_image(occlusion.image, image, order)
        results['occlusion_mask'] = mask.numpy().astype(np.uint8)
        hidden = [hidden_share(region, mask) for region in regions]
        results['occlusion_shares'] = np.array(hidden, np.float32)
        results['occlusion_status'] = [
            IGNORED if skip else next(status) for skip in ignored
        ]
        return results


def instance_regions(
    results: dict, source: str = 'auto'
) -> tuple[list[Region], list[bool]]:
    """Return the pixels of each annotated object, and which are ignored.

    The object is its ``mask`` or ``box``, as ``source`` says; with ``auto``
    its mask if it has one with a pixel in it, else its box. Annotations that
    a transform has loaded (``gt_bboxes``, ``gt_masks``, ``gt_ignore_flags``)
    fit the image as it is now and come first; else those of the data set
    (``instances``), which fit the image as it is on disk.

    Raises:
        ValueError: If there are no annotations, or no masks where they are
            required; or if a mask or box does not fit the image.
        EmptyRegionError: If a box is inverted.
    """
    size = results['img'].shape[:2]
    if results.get('gt_bboxes') is not None:
        boxes, masks, flags = _loaded(results)
    elif results.get('instances') is not None:
        items = results['instances']
        boxes = [item['bbox'] for item in items]
        masks = [item.get('mask') for item in items]
        flags = [item.get('ignore_flag') for item in items]
    else:
        raise ValueError(
            'the sample has neither gt_bboxes nor instances, so there is no '
            'object to occlude: does the data set have annotations, and is '
            'mmocc.OccludeObjects after the loading of the image?'
        )
    regions = []
    for box, mask in zip(boxes, masks, strict=True):
        region = None
        if source != 'box' and mask is not None:
            region = mask_region(_decode(mask, size))
        if source == 'mask' and region is None:
            raise ValueError("region='mask' but an object has no mask")
        if region is None or (source == 'auto' and not region.mask.numel()):
            check_upright(box)
            region = box_region(box, size)
        regions.append(region)
    return regions, [bool(flag) for flag in flags]


def check_upright(box: Any) -> None:
    """Raise EmptyRegionError if an xyxy box is inverted.

    One without width or height is too small, not wrong.
    """
    x1, y1, x2, y2 = np.asarray(box, np.float64).tolist()
    if x2 < x1 or y2 < y1:
        raise EmptyRegionError(
            f'the box {[x1, y1, x2, y2]} (xyxy) is inverted: correct the '
            'annotation, or its order of numbers'
        )


def _loaded(results: dict) -> tuple[list, list, list]:
    """Return boxes, masks and ignore flags that a transform has loaded."""
    boxes = results['gt_bboxes']
    boxes = np.asarray(getattr(boxes, 'tensor', boxes), np.float64)
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(
            f'gt_bboxes is {boxes.shape}; mmocc.OccludeObjects knows (n, 4) '
            'xyxy boxes only'
        )
    boxes = list(boxes.reshape(-1, 4))
    masks = results.get('gt_masks')
    masks = [None] * len(boxes) if masks is None else list(map(_one, masks))
    flags = results.get('gt_ignore_flags')
    return boxes, masks, [False] * len(boxes) if flags is None else list(flags)


def _one(mask: Any) -> Any:
    """Return one item of mmdet's masks: an array, or its polygons."""
    if isinstance(mask, np.ndarray):
        return mask
    return [np.asarray(polygon).ravel().tolist() for polygon in mask]


def _decode(mask: Any, size: tuple[int, int]) -> np.ndarray:
    """Return polygons, run lengths or a bitmap as an (H, W) uint8 mask."""
    if not isinstance(mask, np.ndarray):
        # It needs pycocotools, which comes with mmdet.
        from mmocc.datasets.coco_masks import decode_segmentation

        mask = decode_segmentation(mask, size, 'an object of the sample')
        if mask is None:  # its polygons have no area
            return np.zeros(size, np.uint8)
    if mask.shape != size:
        raise ValueError(
            f'a mask of {mask.shape} does not fit the image of {size}'
        )
    return mask
