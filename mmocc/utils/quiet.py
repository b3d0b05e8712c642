"""Remarks of other packages at their import that say nothing to a user.

Here is each line, whole, with the module that says it; all others stay.
"""

import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

PRINTED = {
    'Could not import OneDL',  # mmpretrain.datasets
    'Could not import OneDL. Skipping OneDL datasets.',  # mmdet.datasets
}
WARNED = {
    'mmdet.evaluation.metrics.faster_coco_metric': (
        'faster_coco_eval is not installed, metrics will not be computed. '
        'Please install it by: mim install onedl-mmdetection[optional]'
    ),
}


class HostWatcher(MetaPathFinder):
    """Filters what is printed as soon as a host is imported; finds nothing."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> None:
        """Return None, as the import is another finder's."""
        if fullname in ('mmdet', 'mmpretrain'):
            with suppress(ImportError):  # the host says it better
                filter_prints()


def filter_prints() -> None:
    """Let ``print_log`` of mmengine drop these lines."""
    from mmengine.logging import logger

    vars(logger)['print'] = print_others


def silence_imports() -> None:
    """Drop these lines from now on; mmengine is not imported before a host."""
    if not any(isinstance(f, HostWatcher) for f in sys.meta_path):
        sys.meta_path.insert(0, HostWatcher())
    for module, message in WARNED.items():
        warnings.filterwarnings(
            'ignore',
            message=f'{re.escape(message)}$',
            module=f'{re.escape(module)}$',
        )


def print_others(*values: Any, **options: Any) -> None:
    """Print, unless it is one of the lines above."""
    if not (len(values) == 1 and str(values[0]) in PRINTED):
        print(*values, **options)
