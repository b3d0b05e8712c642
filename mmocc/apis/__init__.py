"""What users and tools call: models and images in, answers out.

Each name is imported when it is asked for: classification needs no mmdet.
"""

from importlib import import_module
from typing import Any

_MODULE_OF = {
    'DEAInferencer': 'dea_inferencer',
    'LatentOFERInferencer': 'latent_ofer_inferencer',
    'LocalizationInferencer': 'localization_inferencer',
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import the module that holds a class, and return the class."""
    if name not in _MODULE_OF:
        raise AttributeError(f'mmocc.apis has no name {name}')
    return getattr(import_module(f'mmocc.apis.{_MODULE_OF[name]}'), name)


def __dir__() -> list[str]:
    """List the classes, imported or not."""
    return sorted({*globals(), *__all__})
