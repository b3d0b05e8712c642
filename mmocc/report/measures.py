"""Numbers beside the top-1 accuracy: what is left of it, and how sure."""

from collections.abc import Mapping

import numpy as np

from mmocc.occlusion import CLEAN, LEVELS
from mmocc.report.answers import Answers
from mmocc.report.hit_table import HitTable
from mmocc.report.statistics import cell_kinds

TOP = 5
TINY = float(np.finfo(np.float32).tiny)  # the least probability that counts


def top_accuracy(answers: Answers, classes: int) -> float | None:
    """Return how often the true class is among the first five, in [0, 1].

    None where that is not known, or there are no more than five classes.
    """
    if classes <= TOP or (answers.rank < 0).any():
        return None
    return float((answers.rank < TOP).mean())


def negative_log_likelihood(answers: Answers) -> float | None:
    """Return the mean of -log p of the true class, in nats.

    None if the scores are not probabilities, or that of the true class is
    not known. A probability below the least float32 counts as that: 87.3.
    """
    if not answers.probabilities or np.isnan(answers.truth).any():
        return None
    truth = answers.truth.astype(np.float64)
    return float(-np.log(truth.clip(TINY)).mean())


def area_under_risk(answers: Answers) -> float:
    """Return the area under risk against coverage (AURC), in [0, 1].

    It is the mean error of the k surest answers, over all k: low where the
    confidence ranks right answers before wrong ones (Geifman et al.,
    arXiv 1805.08206). Equally sure answers count as their mean.
    """
    sure, group = np.unique(-answers.confidence, return_inverse=True)
    count = np.bincount(group, minlength=len(sure))
    errors = np.bincount(group, weights=~answers.hits) / count
    ranked = np.repeat(errors, count)
    return float((ranked.cumsum() / np.arange(1, len(ranked) + 1)).mean())


def retention(table: HitTable) -> float | None:
    """Return the mean occluded accuracy as a share of the clean one.

    Both are of the images with an answer in all cells; None without a clean
    cell, an occluded one, or a right clean answer.
    """
    if CLEAN not in table.cells or len(table.cells) < 2:
        return None
    part = table.of(table.cells)
    clean = part.cells.index(CLEAN)
    hidden = np.delete(part.hits, clean, axis=1)
    if not part.hits[:, clean].any():
        return None
    return float(hidden.mean() / part.hits[:, clean].mean())


def area_under_accuracy(
    table: HitTable, cells: Mapping[str, Answers]
) -> float | None:
    """Return the mean height of accuracy against the hidden share, in [0, 1].

    For each kind, the points are (0, clean) and (mean hidden share, accuracy)
    of each level, joined by lines, and the area below them is divided by the
    largest share; the result is the mean over kinds. Accuracies are of the
    images with an answer in all cells; None without a clean cell, an occluded
    one, or such an image.
    """
    part = table.of(table.cells)
    if CLEAN not in table.cells or not part.keys:
        return None
    accuracy = dict(zip(part.cells, part.hits.mean(axis=0), strict=True))
    areas = []
    for kind in cell_kinds(cells):
        names = [name for lv in LEVELS if (name := f'{lv} {kind}') in cells]
        if not names:
            continue
        x = np.array([0.0, *(cells[n].share.mean() for n in names)])
        y = np.array([accuracy[name] for name in (CLEAN, *names)])
        area = (np.diff(x) * (y[1:] + y[:-1]) / 2).sum()
        areas.append(area / x[-1] if x[-1] else y.mean())
    return float(np.mean(areas)) if areas else None
