"""What a reader needs to make a report again: versions and digests."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmocc.occlusion import OCCLUSION_VERSION
from mmocc.report.fingerprint import bank_digest, file_digest, is_file
from mmocc.report.job import Job
from mmocc.version import __version__

LIBRARIES = (
    'torch',
    'torchvision',
    'timm',
    'mmengine',
    'mmcv',
    'mmpretrain',
    'mmdet',
    'numpy',
    'cv2',
)
LETTERS = 16  # of a digest that a page shows


def provenance(
    jobs: Sequence[Job], occlude: Mapping[str, Any]
) -> dict[str, str]:
    """Return versions, and digests of weights and banks, by their names.

    A checkpoint's digest is the beginning of what ``sha256sum`` says of the
    file; that of a torch module is of its weights in memory.

    Args:
        jobs: The models.
        occlude: Arguments of ``mmocc.Occlude`` with the bank built.
    """
    made = dict(mmocc=__version__, libraries=library_versions())
    made['occlusion version'] = str(OCCLUSION_VERSION)
    made['region'] = str(occlude.get('region', 'auto'))
    bank = occlude.get('bank')
    for kind in ('texture', 'object'):
        if bank is not None and kind in bank.sheets:
            made[f'{kind} bank digest'] = bank_digest(bank, kind)[:LETTERS]
    for job in jobs:
        if digest := weights_digest(job):
            made[f'{job.name}: weights'] = digest
    return made


def library_versions() -> str:
    """Return the versions of the libraries that are loaded, in words."""
    loaded = [(name, sys.modules.get(name)) for name in LIBRARIES]
    known = [
        f'{name} {module.__version__}'
        for name, module in loaded
        if module is not None and hasattr(module, '__version__')
    ]
    return ', '.join([f'Python {sys.version.split()[0]}', *known])


def weights_digest(job: Job) -> str:
    """Return the digest of a model's weights; empty if they have none.

    A checkpoint that was downloaded is known by its address.
    """
    if is_file(job.checkpoint):
        return f'sha256 {file_digest(job.checkpoint)[:LETTERS]}'
    own = job.parts.get('the weights', '')
    return f'in memory {own[:LETTERS]}' if own else ''
