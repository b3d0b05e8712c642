"""Pipeline transform that hides a chosen share of the object."""

from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmocc.datasets.sample_occlusion import SampleOcclusion
from mmocc.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Occlude(SampleOcclusion, BaseTransform):
    """Hide a share of the object behind an occluder.

    The hidden share of the object always lies inside the level. The object is
    its mask (``gt_seg_map``: 1 on the object, or 255 in a mask of 0 and 255)
    if there is one, else the union of ``gt_bboxes`` (xyxy pixels), else the
    whole image. Put the transform after loading and all geometric steps and
    before packing. It takes boxes as they are there: of mmpretrain's own
    steps, ``ResizeEdge`` and the random crops do not move them. The first is
    noticed and refused; the others leave no trace in a sample. Then occlude
    before them, or by the mask. (The occlusion report follows all of them.)

    With a ``seed``, an occlusion depends on (seed, the image's identity,
    kind, level) only: not on workers, batches, order, subsets, or the size of
    the image. So every model sees the same one, up to a pixel at the rim. All
    kinds are put on the same place, and white, noise and textures have the
    same shape; what a level hides, the next level hides as well. The identity
    is the image's path from its data root on, and the number of the object:
    see :mod:`mmocc.datasets.identity`. Without a seed an occlusion is drawn
    from NumPy's global state each time, as in other transforms.

    Required Keys:

    - img (uint8, (H, W, 3); (H, W, 4), whose alpha is kept; (H, W) or
      (H, W, 1) grey)
    - gt_seg_map, gt_bboxes, channel_order (optional)
    - img_path, or what else says which image it is (optional)

    Modified Keys:

    - img (a new array; the input is never changed in place)

    Added Keys:

    - occlusion_mask (uint8, (H, W); 1 = hidden, on the object or next to it)
    - occlusion_share (hidden share of the object, in [0, 1])
    - occlusion_region (what the object is: ``mask``, ``box`` or ``image``)
    - occlusion_identity, occlusion_photo (which image it is, and which photo
      it is, or is cut out of)

    Args:
        kind: ``white``, ``noise``, ``texture`` or ``object``; of a sequence,
            one is drawn for each image.
        level: ``L0``, ``L1``, ``L2``, ``L3``, a share, which is met within a
            pixel, or a pair of shares; of a sequence of these (of two
            numbers, it is a pair), one is drawn for each image.
        texture_bank: Folder(s) of images, for kind ``texture``. For both
            banks, ``builtin:train`` and ``builtin:test`` are drawn by mmocc.
        object_bank: Folder(s) of RGBA cut-outs, for kind ``object``.
        texture_size: Side of the texture sheets in pixels.
        region: What the share refers to: ``mask``, ``box`` or ``image``;
            ``auto`` takes the first that the sample has.
        seed: Base seed of repeatable (evaluation) occlusions.
        bank: A built bank that serves the kinds, instead of the folders.
        channel_order: ``bgr`` or ``rgb``, in which images come; by default
            the sample's ``channel_order`` if it has one, else ``rgb`` of a
            data set that holds its images (CIFAR), else ``bgr``.

    Raises:
        ValueError: If a kind, level, region or order is unknown, or a bank
            is missing, empty or unreadable (all at construction); or if an
            image has another form, or a mask or box does not fit its image
            (naming the image).
        EmptyRegionError: If an object has no pixel in its image: the mask is
            empty, or a box inverted or outside.
        UnreachableLevelError: If an object has too few pixels for the level.
    """

    draw = cache_randomness(SampleOcclusion.draw)
