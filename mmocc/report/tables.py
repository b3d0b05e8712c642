"""From answers to the tables of the occlusion report.

The summary is a nested dict of plain numbers, as written to
``occlusion.json``. All accuracies and intervals are in percent, differences
in points.
"""

import csv
import json
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

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

Cells = dict[str, Answers]


def percent(value: float) -> float:
    """Return a share in percent, rounded to a ten-thousandth."""
    return round(100 * float(value), 4)


def summarise_cell(answers: Answers, classes: Sequence[str]) -> dict:
    """Return the numbers of one cell: accuracy, interval, classes, faults.

    ``interval`` is Wilson's.
    """
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
        interval=[percent(side) for side in wilson_interval(hits)],
        images=len(hits),
        left_out={reason: reasons.count(reason) for reason in set(reasons)},
        confidence=percent(answers.confidence.mean()),
        calibration_error=percent(calibration_error(hits, answers.confidence)),
        hidden_share=percent(answers.share.mean()),
        regions=answers.regions,
        per_class={
            name: percent(value)
            for name, value in zip(classes, by_class, strict=True)
            if not np.isnan(value)
        },
    )


def hits_by_image(cells: Cells, names: Sequence[str]) -> tuple:
    """Return the images that several cells share, and their hits.

    Returns:
        (N,) indices, and (N, cells) bool.
    """
    common = reduce(np.intersect1d, [cells[name].index for name in names])
    columns = [
        cells[name].hits[np.isin(cells[name].index, common)] for name in names
    ]
    return common, np.stack(columns, axis=1)


def summarise_groups(cells: Cells) -> dict[str, dict]:
    """Return the means over cells, with intervals by bootstrap over images.

    The value is the mean of the cells' accuracies; the interval is that of
    the images which have an answer in all of them.
    """
    means = {}
    for name, members in cell_groups(cells).items():
        value = np.mean([cells[cell].hits.mean() for cell in members])
        _, hits = hits_by_image(cells, members)
        means[name] = dict(
            accuracy=percent(value),
            interval=[percent(s) for s in bootstrap_interval(hits.mean(1))],
        )
    return means


def compare(ours: Cells, base: Cells) -> dict[str, dict]:
    """Return how much better one model is than another, on the same images.

    Paired: the interval is a bootstrap, over images, of the difference of
    the two models' hits on an image.

    Returns:
        ``difference`` and ``interval``, in points, by cell and group.
    """
    found = {}
    groups = {cell: [cell] for cell in ours} | cell_groups(ours)
    for name, members in groups.items():
        mine, mine_hits = hits_by_image(ours, members)
        theirs, their_hits = hits_by_image(base, members)
        common = np.intersect1d(mine, theirs)
        gain = mine_hits[np.isin(mine, common)].mean(1) - their_hits[
            np.isin(theirs, common)
        ].mean(1)
        found[name] = dict(
            difference=percent(gain.mean()),
            interval=[percent(side) for side in bootstrap_interval(gain)],
        )
    return found


def split_by_flag(cells: Cells, flag: np.ndarray) -> dict[str, dict]:
    """Return accuracies of the images with each value of a flag.

    Args:
        cells: A model's answers.
        flag: (images of the test set,) 0, 1 or -1 (not stated).

    Returns:
        By ``yes``, ``no`` and ``not stated``: number of images, accuracy and
        bootstrap interval by group of cells.
    """
    found = {}
    for value, word in ((1, 'yes'), (0, 'no'), (-1, 'not stated')):
        part = {
            name: _pick(answers, flag[answers.index] == value)
            for name, answers in cells.items()
        }
        if all(len(answers.index) for answers in part.values()):
            found[word] = dict(
                images=len(part[CLEAN if CLEAN in part else min(part)].index),
                **summarise_groups(part),
            )
    return found


def _pick(answers: Answers, chosen: np.ndarray) -> Answers:
    return Answers(
        answers.index[chosen],
        answers.label[chosen],
        answers.pred[chosen],
        answers.confidence[chosen],
        answers.share[chosen],
    )


