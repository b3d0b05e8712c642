"""What is checked before the work of a report begins.

What can be known to fail fails here, in one line, not after hours.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.classifiers import count_outputs
from mmocc.report.fingerprint import infos
from mmocc.report.job import Job, folder_name


def at_least(low: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below ``low``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise argparse.ArgumentTypeError(
                f'must be a whole number of at least {low}, got {text!r}'
            )
        return number

    return read


def name_problem(names: Sequence[str], models: int) -> str | None:
    """Return what is wrong with the names of the models, if anything is."""
    if len(names) != models or len(set(names)) < models or '' in names:
        return 'give each model a different name with --names'
    folders: dict[str, str] = {}
    for name in names:
        other = folders.setdefault(folder_name(name).casefold(), name)
        if other != name:
            return (
                f'--names: {other!r} and {name!r} differ only in capitals, '
                'and would share a folder on some systems'
            )
    return None


def check_out(jobs: Iterable[Job], out: Path) -> None:
    """Exit with one line if the folders of a report cannot be written."""
    try:
        for folder in (out, *(job.path(CLEAN).parent for job in jobs)):
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
    except OSError as error:
        sys.exit(f'--out {out} cannot be written to: {error}')


def check_size(job: Job, dataset: Any) -> None:
    """Exit with one line if the test set of a model is empty."""
    if not len(dataset):
        sys.exit(
            f'{job.cfg.filename}: the test set has no image; look at the '
            'paths in test_dataloader.dataset.'
        )


def check_classes(
    jobs: Sequence[Job],
    dataset: Any,
    cells: Iterable[str],
    classes: Sequence[str] | None,
) -> None:
    """Exit with one line if labels or heads do not fit the classes.

    Models whose answers in all ``cells`` are read back had this check before.
    Without names of ``classes`` a head may have more outputs than labels.
    """
    missing = [job for job in jobs if set(cells) - set(job.cells)]
    labels = _labels(dataset) if missing else []
    number = len(classes) if classes else max(labels, default=-1) + 1
    if max(labels, default=-1) >= number:
        sys.exit(
            f'{jobs[0].cfg.filename}: the test set has label {max(labels)}, '
            f'but only {number} classes; name all of them in '
            'test_dataloader.dataset.metainfo.'
        )
    for job in missing:
        outputs = count_outputs(job.ready(), job.cfg, dataset)
        if outputs is None or outputs == number:
            continue
        if classes or outputs < number:
            sys.exit(
                f'{job.cfg.filename}: the head of model {job.name!r} has '
                f'{outputs} outputs, but the test set has {number} classes; '
                'name a config whose head and test set have the same classes.'
            )


def _labels(dataset: Any) -> list[int]:
    """Return the labels that a test set states, where an image has one."""
    known = (info for info in infos(dataset) if isinstance(info, dict))
    labels = (info.get('gt_label') for info in known)
    return [
        int(np.ravel(label)[0])
        for label in labels
        if label is not None and np.size(label) == 1
    ]
