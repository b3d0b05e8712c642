"""Registries of scope ``mmocc``: children of mmengine's root registries.

A type written ``mmocc.X`` in any config is found here, whatever the config's
``default_scope``, which stays the host's (``mmpretrain`` or ``mmdet``).

Only mmengine is imported: an ImportError raised in this file would be
swallowed by mmengine and show up as a misleading KeyError. The modules in
``locations`` import what needs a host only where that host is installed, so
that classification works without mmdet and detection without mmpretrain.
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


MODELS = Registry(
    'model',
    parent=ROOT_MODELS,
    scope='mmocc',
    locations=[
        'mmocc.models.learn',
        'mmocc.models.hide_and_seek',
        'mmocc.models.dea',
        'mmocc.models.ofer',
    ],
)
DATASETS = Registry(
    'dataset',
    parent=ROOT_DATASETS,
    scope='mmocc',
    locations=[
        'mmocc.datasets',
        'mmocc.report.cells',
        'mmocc.synthetic.action_sequences',
    ],
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
    locations=[
        'mmocc.evaluation',
        'mmocc.report.cells',
        'mmocc.report.occluded_coco',
    ],
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
