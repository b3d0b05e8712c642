"""mmocc: vision models that keep working when part of the object is hidden.

A plugin for OpenMMLab. Importing it is light (the standard library only), and
not even needed: a type written ``mmocc.X`` in a config is found by its prefix.
"""

from importlib import import_module
from typing import Any

from mmocc.utils.hosts import expect_broken_hosts, require
from mmocc.utils.mmcv_ops import provide_ops
from mmocc.utils.quiet import silence_imports
from mmocc.version import __version__

provide_ops()  # before mmdet is imported, which needs them
silence_imports()
expect_broken_hosts()

__all__ = ['__version__', 'fit_learn', 'load', 'occlusion_report']


def __getattr__(name: str) -> Any:
    """Import at first use what is not light."""
    if name == 'occlusion_report':
        require('mmocc.occlusion_report', 'torch', 'torchvision', 'cv2')
        from mmocc.apis.occlusion_report import occlusion_report

        return occlusion_report
    if name == 'fit_learn':
        from mmocc.learn import fit_learn

        return fit_learn
    if name == 'load':
        from mmocc.zoo import load

        return load
    if name in ('learn', 'zoo'):
        return import_module(f'mmocc.{name}')
    raise AttributeError(f'module mmocc has no name {name!r}')
