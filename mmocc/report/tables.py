"""From answers to the tables of the occlusion report.

The summary is a nested dict, as written to ``occlusion.json``. Accuracies and
intervals are in percent, differences in points.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.answers import Answers
from mmocc.report.statistics import (
    bootstrap_interval,
    calibration_error,
    cell_groups,
    per_class_accuracy,
    reliability,
    wilson_interval,
)

CellAnswers = dict[str, Answers]
ENDS = ('mean', 'L1-L3')  # the means that stand at the end of a table


def percent(value: float) -> float:
    """Return a share in percent, rounded to a ten-thousandth."""
    return round(100 * float(value), 4)


def percents(values: Iterable[float]) -> list[float | None]:
    """Return shares in percent, None for NaN."""
    return [None if np.isnan(value) else percent(value) for value in values]


def summarise_cell(answers: Answers, classes: Sequence[str]) -> dict:
    """Return a cell's accuracy, Wilson's interval, classes, faults, ..."""
    if not len(answers.index):
        raise ValueError(
            'no image of this cell has an answer; the first fault is: '
            + (answers.faults[0].message if answers.faults else 'none at all')
        )
    hits = answers.hits
    by_class = per_class_accuracy(hits, answers.label, len(classes))
    reasons = [fault.reason for fault in answers.faults]
    return dict(
        accuracy=percent(hits.mean()),
        interval=percents(wilson_interval(hits)),
        images=len(hits),
        left_out={reason: reasons.count(reason) for reason in set(reasons)},
        confidence=percent(answers.confidence.mean()),
        calibration_error=percent(calibration_error(hits, answers.confidence)),
        hidden_share=percent(answers.share.mean()),
        regions=answers.regions,
        per_class={
            name: value
            for name, value in zip(classes, percents(by_class), strict=True)
            if value is not None
        },
    )


def hits_by_image(
    cells: CellAnswers, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N,) that cells share, and their hits (N, cells)."""
    common = reduce(np.intersect1d, [cells[name].index for name in names])
    columns = [
        cells[name].hits[np.isin(cells[name].index, common)] for name in names
    ]
    return common, np.stack(columns, axis=1)


def summarise_groups(cells: CellAnswers) -> dict[str, dict]:
    """Return the means over cells, with intervals by bootstrap over images.

    The interval is that of the images with an answer in all of the cells.
    """
    means = {}
    for name, members in cell_groups(cells).items():
        accuracies = [float(cells[cell].hits.mean()) for cell in members]
        _, hits = hits_by_image(cells, members)
        means[name] = dict(
            accuracy=percent(float(np.mean(accuracies))),
            interval=percents(bootstrap_interval(hits.mean(1))),
        )
    return means


def compare(ours: CellAnswers, base: CellAnswers) -> dict[str, dict]:
    """Return by cell and group how much better one model is than another.

    ``difference`` and ``interval``, in points, are paired: the interval is a
    bootstrap, over images, of the difference of both models' hits on one.
    """
    differences = {}
    groups = {cell: [cell] for cell in ours} | cell_groups(ours)
    for name, members in groups.items():
        mine, my_hits = hits_by_image(ours, members)
        theirs, their_hits = hits_by_image(base, members)
        common = np.intersect1d(mine, theirs)
        my_means = my_hits[np.isin(mine, common)].mean(1)
        gain = my_means - their_hits[np.isin(theirs, common)].mean(1)
        differences[name] = dict(
            difference=percent(gain.mean()),
            interval=percents(bootstrap_interval(gain)),
        )
    return differences


def split_by_flag(cells: CellAnswers, flag: np.ndarray) -> dict[str, dict]:
    """Return accuracies of the images with each value of a flag.

    ``flag`` has 0, 1 or -1 (not stated) for each image of the test set.

    Returns:
        By ``yes``, ``no`` and ``not stated``: number of images, accuracy and
        bootstrap interval by group of cells.
    """
    parts = {}
    for value, word in ((1, 'yes'), (0, 'no'), (-1, 'not stated')):
        part = {
            name: answers.pick(flag[answers.index] == value)
            for name, answers in cells.items()
        }
        if all(len(answers.index) for answers in part.values()):
            parts[word] = dict(
                images=len(part[CLEAN if CLEAN in part else min(part)].index),
                **summarise_groups(part),
            )
    return parts


