"""Remarks of other packages at their import that say nothing to a user.

Here is each line, whole, with the module that says it; all others stay.
"""

import re
import warnings
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


def silence_imports() -> None:
    """Drop these lines from now on, in this process and its forks."""
    from mmengine.logging import logger  # what print_log prints with

    vars(logger)['print'] = print_others
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
