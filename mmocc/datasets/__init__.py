"""Readers of data sets as their sources publish them; nothing is written.

- ``lists``: choices, lists and folders, as all readers check them
- ``voc_objects``: object crops from Pascal VOC; ``voc_layout`` reads its files
- ``occluded_vehicles``, ``occluded_pascal3d``: occluded objects of PASCAL3D+;
  ``occlusion_masks`` reads their masks, ``pascal3d_boxes`` corrects boxes
- ``occluded_imagenet``: occluded test sets for ImageNet classifiers
- ``affectnet``, ``fedro``, ``kdef``, ``rafdb``, ``face_folder``: faces, all on
  ``face_dataset``
- ``wsol_dataset``: localization, in the layouts of ``wsol/``
- ``anomaly_images``: anomalies, in the layouts of ``anomaly/``;
  ``ornament_pages``: pages of ornaments
- ``coco_layout``, ``coco_masks``, ``channel_stats``: COCO files, their masks,
  means of channels
- ``picture_layout``, ``channel_order``: grey, alpha, BGR or RGB
- ``transforms/``: steps of pipelines
"""

from mmocc.utils.hosts import absent, usable

__all__ = [
    'FEDRO',
    'KDEF',
    'RAFDB',
    'AffectNet',
    'AnomalyImages',
    'FaceFolder',
    'OccludedPASCAL3D',
    'OccludedVehicles',
    'OrnamentPages',
    'RealisticOcclusion',
    'SuperimposedMasked',
    'VOCObjects',
    'WSOLDataset',
]

# What is below this package must be importable without the hosts.
if usable('mmpretrain.datasets'):
    from mmocc.datasets.affectnet import AffectNet
    from mmocc.datasets.face_folder import FaceFolder
    from mmocc.datasets.fedro import FEDRO
    from mmocc.datasets.kdef import KDEF
    from mmocc.datasets.occluded_imagenet import (
        RealisticOcclusion,
        SuperimposedMasked,
    )
    from mmocc.datasets.occluded_pascal3d import OccludedPASCAL3D
    from mmocc.datasets.occluded_vehicles import OccludedVehicles
    from mmocc.datasets.rafdb import RAFDB
    from mmocc.datasets.voc_objects import VOCObjects
    from mmocc.datasets.wsol_dataset import WSOLDataset

if usable('mmdet.datasets'):
    from mmocc.datasets.anomaly_images import AnomalyImages
    from mmocc.datasets.ornament_pages import OrnamentPages

__getattr__ = absent(
    __name__,
    {
        'mmdet.datasets': ['AnomalyImages', 'OrnamentPages'],
        'mmpretrain.datasets': __all__,
    },
)