def summarise(
    models: dict[str, CellAnswers],
    classes: Sequence[str],
    flags: dict[str, np.ndarray] | None = None,
    meta: dict | None = None,
) -> dict:
    """Return all numbers of a report.

    Args:
        models: Answers by model and cell; the others are compared with the
            first model.
        classes: Class names.
        flags: Flags of the test images by name, as in :func:`split_by_flag`.
        meta: How the numbers were made: command, seed, device, ...
    """
    first = next(iter(models))
    summaries: dict[str, dict] = {}
    for name, cells in models.items():
        summaries[name] = dict(
            cells={c: summarise_cell(a, classes) for c, a in cells.items()},
            means=summarise_groups(cells),
            reliability=summarise_reliability(cells),
            flags={
                flag: split_by_flag(cells, values)
                for flag, values in (flags or {}).items()
            },
        )
        if name != first and _same_images(cells, models[first]):
            summaries[name]['difference'] = compare(cells, models[first])
    return dict(meta=meta or {}, baseline=first, models=summaries)


def _same_images(ours: CellAnswers, base: CellAnswers) -> bool:
    """Return whether two models were tested on the same images."""
    for cell, answers in ours.items():
        common = np.intersect1d(answers.index, base[cell].index)
        mine, theirs = (
            side.label[np.isin(side.index, common)]
            for side in (answers, base[cell])
        )
        if not len(common) or not np.array_equal(mine, theirs):
            return False
    return True


def summarise_reliability(cells: CellAnswers) -> dict[str, dict]:
    """Return confidence against accuracy by level, over kinds of occluders.

    Returns:
        By level: ``confidence`` and ``accuracy`` of ten bins (None for empty
        ones), ``images`` in each, and ``calibration_error``.
    """
    levels: dict[str, dict] = {}
    for name, members in cell_groups(cells).items():
        if name in ENDS:
            continue
        hits = np.concatenate([cells[cell].hits for cell in members])
        sure = np.concatenate([cells[cell].confidence for cell in members])
        mean, accuracy, count = reliability(hits, sure)
        levels[name] = dict(
            confidence=percents(mean),
            accuracy=percents(accuracy),
            images=count.tolist(),
            calibration_error=percent(calibration_error(hits, sure)),
        )
    return levels


def shown_ends(report: dict) -> list[str]:
    """Return the means that stand at the end of a report's tables."""
    means = next(iter(report['models'].values()))['means']
    return [end for end in ENDS if end in means]


def markdown_table(report: dict) -> str:
    """Return a Markdown table: a row for each model, a column for each cell.

    Rows of differences from the first model follow, with 95 % intervals.
    """
    models, ends = report['models'], shown_ends(report)
    names = list(next(iter(models.values()))['cells'])
    rows = [['model', *names, *ends]]
    rows.append(['---'] + ['---:'] * (len(rows[0]) - 1))
    for model, summary in models.items():
        texts = [f'{summary["cells"][c]["accuracy"]:.1f}' for c in names]
        texts += [with_interval(summary['means'][end]) for end in ends]
        rows.append([model, *texts])
    for model, summary in models.items():
        if versus := summary.get('difference'):
            texts = [f'{versus[cell]["difference"]:+.1f}' for cell in names]
            texts += [with_interval(versus[end]) for end in ends]
            rows.append([f'{model} - {report["baseline"]}', *texts])
    return as_markdown(rows)


def as_markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of texts as a Markdown table."""
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def with_interval(numbers: dict[str, Any]) -> str:
    """Return ``61.2 (60.1-62.3)``, or ``+3.1 (+2.0 to +4.2)``."""
    low, high = numbers['interval']
    if 'difference' in numbers:
        return f'{numbers["difference"]:+.1f} ({low:+.1f} to {high:+.1f})'
    return f'{numbers["accuracy"]:.1f} ({low:.1f}-{high:.1f})'


def write_tables(report: dict, out_dir: str | Path) -> None:
    """Write ``occlusion.json``, ``.csv`` and ``.md`` into a folder."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1) + '\n'
    (out_dir / 'occlusion.json').write_text(text)
    (out_dir / 'occlusion.md').write_text(markdown_table(report) + '\n')
    with (out_dir / 'occlusion.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        heads = ['accuracy', 'images', 'confidence', 'calibration_error']
        writer.writerow(['model', 'cell', *heads, 'low', 'high'])
        for model, summary in report['models'].items():
            for cell, numbers in summary['cells'].items():
                row = [numbers[head] for head in heads]
                writer.writerow([model, cell, *row, *numbers['interval']])
