"""Where in time an action is: maps to segments, and average precision.

Segments are [start, end) in frames (or seconds); the overlap of two is their
intersection over their union.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class Segments:
    """Segments of one class in any number of videos.

    Attributes:
        video: (n,) integers, the video of each.
        span: (n, 2) start and end.
        score: (n,) confidence; not used for ground truth.
    """

    video: np.ndarray
    span: np.ndarray
    score: np.ndarray | None = None


def map_to_segments(
    scores: np.ndarray, threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a class map over time into segments.

    Each run of consecutive frames above ``threshold`` times the map's maximum
    is a segment, as in section 4.3 of Hide-and-Seek (arXiv 1704.04232).

    Args:
        scores: (T,) class map.
        threshold: Share of the maximum, in [0, 1).

    Returns:
        (n, 2) int64 segments, in frames, and their (n,) strengths: the mean
        of the run over the maximum of the map, in (threshold, 1]. None where
        the map is nowhere positive.

    Raises:
        ValueError: If the map has another shape or numbers that are not
            finite, or the threshold is outside [0, 1).
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(
            'a class map over time must be finite numbers (T,), got shape '
            f'{scores.shape}'
        )
    if not 0 <= threshold < 1:
        raise ValueError(f'threshold must be in [0, 1), got {threshold}')
    top = scores.max(initial=0)
    if top <= 0:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    above = np.pad(scores > threshold * top, 1)
    # It changes at the start and after the end of each run.
    segments = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2)
    means = [scores[start:end].mean() for start, end in segments]
    # The mean of equal numbers may be rounded above them.
    return segments, np.minimum(np.array(means) / top, 1)


def segment_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the (n, m) overlaps of segments (n, 2) with segments (m, 2)."""
    a, b = np.asarray(a, float)[:, None], np.asarray(b, float)[None]
    start = np.maximum(a[..., 0], b[..., 0])
    end = np.minimum(a[..., 1], b[..., 1])
    shared = np.clip(end - start, 0, None)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    return np.divide(shared, union, np.zeros_like(shared), where=union > 0)


def find_hits(
    predicted: Segments, truth: Segments, iou: float, inclusive: bool = False
) -> np.ndarray:
    """Match predictions with the ground truth of one class, greedily.

    From the highest score down, each prediction takes the free segment of its
    video that overlaps most with it. It is a hit if that overlap is more than
    ``iou`` (strictly, as in the paper and in THUMOS'14's evaluation, which
    matches in the order of the ground truth); with ``inclusive`` also if it is
    equal, as in ActivityNet's evaluation.

    Returns:
        (n,) bool in the order of falling scores, stable for equal ones.
    """
    hits = np.zeros(len(predicted.span), bool)
    order = np.argsort(-predicted.score, kind='stable')
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    for video in np.unique(truth.video):
        mine = order[predicted.video[order] == video]
        overlaps = segment_iou(
            predicted.span[mine], truth.span[truth.video == video]
        )
        for prediction, overlap in zip(mine, overlaps, strict=True):
            best = overlap.argmax()
            found = overlap[best] >= iou if inclusive else overlap[best] > iou
            if found and overlap[best] >= 0:
                hits[rank[prediction]] = True
                overlaps[:, best] = -1  # not free any more
    return hits


def average_precision(
    hits: np.ndarray, total: int, points: int | str | None = None
) -> float:
    """Return the average precision of ranked predictions, in [0, 1].

    Args:
        hits: (n,) bool, from the highest score down.
        total: Number of ground truth segments, at least 1.
        points: None for the area under the precision-recall curve as it is:
            the sum of the precisions at the hits, over ``total``. 11 for
            THUMOS'14's evaluation of 2014: the mean over 11 levels of recall
            of the best precision at that recall or more. ``'all'`` for the
            area under that best precision, as in ActivityNet's evaluation.
    """
    hit_count = np.cumsum(hits)
    precision = hit_count / np.arange(1, len(hits) + 1)
    if points is None:
        return float(precision[hits].sum() / total)
    if points == 'all':
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float(best[hits].sum() / total)
    # In whole numbers, so that a recall of 3 of 10 reaches the level 0.3.
    best = [
        precision[hit_count * (points - 1) >= level * total].max(initial=0)
        for level in range(points)
    ]
    return float(np.mean(best))


def temporal_map(
    predicted: dict[int, Segments],
    truth: dict[int, Segments],
    ious: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    points: int | str | None = None,
    inclusive: bool = False,
) -> dict[float, float]:
    """Return the mean average precision at each overlap, in [0, 1].

    Args:
        predicted: By class; a class may be missing.
        truth: By class; the mean is over these classes.
        ious: Overlaps that a hit must exceed.
        points: See :func:`average_precision`.
        inclusive: See :func:`find_hits`.

    Raises:
        ValueError: If there is no ground truth.
    """
    truth = {label: part for label, part in truth.items() if len(part.span)}
    if not truth:
        raise ValueError('there is no ground truth segment')
    nothing = Segments(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))

    def score(label: int, part: Segments, iou: float) -> float:
        hits = find_hits(predicted.get(label, nothing), part, iou, inclusive)
        return average_precision(hits, len(part.span), points)

    return {
        iou: float(np.mean([score(*pair, iou) for pair in truth.items()]))
        for iou in ious
    }


def gather_segments(
    rows: Iterable[tuple[int, int, Sequence[float], float]],
) -> dict[int, Segments]:
    """Sort rows (class, video, (start, end), score) by class."""
    by_class = {}
    for label, *row in rows:
        by_class.setdefault(int(label), []).append(row)
    segments = {}
    for label, part in by_class.items():
        video, span, score = zip(*part, strict=True)
        segments[label] = Segments(
            np.array(video, np.int64), np.array(span, float), np.array(score)
        )
    return segments
