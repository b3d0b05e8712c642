"""Registries of scope ``mmocc``: children of mmengine's root registries.

A type written ``mmocc.X`` in any config is found here, whatever the config's
``default_scope``, which stays the host's (``mmpretrain`` or ``mmdet``).

Only mmengine is imported: an ImportError raised in this file would be
swallowed by mmengine and show up as a misleading KeyError. The modules in
``locations`` import what needs a host only where that host can be imported, so
that classification works without mmdet and detection without mmpretrain; a
type that needs another host says so when it is asked for.
"""

from importlib import import_module
from typing import Any

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as ROOT_WEIGHT_INITIALIZERS
from mmengine.registry import Registry


class HostedRegistry(Registry):
    """A registry whose types may need a host that is missing or broken."""

    def get(self, key: str) -> Any:
        """Return a type by its name; None if there is none.

        MissingHostError if it is one of mmocc's that needs another package.
        """
        kind = super().get(key)
        if kind is None:
            name = key.rpartition('.')[2]
            for location in self._locations:
                getattr(import_module(location), name, None)
        return kind


MODELS = HostedRegistry(
    'model',
    parent=ROOT_MODELS,
    scope='mmocc',
    locations=[
        'mmocc.models.learn',
        'mmocc.models.learn.detectors',
        'mmocc.models.hide_and_seek',
        'mmocc.models.dea',
        'mmocc.models.ofer',
        'mmocc.models.backbones',
        'mmocc.apis.mapped_classifier',
    ],
)
WEIGHT_INITIALIZERS = HostedRegistry(
    'weight initializer',
    parent=ROOT_WEIGHT_INITIALIZERS,
    scope='mmocc',
    locations=['mmocc.models.backbones'],
)
DATASETS = HostedRegistry(
    'dataset',
    parent=ROOT_DATASETS,
    scope='mmocc',
    locations=[
        'mmocc.datasets',
        'mmocc.report.occlusion_cells',
        'mmocc.synthetic.action_sequences',
    ],
)
TRANSFORMS = HostedRegistry(
    'transform',
    parent=ROOT_TRANSFORMS,
    scope='mmocc',
    locations=['mmocc.datasets.transforms'],
)
METRICS = HostedRegistry(
    'metric',
    parent=ROOT_METRICS,
    scope='mmocc',
    locations=[
        'mmocc.evaluation',
        'mmocc.report.occlusion_cells',
        'mmocc.report.occluded_coco',
    ],
)
HOOKS = HostedRegistry(
    'hook',
    parent=ROOT_HOOKS,
    scope='mmocc',
    locations=['mmocc.engine'],
)
OPTIM_WRAPPER_CONSTRUCTORS = HostedRegistry(
    'optimizer wrapper constructor',
    parent=ROOT_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmocc',
    locations=['mmocc.engine'],
)
LOOPS = HostedRegistry(
    'loop',
    parent=ROOT_LOOPS,
    scope='mmocc',
    locations=['mmocc.engine'],
)
