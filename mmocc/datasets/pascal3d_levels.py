"""Levels of OccludedPASCAL3D+, as its folders name them.

``<category>FGL<j>_BGL<i>``: level j of occlusion on the object (foreground)
and i beside it (background); ``<category>_raw`` and ``<category>_occluded``
are the training images. No OpenMMLab import.
"""

import re

from mmocc.occlusion import CLEAN, LEVELS, level_range

TRAINING = ('raw', 'occluded')
_NOTHING = (0.0, 0.0)
_BACKGROUNDS = (_NOTHING, (0.0, 0.2), (0.2, 0.4), (0.4, 0.6))


def folder_name(level: str) -> str:
    """Return what stands behind the category in the names of a level.

    Args:
        level: ``L0`` to ``L3``, ``FGL<j>_BGL<i>`` with j and i from 0 to 3,
            or ``raw`` or ``occluded`` (training images).

    Raises:
        ValueError: There is no such level.
    """
    if level in TRAINING:
        return f'_{level}'
    if level in LEVELS:
        return f'FGL{level[1]}_BGL{level[1]}'
    if re.fullmatch(r'FGL[0-3]_BGL[0-3]', level):
        return level
    raise ValueError(
        f'unknown level {level!r}; choose L0 to L3, FGL<0-3>_BGL<0-3>, raw '
        'or occluded'
    )


def level_fields(folder: str) -> dict:
    """Return the occlusion that a folder's name states, for its samples."""
    if folder == '_occluded':  # occluded at random
        level, hidden, beside = None, None, None
    elif folder == '_raw':
        level, hidden, beside = CLEAN, _NOTHING, _NOTHING
    else:
        level = f'L{folder[3]}'
        hidden = level_range(level)
        beside = _BACKGROUNDS[int(folder[-1])]
    return {
        'occlusion_level': level,
        'occlusion_range': hidden,
        'background_range': beside,
    }
