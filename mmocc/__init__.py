"""mmocc: vision models that keep working when part of the object is hidden.

A plugin for OpenMMLab. Importing it is light (mmengine only), and not even
needed: a type written ``mmocc.X`` in a config is found by its prefix.
"""

from mmocc.utils.mmcv_ops import provide_ops
from mmocc.utils.quiet import silence_imports
from mmocc.version import __version__

provide_ops()  # before mmdet is imported, which needs them
silence_imports()

__all__ = ['__version__']
