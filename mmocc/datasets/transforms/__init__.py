"""Thin pipeline classes over the occlusion core."""

from mmocc.utils.hosts import absent, usable

__all__ = [
    'AlignFace',
    'CropObject',
    'DrawPatchMask',
    'FixedCrop',
    'HideAndSeek',
    'HideSegments',
    'LoadAnomalyAnnotations',
    'LoadOcclusionMasks',
    'Occlude',
    'OccludeObjects',
    'PackAnomalyInputs',
    'PasteOcclusion',
]

if usable('mmcv.transforms'):
    from mmocc.datasets.transforms.align_face import AlignFace
    from mmocc.datasets.transforms.crop_object import CropObject
    from mmocc.datasets.transforms.draw_patch_mask import DrawPatchMask
    from mmocc.datasets.transforms.fixed_crop import FixedCrop
    from mmocc.datasets.transforms.hide_and_seek import HideAndSeek
    from mmocc.datasets.transforms.hide_segments import HideSegments
    from mmocc.datasets.transforms.load_occlusion_masks import (
        LoadOcclusionMasks,
    )
    from mmocc.datasets.transforms.occlude import Occlude
    from mmocc.datasets.transforms.occlude_objects import OccludeObjects
    from mmocc.datasets.transforms.paste_occlusion import PasteOcclusion

if usable('mmdet.datasets'):
    from mmocc.datasets.transforms.anomaly_annotations import (
        LoadAnomalyAnnotations,
        PackAnomalyInputs,
    )

__getattr__ = absent(
    __name__,
    {
        'mmdet.datasets': ['LoadAnomalyAnnotations', 'PackAnomalyInputs'],
        'mmcv.transforms': __all__,
    },
)
