"""A crop at a named position, for test-time augmentation."""

from mmcv.transforms import BaseTransform

from mmocc.registry import TRANSFORMS

# Share of the room above and left of the crop, (y, x)
POSITIONS = dict(
    top_left=(0.0, 0.0),
    top_right=(0.0, 1.0),
    bottom_left=(1.0, 0.0),
    bottom_right=(1.0, 1.0),
    center=(0.5, 0.5),
)


@TRANSFORMS.register_module()
class FixedCrop(BaseTransform):
    """Cut a square out of a corner or the centre; note its position.

    Five of them, each also mirrored, are the ten crops that
    ``mmocc.TenCropTTA`` combines: see ``configs/_base_/ten_crop.py``.

    Required Keys: img.

    Modified Keys: img, img_shape.

    Added Keys: crop_box (xyxy, half-open) and full_shape (h, w), both of the
    image before the crop.

    Args:
        crop_size: Side of the square in pixels.
        position: ``top_left``, ``top_right``, ``bottom_left``,
            ``bottom_right`` or ``center``.

    Raises:
        ValueError: The position is unknown, or an image is smaller than the
            crop.
    """

    def __init__(self, crop_size: int, position: str) -> None:
        if position not in POSITIONS:
            raise ValueError(
                f'position {position!r} is none of {list(POSITIONS)}'
            )
        self.crop_size = crop_size
        self.position = position

    def transform(self, results: dict) -> dict:
        """Crop ``results['img']``."""
        size = results['img'].shape[:2]
        if min(size) < self.crop_size:
            raise ValueError(
                f'{results.get("img_path", "the image")} is {size[0]}x'
                f'{size[1]} (height x width), smaller than the crop of '
                f'{self.crop_size}: resize it first'
            )
        y, x = (
            round(share * (side - self.crop_size))
            for share, side in zip(POSITIONS[self.position], size, strict=True)
        )
        box = (x, y, x + self.crop_size, y + self.crop_size)
        results['img'] = results['img'][y : box[3], x : box[2]]
        results['img_shape'] = results['img'].shape[:2]
        results['crop_box'] = box
        results['full_shape'] = size
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, '
            f'position={self.position!r})'
        )
