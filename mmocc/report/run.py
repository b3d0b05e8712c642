"""A report of classifiers: from models and test sets to its files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.fingerprint import data_parts
from mmocc.report.job import Job, run_group, work_left
from mmocc.report.page import write_report
from mmocc.report.page_examples import choose_examples
from mmocc.report.page_words import headlines
from mmocc.report.plots import plot_accuracy
from mmocc.report.printed import printed_tables
from mmocc.report.progress import ReportProgress
from mmocc.report.provenance import provenance
from mmocc.report.summary import summarise, unusable
from mmocc.report.tables import page_title, write_tables
from mmocc.utils.ranks import is_main_process

FLAGS = ('occluded', 'truncated', 'difficult')


class Round(NamedTuple):
    """What is answered together: one seed of occlusions, one test set."""

    jobs: list[Job]
    dataset: Any
    cells: list[str]
    occlude: dict[str, Any]


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
    groups: Sequence[tuple[list[Job], Any]],
    cells: list[str],
    occlude: dict,
    seeds: Sequence[int] = (),
) -> dict[int, list[Job]]:
    """Compute what is missing, and put the cells in order.

    Args:
        groups: Models with the same test set, and that set, each after
            :func:`load_done`.
        cells: Names of the cells.
        occlude: As of :func:`load_done`.
        seeds: Further ones, with which all is occluded again.

    Returns:
        The models with their answers, by each of the further seeds.
    """
    rounds = [Round(jobs, data, cells, occlude) for jobs, data in groups]
    hard = [cell for cell in cells if cell != CLEAN]
    for seed in seeds:
        for jobs, data in groups:
            twins = [job.for_seed(seed) for job in jobs]
            hide = occlude | dict(seed=seed)
            for twin in twins:
                twin.load_done(hard, {}, hide)
            rounds.append(Round(twins, data, hard, hide))
    left = sum(work_left(*part[:3]) for part in rounds)
    with ReportProgress(left) as progress:
        for part in rounds:
            run_group(*part, progress)
    first = {job.name: job for jobs, _ in groups for job in jobs}
    everyone = [job for part in rounds for job in part.jobs]
    for job in everyone:
        known = first[job.name].cells | job.cells
        job.cells = {cell: known[cell] for cell in cells}
    return {s: [job for job in everyone if job.seed == s] for s in seeds}


def data_faults(jobs: Sequence[Job]) -> list[str]:
    """Return what is wrong with images that cannot be used."""
    return sorted({text for job in jobs for text in unusable(job.cells)})


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
    by_seed: Mapping[int, list[Job]] | None = None,
    old: tuple[str, dict] | None = None,
) -> dict:
    """Write tables, plot and page, and return the numbers.

    With a launcher, the first process writes.

    Args:
        jobs: All models, with answers to all cells.
        group: The models with the first one's test set, for the examples.
        dataset: That test set.
        classes: Names of the classes, if they are known.
        meta: How the numbers were made.
        out: Folder of the report.
        examples: Example images of a cell.
        occlude: Arguments of ``mmocc.Occlude`` with the bank built.
        measure: ``agreement`` where labels are the models' clean answers.
        by_seed: The models with the answers of each seed, where there are
            several; ``jobs`` have those of the first.
        old: Name and numbers of an earlier report, to be shown beside.
    """
    named = bool(classes)
    classes = class_names(jobs, classes)
    meta = meta | provenance(jobs, occlude)
    models = {job.name: job.cells for job in jobs}
    seeds = {
        seed: {job.name: job.cells for job in same}
        for seed, same in (by_seed or {}).items()
    }
    flags = read_flags(dataset)
    report = summarise(models, classes, flags, meta, measure, seeds)
    if not named:  # there may be more than were seen
        report['chance'] = None
    if not is_main_process():
        return report
    write_tables(report, out)
    plot_accuracy(report, out / 'occlusion.png')
    shots = choose_examples(group, dataset, classes, examples, occlude)
    title = page_title(report)
    write_report(report, shots, out / 'occlusion.html', title, old)
    print('\n' + printed_tables(report) + '\n')
    for line in headlines(report):
        print(f'{line["model"]} {line["text"]}')
    print(f'wrote {out}/occlusion.html, .json, .csv, .md and .png')
    return report
