"""A report of classifiers: from models and test sets to its files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmocc.datasets.channel_order import to_rgb_of
from mmocc.report.answers import CORRUPT, NO_PIXEL
from mmocc.report.cells import make_occlude, occlude_dataset
from mmocc.report.fingerprint import data_parts
from mmocc.report.job import Job, run_group
from mmocc.report.page import make_example, write_report
from mmocc.report.plots import plot_accuracy
from mmocc.report.summary import summarise
from mmocc.report.tables import TITLES, markdown_table, write_tables

FLAGS = ('occluded', 'truncated', 'difficult')


def load_done(
    group: list[Job], dataset: Any, cells: list[str], occlude: dict
) -> None:
    """Read back what an earlier run has answered to a test set.

    ``group``: models with this test set; ``occlude``: arguments of
    ``mmocc.Occlude`` with the bank built.
    """
    data = data_parts(group[0].cfg, dataset)
    for job in group:
        job.load_done(cells, data, occlude)


def answer(
    group: list[Job], dataset: Any, cells: list[str], occlude: dict
) -> None:
    """Compute what is missing, and put the cells in order.

    Arguments are those of :func:`load_done`, which comes before.
    """
    run_group(group, dataset, cells, occlude)
    for job in group:  # cells of an earlier run came first
        job.cells = {cell: job.cells[cell] for cell in cells}


def data_faults(jobs: Sequence[Job]) -> list[str]:
    """Return what is wrong with images that cannot be used."""
    return sorted(
        {
            fault.message
            for job in jobs
            for answers in job.cells.values()
            for fault in answers.faults
            if fault.reason in (CORRUPT, NO_PIXEL)
        }
    )


def read_flags(dataset: Any) -> dict[str, np.ndarray]:
    """Return the flags that a test set states of its objects, if any."""
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return {}
    flags = {}
    for flag in FLAGS:
        if flag in dataset.get_data_info(0):
            infos = (dataset.get_data_info(i) for i in range(len(dataset)))
            flags[flag] = np.array([int(info[flag]) for info in infos])
    return {k: v for k, v in flags.items() if len(np.unique(v)) > 1}


def choose_examples(
    jobs: list[Job],
    dataset: Dataset,
    classes: Sequence[str],
    number: int,
    occlude: dict,
) -> list[dict]:
    """Return the rows of example images, one for each cell."""
    rows = []
    answers = {job.name: job.cells for job in jobs}
    to_rgb = to_rgb_of(jobs[0].cfg)
    for cell in jobs[0].cells:
        index = jobs[0].cells[cell].index
        places = np.linspace(0, len(index) - 1, min(number, len(index)))
        hide = make_occlude(cell, **occlude)
        occluded = occlude_dataset(dataset, hide, cell, to_rgb)
        shots = [
            make_example(occluded[pick], pick, cell, answers, classes)
            for pick in index[places.astype(int)].tolist()
        ]
        rows.append(dict(cell=cell, shots=shots))
    return rows


def class_names(
    jobs: Sequence[Job], known: Sequence[str] | None
) -> Sequence[str]:
    """Return the names of the classes, or numbers where none are known."""
    if known:
        return known
    cells = [a for job in jobs for a in job.cells.values() if a.index.size]
    count = 1 + max(max(a.label.max(), a.pred.max()) for a in cells)
    return [f'class {label}' for label in range(count)]


def write_classifiers(
    jobs: list[Job],
    group: list[Job],
    dataset: Any,
    classes: Sequence[str] | None,
    meta: dict,
    out: Path,
    examples: int,
    occlude: dict,
    measure: str = 'accuracy',
) -> dict:
    """Write tables, plot and page, and return the numbers.

    Args:
        jobs: All models, with answers to all cells.
        group: The models with the first one's test set, for the examples.
        dataset: That test set.
        classes: Names of the classes, if they are known.
        meta: How the numbers were made.
        out: Folder of the report.
        examples: Example images a row.
        occlude: Arguments of ``mmocc.Occlude`` with the bank built.
        measure: ``agreement`` where labels are the models' clean answers.
    """
    classes = class_names(jobs, classes)
    models = {job.name: job.cells for job in jobs}
    flags = read_flags(dataset)
    report = summarise(models, classes, flags, meta, measure)
    write_tables(report, out)
    plot_accuracy(report, out / 'occlusion.png')
    rows = choose_examples(group, dataset, classes, examples, occlude)
    write_report(report, rows, out / 'occlusion.html', TITLES[measure])
    print_log('\n' + markdown_table(report))
    print_log(f'wrote {out}/occlusion.html, .json, .csv, .md and .png')
    return report
