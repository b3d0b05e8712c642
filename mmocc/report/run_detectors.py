"""A report of detectors: from models and test sets to its files."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmocc.report.checks import check_size
from mmocc.report.det_examples import choose_det_examples
from mmocc.report.det_page import write_det_report
from mmocc.report.det_summary import measure, summarise_detectors
from mmocc.report.detection_store import Detections
from mmocc.report.detections import KeepDetections
from mmocc.report.detector_tables import REAL, CellMetrics, write_det_results
from mmocc.report.detectors import build_det_dataset, run_det_cell
from mmocc.report.fingerprint import (
    data_parts,
    evaluator_parts,
    occlusion_parts,
)
from mmocc.report.job import Job
from mmocc.report.occluded_coco import run_occluded_coco
from mmocc.report.page_words import difference_lines, headlines
from mmocc.report.printed import printed_tables
from mmocc.report.progress import ReportProgress
from mmocc.report.provenance import provenance
from mmocc.report.tables import page_title
from mmocc.utils.ranks import is_main_process


def report_detectors(
    jobs: Sequence[Job],
    cells: Sequence[str],
    occlude: dict[str, Any],
    meta: dict,
    out: Path,
    examples: int = 12,
    old: tuple[str, dict] | None = None,
) -> None:
    """Test all detectors in all cells, and write tables and page.

    With a launcher, the first process writes.

    Args:
        jobs: The models; the others are compared with the first.
        cells: Names of the cells.
        occlude: Arguments of ``mmocc.OccludeObjects`` with the bank built.
        meta: How the numbers were made.
        out: Folder of the report.
        examples: Photos of a cell that the page shows.
        old: Name and numbers of an earlier report, to be shown beside.
    """
    real = (jobs[0].settings.occluded_coco, jobs[0].settings.separated_coco)
    datasets = {job.name: build_det_dataset(job.cfg) for job in jobs}
    for job in jobs:
        check_size(job, datasets[job.name])
    metrics: dict[str, CellMetrics] = {}
    found: dict[str, dict[str, Detections | None]] = {}
    number = len(jobs) * (len(cells) + bool(real[0]))
    with ReportProgress(number) as bar:
        for job in jobs:
            data = data_parts(job.cfg, datasets[job.name])
            metrics[job.name], found[job.name] = {}, {}
            for cell in cells:
                work = partial(run_det_cell, cell=cell, **occlude)
                parts = data | evaluator_parts(job.cfg)
                keep = KeepDetections()
                metrics[job.name][cell] = _one_cell(
                    job, cell, work, parts | occlusion_parts(cell, **occlude),
                    bar, keep,
                )  # fmt: skip
                found[job.name][cell] = keep.found
            if real[0] and real[1]:  # the command asks for both
                work = partial(
                    run_occluded_coco,
                    occluded_ann=real[0],
                    separated_ann=real[1],
                )
                parts = data | evaluator_parts(job.cfg, *real)
                metrics[job.name][REAL] = _one_cell(
                    job, REAL, work, parts, bar
                )
    if is_main_process():
        meta = meta | provenance(jobs, occlude)
        first = datasets[jobs[0].name]
        every = jobs[0].settings.every
        report = write_detectors(
            metrics, found, first, meta, out, examples, occlude, every, old
        )
        write_det_results(metrics, meta, out, report)
        print_log(f'\n{(out / "det_occlusion.md").read_text("utf-8")}')
        kinds = '.html, .json, .csv and .md' if report else '.json, .csv, .md'
        print_log(f'wrote {out}/det_occlusion{kinds}')


def _one_cell(
    job: Job,
    cell: str,
    work: Any,
    parts: dict[str, str],
    bar: ReportProgress,
    keep: KeepDetections | None = None,
) -> dict[str, float]:
    """Return the metrics of a cell, and count it."""
    before = bar.done
    given = job.detect(cell, partial(work, progress=bar), parts, keep)
    if bar.done == before:  # it was read back
        bar.skip(1)
    return given


def unnamed_classes(
    found: Mapping[str, Mapping[str, Detections]],
) -> list[str]:
    """Return numbers as names, where a data set names no class."""
    labels = [
        array
        for cells in found.values()
        for part in cells.values()
        for array in (part.labels, part.object_labels)
    ]
    count = max((int(part.max()) for part in labels if len(part)), default=0)
    return [f'class {label}' for label in range(count + 1)]


def write_detectors(
    metrics: Mapping[str, CellMetrics],
    found: Mapping[str, Mapping[str, Detections | None]],
    dataset: Any,
    meta: dict,
    out: Path,
    examples: int,
    occlude: dict[str, Any],
    every: int = 1,
    old: tuple[str, dict] | None = None,
) -> dict | None:
    """Write the page of detectors, and return its numbers.

    None, and no page, where a data set does not tell its objects.
    """
    known: dict[str, dict[str, Detections]] = {}
    for name, cells in found.items():
        known[name] = {c: d for c, d in cells.items() if d is not None}
        if len(known[name]) < len(cells):
            print_log(
                f'{name}: no page, since the test set has no instances '
                '(annotated boxes) in its samples'
            )
            return None
    classes = list((dataset.metainfo or {}).get('classes') or ())
    classes = classes or unnamed_classes(known)
    measured = {m: measure(cells, len(classes)) for m, cells in known.items()}
    report = summarise_detectors(known, classes, meta, measured)
    first = next(iter(known))
    same = {
        name: cells
        for name, cells in known.items()
        if name == first or 'not_paired' not in report['models'][name]
    }
    shots = choose_det_examples(
        dataset, same, measured, classes, examples, occlude, every
    )
    title = page_title(report)
    path = out / 'det_occlusion.html'
    out.mkdir(parents=True, exist_ok=True)
    write_det_report(report, metrics, shots, path, title, old)
    print('\n' + printed_tables(report) + '\n')
    for line in headlines(report):
        print(f'{line["model"]} {line["text"]}')
    for line in difference_lines(report):
        print(f'{line["model"]} {line["text"]} {line["base"]} {line["end"]}')
    return report