def summarise(
    models: dict[str, Cells],
    classes: Sequence[str],
    flags: dict[str, np.ndarray] | None = None,
    meta: dict | None = None,
) -> dict:
    """Return all numbers of a report.

    Args:
        models: Answers by model and cell; the first model is the one that
            the others are compared with.
        classes: Class names.
        flags: Flags of the test images by name, as in :func:`split_by_flag`.
        meta: How the numbers were made: command, seed, device, ...
    """
    first = next(iter(models))
    report = dict(meta=meta or {}, baseline=first, models={})
    for name, cells in models.items():
        report['models'][name] = dict(
            cells={c: summarise_cell(a, classes) for c, a in cells.items()},
            means=summarise_groups(cells),
            reliability=summarise_reliability(cells),
            flags={
                flag: split_by_flag(cells, values)
                for flag, values in (flags or {}).items()
            },
        )
        if name != first and _same_images(cells, models[first]):
            versus = compare(cells, models[first])
            report['models'][name]['difference'] = versus
    return report


def _same_images(ours: Cells, base: Cells) -> bool:
    """Say whether two models were asked about the same test images."""
    for cell, answers in ours.items():
        common = np.intersect1d(answers.index, base[cell].index)
        labels = [
            side.label[np.isin(side.index, common)]
            for side in (answers, base[cell])
        ]
        if not len(common) or not np.array_equal(*labels):
            return False
    return True


def summarise_reliability(cells: Cells) -> dict[str, dict]:
    """Return confidence against accuracy by level, over kinds of occluders.

    Returns:
        By level: ``confidence`` and ``accuracy`` of ten bins (None for empty
        ones), ``images`` in each, and ``calibration_error``.
    """
    found = {}
    for name, members in cell_groups(cells).items():
        if name in ('mean', 'L1-L3'):
            continue
        hits = np.concatenate([cells[cell].hits for cell in members])
        sure = np.concatenate([cells[cell].confidence for cell in members])
        mean, accuracy, count = reliability(hits, sure)
        found[name] = dict(
            confidence=[None if np.isnan(v) else percent(v) for v in mean],
            accuracy=[None if np.isnan(v) else percent(v) for v in accuracy],
            images=count.tolist(),
            calibration_error=percent(calibration_error(hits, sure)),
        )
    return found


def markdown_table(report: dict) -> str:
    """Return a Markdown table: a row for each model, a column for each cell.

    With several models, rows of differences from the first follow, with
    their 95 % intervals over L1-L3.
    """
    models = report['models']
    names = list(next(iter(models.values()))['cells'])
    ends = [e for e in ('mean', 'L1-L3') if e in _means(models)]
    rows = [['model', *names, *ends]]
    rows.append(['---'] + ['---:'] * (len(rows[0]) - 1))
    for model, found in models.items():
        values = [found['cells'][cell]['accuracy'] for cell in names]
        texts = [f'{value:.1f}' for value in values]
        texts += [with_interval(found['means'][end]) for end in ends]
        rows.append([model, *texts])
    for model, found in models.items():
        if versus := found.get('difference'):
            texts = [f'{versus[cell]["difference"]:+.1f}' for cell in names]
            texts += [with_interval(versus[end]) for end in ends]
            rows.append([f'{model} - {report["baseline"]}', *texts])
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def _means(models: dict) -> dict:
    return next(iter(models.values()))['means']


def with_interval(found: dict) -> str:
    """Return ``61.2 (60.1-62.3)``, or ``+3.1 (+2.0 to +4.2)``."""
    low, high = found['interval']
    if 'difference' in found:
        return f'{found["difference"]:+.1f} ({low:+.1f} to {high:+.1f})'
    return f'{found["accuracy"]:.1f} ({low:.1f}-{high:.1f})'


def write_tables(report: dict, out_dir: str | Path) -> None:
    """Write ``occlusion.json``, ``.csv`` and ``.md`` into a folder.

    Args:
        report: From :func:`summarise`.
        out_dir: Made if absent.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1) + '\n'
    (out_dir / 'occlusion.json').write_text(text)
    (out_dir / 'occlusion.md').write_text(markdown_table(report) + '\n')
    with (out_dir / 'occlusion.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        heads = ['accuracy', 'images', 'confidence', 'calibration_error']
        writer.writerow(['model', 'cell', *heads, 'low', 'high'])
        for model, found in report['models'].items():
            for cell, result in found['cells'].items():
                row = [result[head] for head in heads]
                writer.writerow([model, cell, *row, *result['interval']])
