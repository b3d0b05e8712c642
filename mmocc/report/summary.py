"""From answers to the numbers of the occlusion report.

The summary is a nested dict, as written to ``occlusion.json``. Accuracies and
intervals are in percent, differences in points.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.answers import CORRUPT, NO_PIXEL, Answers, Fault
from mmocc.report.cost import costs, share_curves
from mmocc.report.hit_table import HitTable, hit_table, paired
from mmocc.report.measures import (
    area_under_accuracy,
    area_under_risk,
    negative_log_likelihood,
    retention,
    top_accuracy,
)
from mmocc.report.pairing import why_not_paired
from mmocc.report.seeds import CellAnswers, add_spread, pool
from mmocc.report.statistics import (
    accuracy_interval,
    calibration_error,
    cell_groups,
    difference_interval,
    per_class_accuracy,
    reliability,
    separate_mean,
)

ENDS = ('mean', 'L1-L3')  # the means that stand at the end of a table


def count_different(index: np.ndarray) -> int:
    """Return how many images answers are of, by their places (N,)."""
    return len(np.unique(index))


def count_faults(faults: Iterable[Fault]) -> dict[str, int]:
    """Return how many images have no answer, by reason."""
    pairs = {(fault.reason, fault.index): None for fault in faults}
    return dict(Counter(reason for reason, _ in pairs))


def unusable(cells: CellAnswers) -> list[str]:
    """Return what is wrong with images that cannot be used, sorted."""
    return sorted(
        {
            fault.message
            for answers in cells.values()
            for fault in answers.faults
            if fault.reason in (CORRUPT, NO_PIXEL)
        }
    )


def percent(value: float) -> float:
    """Return a share in percent, rounded to a ten-thousandth."""
    return round(100 * float(value), 4)


def share_or_none(value: float | None) -> float | None:
    """Return a share in percent, None for None."""
    return None if value is None else percent(value)


def percents(values: Iterable[float]) -> list[float | None]:
    """Return shares in percent, None for NaN."""
    return [None if np.isnan(value) else percent(value) for value in values]


def summarise_cell(answers: Answers, classes: Sequence[str]) -> dict:
    """Return a cell's accuracy, its interval, classes, faults, ...

    ``per_class`` is by the number of a class, since names can be equal.
    """
    if not len(answers.index):
        raise ValueError(
            'no image of this cell has an answer; the first fault is: '
            + (answers.faults[0].message if answers.faults else 'none at all')
        )
    hits = answers.hits
    by_class = per_class_accuracy(hits, answers.label, len(classes))
    return dict(
        accuracy=percent(hits.mean()),
        interval=percents(accuracy_interval(hits, answers.photo)),
        images=count_different(answers.index),
        left_out=count_faults(answers.faults),
        **summarise_confidence(answers),
        top5=share_or_none(top_accuracy(answers, len(classes))),
        aurc=percent(area_under_risk(answers)),
        negative_log_likelihood=negative_log_likelihood(answers),
        hidden_share=percent(answers.share.mean()),
        regions=answers.regions,
        per_class={
            str(label): value
            for label, value in enumerate(percents(by_class))
            if value is not None
        },
    )


def summarise_confidence(answers: Answers) -> dict[str, float | None]:
    """Return a cell's mean confidence and calibration error.

    Both are None if the scores are not probabilities.
    """
    if not answers.probabilities:
        return dict(confidence=None, calibration_error=None)
    error = calibration_error(answers.hits, answers.confidence)
    return dict(
        confidence=percent(answers.confidence.mean()),
        calibration_error=percent(error),
    )


def summarise_groups(table: HitTable) -> dict[str, dict]:
    """Return the means over cells, with intervals.

    Both are of the ``images`` that have an answer in all of the cells;
    without any, the numbers are None. Where each cell has images of its own,
    the means are of all of them.
    """
    means = {}
    for name, members in cell_groups(table.cells).items():
        part = table.of(members)
        if table.apart and len(members) > 1:
            means[name] = separate_group(table, members)
            continue
        accuracy: float | None = None
        interval: list[float | None] = [None, None]
        if part.keys:
            accuracy = percent(part.hits.mean())
            interval = percents(accuracy_interval(part.hits, part.photos))
        means[name] = dict(
            accuracy=accuracy,
            interval=interval,
            images=count_different(part.index),
        )
    return means


def separate_group(table: HitTable, members: Sequence[str]) -> dict:
    """Return the mean over cells of which each has its own images."""
    parts = [table.of([cell]) for cell in members]
    mean, *interval = separate_mean(
        [part.hits.mean() for part in parts],
        [accuracy_interval(part.hits, part.photos) for part in parts],
    )
    return dict(
        accuracy=percent(mean),
        interval=percents(interval),
        images=sum(len(part.keys) for part in parts),
    )


def compare(ours: HitTable, base: HitTable) -> dict[str, dict]:
    """Return by cell and group how much better one model is than another.

    ``difference`` and ``interval``, in points, are of the ``images`` that
    both models have answered in all of the cells; without any, they are None.
    """
    differences = {}
    groups = {cell: [cell] for cell in ours.cells} | cell_groups(ours.cells)
    for name, members in groups.items():
        mine, theirs = paired(ours.of(members), base.of(members))
        gain: float | None = None
        interval: list[float | None] = [None, None]
        if mine.keys:
            gain = percent(mine.hits.mean() - theirs.hits.mean())
            interval = percents(
                difference_interval(mine.hits, theirs.hits, mine.photos)
            )
        differences[name] = dict(
            difference=gain,
            interval=interval,
            images=count_different(mine.index),
        )
    return differences


def split_by_flag(table: HitTable, flag: Mapping[str, int]) -> dict[str, dict]:
    """Return accuracies of the images with each value of a flag.

    ``flag`` has 0, 1 or -1 (not stated) by the key of an image.

    Returns:
        By ``yes``, ``no`` and ``not stated``, if an image has it: what
        :func:`summarise_groups` gives.
    """
    parts = {}
    values = np.array([flag.get(key, math.nan) for key in table.keys])
    for value, word in ((1, 'yes'), (0, 'no'), (-1, 'not stated')):
        part = table.pick(values == value)
        if part.keys:
            parts[word] = summarise_groups(part)
    return parts


def summarise(
    models: dict[str, CellAnswers],
    classes: Sequence[str],
    flags: dict[str, np.ndarray] | None = None,
    meta: dict | None = None,
    measure: str = 'accuracy',
    by_seed: Mapping[int, Mapping[str, CellAnswers]] | None = None,
) -> dict:
    """Return all numbers of a report.

    Args:
        models: Answers by model and cell; the others are compared with the
            first model.
        classes: Class names.
        flags: Flags of the first model's test images by name: 0, 1 or -1
            (not stated) for each place in its test set.
        meta: How the numbers were made: command, seed, device, ...
        measure: ``agreement`` where the labels are each model's own answers
            to the clean images: they need not be the same to be compared.
        by_seed: Answers by seed, model and cell, where there are several
            seeds; ``models`` has those of the first.
    """
    first = next(iter(models))
    clean = {name: cells.get(CLEAN) for name, cells in models.items()}
    if by_seed:
        models = {
            name: pool({seed: same[name] for seed, same in by_seed.items()})
            for name in models
        }
    tables = {name: hit_table(cells) for name, cells in models.items()}
    keys, index = tables[first].keys, tables[first].index
    stated = {
        flag: dict(zip(keys, values[index].tolist(), strict=True))
        for flag, values in (flags or {}).items()
    }
    summaries: dict[str, dict] = {}
    for name, cells in models.items():
        table = tables[name]
        proper = all(answers.probabilities for answers in cells.values())
        summaries[name] = dict(
            images=count_images(cells),
            photos=len(set(table.photos.tolist())),
            named=all(answers.named for answers in cells.values()),
            cells={
                c: summarise_cell((c == CLEAN and clean[name]) or a, classes)
                for c, a in cells.items()
            },
            means=summarise_groups(table),
            costs=costs(table),
            curves=share_curves(cells),
            retention=share_or_none(retention(table)),
            area=share_or_none(area_under_accuracy(table, cells)),
            probabilities=proper,
            reliability=summarise_reliability(table) if proper else {},
            flags={
                flag: split_by_flag(table, values)
                for flag, values in stated.items()
            },
        )
        if name != first:
            reason = why_not_paired(
                cells, models[first], labels=measure == 'accuracy'
            )
            if reason:
                summaries[name]['not_paired'] = reason
            else:
                summaries[name]['difference'] = compare(table, tables[first])
        if faults := unusable(cells):
            summaries[name]['unusable'] = faults
    if by_seed:
        add_spreads(summaries, by_seed)
    seeds = dict(seeds=list(by_seed)) if by_seed else {}
    return dict(
        meta=meta or {},
        measure=measure,
        baseline=first,
        **seeds,
        classes=list(classes),
        chance=chance(len(classes)) if measure == 'accuracy' else None,
        class_images=class_images(models[first]),
        models=summaries,
    )


def chance(classes: int) -> float | None:
    """Return how often a guess among so many classes is right, in percent.

    None for a single class.
    """
    return percent(1 / classes) if classes > 1 else None


def class_images(cells: CellAnswers) -> dict[str, int]:
    """Return how many images each class has, by its number.

    They are those of the first cell: the clean one, if there is any.
    """
    answers = next(iter(cells.values()))
    labels = answers.label[np.unique(answers.index, return_index=True)[1]]
    return {str(c): n for c, n in sorted(Counter(labels.tolist()).items())}


def add_spreads(
    summaries: Mapping[str, dict],
    by_seed: Mapping[int, Mapping[str, CellAnswers]],
) -> None:
    """Add to all numbers of the models what they are with each seed.

    The clean cell, which has no occluder, gets nothing.
    """
    tables = {
        seed: {name: hit_table(cells) for name, cells in models.items()}
        for seed, models in by_seed.items()
    }
    first = next(iter(summaries))
    for name, summary in summaries.items():
        means = {s: summarise_groups(t[name]) for s, t in tables.items()}
        cells = {
            seed: {
                cell: dict(accuracy=percent(answers.hits.mean()))
                for cell, answers in models[name].items()
            }
            for seed, models in by_seed.items()
        }
        add_spread(_hard(summary['cells']), cells)
        add_spread(_hard(summary['means']), means)
        if 'difference' in summary:
            gains = {s: compare(t[name], t[first]) for s, t in tables.items()}
            add_spread(_hard(summary['difference']), gains, 'difference')


def _hard(numbers: Mapping[str, dict]) -> dict[str, dict]:
    """Return the numbers of occluded cells, and of means with some."""
    return {name: value for name, value in numbers.items() if name != CLEAN}


def count_images(cells: CellAnswers) -> int:
    """Return how many images were tested, with an answer or without."""
    places: set[int] = set()
    for answers in cells.values():
        places.update(answers.index.tolist())
        places.update(fault.index for fault in answers.faults)
    return len(places)


def summarise_reliability(table: HitTable) -> dict[str, dict]:
    """Return confidence against accuracy by level, over kinds of occluders.

    Returns:
        By level: ``confidence`` and ``accuracy`` of ten bins (None for empty
        ones), ``images`` in each, and ``calibration_error``; of the images
        with an answer in all cells of the level.
    """
    levels: dict[str, dict] = {}
    for name, members in cell_groups(table.cells).items():
        part = table.of(members)
        if name in ENDS or not part.keys:
            continue
        hits, sure = part.hits.ravel(), part.confidence.ravel()
        mean, accuracy, count = reliability(hits, sure)
        levels[name] = dict(
            confidence=percents(mean),
            accuracy=percents(accuracy),
            images=count.tolist(),
            calibration_error=percent(calibration_error(hits, sure)),
        )
    return levels
