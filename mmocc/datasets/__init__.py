"""Readers of data sets as their sources publish them; nothing is written."""

from mmocc.registry import HAS_MMDET, HAS_MMPRETRAIN

__all__ = []

if HAS_MMPRETRAIN:  # the transforms below this package must import without it
    from mmocc.datasets.affectnet import AffectNet
    from mmocc.datasets.face_folder import FaceFolder
    from mmocc.datasets.fedro import FEDRO
    from mmocc.datasets.kdef import KDEF
    from mmocc.datasets.occluded_pascal3d import OccludedPASCAL3D
    from mmocc.datasets.occluded_vehicles import OccludedVehicles
    from mmocc.datasets.rafdb import RAFDB
    from mmocc.datasets.voc_objects import VOCObjects
    from mmocc.datasets.wsol_dataset import WSOLDataset

    __all__ += [
        'FEDRO',
        'KDEF',
        'RAFDB',
        'AffectNet',
        'FaceFolder',
        'OccludedPASCAL3D',
        'OccludedVehicles',
        'VOCObjects',
        'WSOLDataset',
    ]

if HAS_MMDET:
    from mmocc.datasets.anomaly_images import AnomalyImages
    from mmocc.datasets.ornament_pages import OrnamentPages

    __all__ += ['AnomalyImages', 'OrnamentPages']
