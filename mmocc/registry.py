"""Registries of scope ``mmocc``: children of mmengine's root registries.

A type written ``mmocc.X`` in any config is found here, whatever the config's
``default_scope``, which stays the host's (``mmpretrain`` or ``mmdet``).

Only mmengine is imported: an ImportError raised in this file would be
swallowed by mmengine and show up as a misleading KeyError. Modules that need
a host are listed in ``locations`` only where that host is installed, so that
classification works without mmdet and detection without mmpretrain.
"""

from importlib.util import find_spec

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

HAS_MMDET = find_spec('mmdet') is not None
HAS_MMPRETRAIN = find_spec('mmpretrain') is not None


def _with_mmpretrain(*modules: str) -> list[str]:
    """Return ``modules`` if mmpretrain is installed, else nothing."""
    return list(modules) if HAS_MMPRETRAIN else []


def _with_mmdet(*modules: str) -> list[str]:
    """Return ``modules`` if mmdet is installed, else nothing."""
    return list(modules) if HAS_MMDET else []


MODELS = Registry(
    'model',
    parent=ROOT_MODELS,
    scope='mmocc',
    locations=[
        'mmocc.models.decoders',
        'mmocc.models.layers',
        'mmocc.models.losses',
        'mmocc.models.necks',
        'mmocc.models.heads',
        *_with_mmpretrain(
            'mmocc.models.backbones',
            'mmocc.models.classifiers',
            'mmocc.models.reconstructors',
            'mmocc.models.selfsup',
            'mmocc.models.occlusion_detectors',
        ),
        *_with_mmdet(
            'mmocc.models.detectors',
            'mmocc.models.roi_extractors',
        ),
    ],
)
DATASETS = Registry(
    'dataset',
    parent=ROOT_DATASETS,
    scope='mmocc',
    locations=['mmocc.datasets'],
)
TRANSFORMS = Registry(
    'transform',
    parent=ROOT_TRANSFORMS,
    scope='mmocc',
    locations=['mmocc.datasets.transforms'],
)
METRICS = Registry(
    'metric',
    parent=ROOT_METRICS,
    scope='mmocc',
    locations=['mmocc.evaluation'],
)
HOOKS = Registry(
    'hook',
    parent=ROOT_HOOKS,
    scope='mmocc',
    locations=['mmocc.engine'],
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=ROOT_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmocc',
    locations=['mmocc.engine'],
)
