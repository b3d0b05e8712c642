"""Readers of anomaly detection data: layouts, and boxes of their objects.

No OpenMMLab import but for result files of detectors.
``mmocc.AnomalyImages`` is the data set over them.
"""

from mmocc.datasets.anomaly.layouts import (
    GOOD,
    LAYOUTS,
    AnomalyImage,
    read_magnetic_tile,
    read_mvtec,
    read_visa,
)

__all__ = [
    'GOOD',
    'LAYOUTS',
    'AnomalyImage',
    'read_magnetic_tile',
    'read_mvtec',
    'read_visa',
]
