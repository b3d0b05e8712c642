"""Pipeline transform that hides a chosen share of every object."""

import numpy as np
import torch

from mmocc.datasets.transforms.instance_regions import instance_regions
from mmocc.datasets.transforms.occlude import Occlude
from mmocc.occlusion.occlude_objects import ObjectsOcclusion, occlude_objects
from mmocc.occlusion.regions import Region, hidden_share
from mmocc.registry import TRANSFORMS

IGNORED = 'ignored'


@TRANSFORMS.register_module()
class OccludeObjects(Occlude):
    """Hide a share of every annotated object of a detection image.

    An object is its mask if it has one, else its box. Put the transform right
    behind the loading of the image, where it needs no loaded annotations: it
    reads those of the data set (``instances``) and hides objects in the
    image's own geometry, so that every later resizing sees the same occlusion.
    Behind ``LoadAnnotations`` it uses what that has loaded. Boxes and masks
    are kept as they are.

    What is guaranteed: no object is hidden above the level, whatever
    overlaps. An occluder passes behind neighbours that have their share. An
    object whose visible pixels all belong to such neighbours stays ``below``;
    one of 0 to 3 pixels is ``too_small``; ``iscrowd`` and difficult ones are
    ``ignored``, as by the metrics: they get no occluder, and are no obstacle.

    Draws are those of ``mmocc.Occlude``: with a ``seed`` an occlusion depends
    on (seed, ``sample_idx``, kind, level) only.

    Required Keys:

    - img ((H, W, 3) in BGR, or (H, W) grey; uint8, or whole numbers in
      float32 as ``LoadImageFromFile(to_float32=True)`` gives them)
    - gt_bboxes, or instances (as mmdet's data sets give them)
    - gt_masks (optional)
    - gt_ignore_flags (optional)
    - sample_idx (optional)

    Modified Keys:

    - img (a new array of the same dtype)

    Added Keys:

    - occlusion_mask (uint8, (H, W); 1 = hidden, on an object or beside it)
    - occlusion_shares (float32, (n,); hidden share of each object, NaN for
      one without a pixel)
    - occlusion_status (n times ``inside``, ``below``, ``too_small`` or
      ``ignored``)

    Args:
        *args: As for ``mmocc.Occlude``: kind, level, banks, texture_size.
        region: What the share refers to: ``mask``, ``box``, or ``auto``.
        **kwargs: As for ``mmocc.Occlude``, with ``seed``.

    Raises:
        ValueError: As ``mmocc.Occlude``; or if a sample has no annotations,
            or a mask or box that does not fit its image (naming the image).
    """

    def __init__(self, *args, region: str = 'auto', **kwargs) -> None:
        if region == 'image':
            raise ValueError(
                "region='image' is no object; choose from "
                "['auto', 'mask', 'box'], or use mmocc.Occlude"
            )
        super().__init__(*args, region=region, **kwargs)

    def transform(self, results: dict) -> dict:
        """Occlude ``results['img']`` and store how much of what is hidden."""
        name = results.get('img_path', 'the image')
        image = results['img']
        try:
            pixels = _as_uint8(image)
            regions, ignored = instance_regions(results, self.region)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error
        pairs = zip(regions, ignored, strict=True)
        wanted = [region for region, skip in pairs if not skip]
        done = self._occlude(pixels, wanted, int(results.get('sample_idx', 0)))
        occluded = done.image.permute(1, 2, 0).contiguous().numpy()
        if image.shape != occluded.shape:  # grey
            occluded = occluded.mean(axis=-1).round().reshape(image.shape)
        results['img'] = occluded.astype(image.dtype)
        results['occlusion_mask'] = done.mask.numpy().astype(np.uint8)
        shares = [hidden_share(region, done.mask) for region in regions]
        results['occlusion_shares'] = np.array(shares, np.float32)
        status = iter(done.status)
        results['occlusion_status'] = [
            IGNORED if skip else next(status) for skip in ignored
        ]
        return results

    def _occlude(
        self, pixels: np.ndarray, regions: list[Region], sample_idx: int
    ) -> ObjectsOcclusion:
        """Draw and put on the occluders of one sample."""
        colour = pixels if pixels.ndim == 3 else pixels[..., None]
        tensor = torch.from_numpy(np.ascontiguousarray(colour))
        tensor = tensor.permute(2, 0, 1).expand(3, -1, -1)
        kind, shares, generator = self.draw(sample_idx)
        return occlude_objects(
            tensor, regions, kind, shares, self.bank, generator
        )


def _as_uint8(image: np.ndarray) -> np.ndarray:
    """Return an image's bytes.

    Raises:
        ValueError: If it is not made of bytes, or has not 1 or 3 channels.
    """
    pixels = image.astype(np.uint8)
    if image.dtype != np.uint8 and not np.array_equal(pixels, image):
        raise ValueError(
            f'mmocc.OccludeObjects works on whole numbers from 0 to 255, got '
            f'{image.dtype} with others; put it right behind the loading of '
            'the image'
        )
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        raise ValueError(
            f'an image of {image.shape[2]} channels cannot be occluded; 3 or '
            '1 are needed'
        )
    return pixels
