"""Metrics of the methods: functions, and thin classes of the hosts' kind.

The functions need NumPy, SciPy, OpenCV and torch; the classes need mmengine.
"""

from mmocc.utils.hosts import absent, usable

__all__ = [
    'DumpMaps',
    'DumpObjects',
    'ImageAnomalyMetric',
    'KnownClassCocoMetric',
    'LocalizationAccuracy',
    'MaxBoxAcc',
    'MeanClassAccuracy',
    'ObjectAnomalyMetric',
    'PatchOcclusionMetric',
    'PxAP',
    'ReconstructionQuality',
    'TemporalMeanAP',
]

if usable('mmengine'):
    from mmocc.evaluation.dump_maps import DumpMaps
    from mmocc.evaluation.image_anomaly_metric import ImageAnomalyMetric
    from mmocc.evaluation.localization_accuracy import LocalizationAccuracy
    from mmocc.evaluation.max_box_acc import MaxBoxAcc
    from mmocc.evaluation.mean_class_accuracy import MeanClassAccuracy
    from mmocc.evaluation.object_anomaly_metric import ObjectAnomalyMetric
    from mmocc.evaluation.patch_occlusion_metric import PatchOcclusionMetric
    from mmocc.evaluation.px_ap import PxAP
    from mmocc.evaluation.reconstruction_quality import ReconstructionQuality
    from mmocc.evaluation.temporal_localization import TemporalMeanAP

if usable('mmdet.evaluation'):
    from mmocc.evaluation.dump_objects import DumpObjects
    from mmocc.evaluation.known_class_coco_metric import KnownClassCocoMetric

__getattr__ = absent(
    __name__,
    {
        'mmdet.evaluation': ['DumpObjects', 'KnownClassCocoMetric'],
        'mmengine': __all__,
    },
)
