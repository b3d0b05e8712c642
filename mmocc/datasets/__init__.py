"""Readers of data sets as their sources publish them; nothing is written.

Checks that all readers share: ``lists``. Object crops: ``voc_objects`` (layout
of Pascal VOC, read by ``voc_layout``). Occluded PASCAL3D+:
``occluded_vehicles`` (CompositionalNets' crops) and ``occluded_pascal3d``
(whole photos; ``pascal3d_boxes`` corrects their boxes); ``occlusion_masks``
reads the masks of both. Faces:
``affectnet``, ``fedro``, ``kdef``, ``rafdb``, ``face_folder`` (own folders and
tables), each by a file of ``faces/``. Localization: ``wsol_dataset`` over the
layouts in ``wsol/``. Anomalies: ``anomaly_images`` over those in ``anomaly/``,
and ``ornament_pages``. ``transforms/``: pipeline classes.
"""

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
