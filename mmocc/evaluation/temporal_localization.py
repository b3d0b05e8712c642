"""Mean average precision of segments that are cut from maps over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmocc.evaluation.temporal_segments import (
    gather_segments,
    map_to_segments,
    temporal_map,
)
from mmocc.registry import METRICS


@METRICS.register_module()
class TemporalMeanAP(BaseMetric):
    """Mean average precision of segments cut from class maps over time.

    Of Hide-and-Seek for action localization (arXiv 1704.04232, section 4.3).
    Gives ``temporal/mAP@0.1``, ..., in percent, and ``temporal/mAP``, their
    mean.

    Each data sample is a video with ``cams``, class maps (classes, T) or
    (classes, T, 1) as from ``mmocc.CAMHead(maps=['all'])``; ``pred_score``
    (classes,); ``sample_idx``; ``gt_segments``, (n, 2) start and end in
    frames; and ``gt_segment_labels``, (n,), or one ``gt_label`` for all.

    A segment's score is the probability of its class in the video times the
    strength of its run; the paper does not say.

    Args:
        threshold: Share of a map's maximum that a frame must exceed.
        min_score: Probability from which a class counts as present in a
            video; the most probable class always does.
        ious: Overlaps that a hit must exceed.
        points: As in :func:`average_precision`.
        inclusive: An overlap of exactly one of ``ious`` counts, too. With
            ``points='all'`` it is ActivityNet's evaluation.
        **kwargs: ``collect_device`` and ``prefix``, as in mmengine.
    """

    default_prefix = 'temporal'

    def __init__(
        self,
        threshold: float = 0.5,
        min_score: float = 0.1,
        ious: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
        points: int | str | None = None,
        inclusive: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        self.min_score = min_score
        self.ious = tuple(ious)
        self.points, self.inclusive = points, inclusive

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Store predicted and true segments of each video.

        Raises:
            ValueError: If a sample has no maps or no ground truth.
        """
        remedies = dict(cams="give the CAMHead maps=['all']")
        for sample in data_samples:
            for key in ('cams', 'gt_segments', 'sample_idx'):
                if key not in sample:
                    remedy = "name it in PackInputs' meta_keys"
                    raise ValueError(
                        f'mmocc.TemporalMeanAP: a sample has no {key}; '
                        + remedies.get(key, remedy)
                    )
            self.results.append((self._predict(sample), true_rows(sample)))

    def _predict(self, sample: dict) -> list[tuple]:
        """Return the predicted rows (class, video, segment, score)."""
        score = np.asarray(sample['pred_score'].cpu(), np.float64)
        cams = sample['cams'].cpu().numpy().reshape(len(score), -1)
        present = {int(score.argmax())}
        present |= set(np.flatnonzero(score >= self.min_score).tolist())
        return [
            (label, int(sample['sample_idx']), tuple(span), score[label] * run)
            for label in sorted(present)
            for span, run in zip(
                *map_to_segments(cams[label], self.threshold), strict=True
            )
        ]

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Return the mean average precisions in percent."""
        predicted, truth = (
            gather_segments(row for rows in part for row in rows)
            for part in zip(*results, strict=True)
        )
        means = temporal_map(
            predicted, truth, self.ious, self.points, self.inclusive
        )
        metrics = {f'mAP@{iou:g}': 100 * v for iou, v in means.items()}
        return metrics | {'mAP': float(np.mean(list(metrics.values())))}


def true_rows(sample: dict) -> list[tuple]:
    """Return the ground truth rows (class, video, segment, score)."""
    spans = np.asarray(sample['gt_segments'], float).reshape(-1, 2)
    labels = sample.get('gt_segment_labels')
    if labels is None:
        labels = [int(sample['gt_label'])] * len(spans)
    return [
        (int(label), int(sample['sample_idx']), tuple(span), 1.0)
        for label, span in zip(labels, spans, strict=True)
    ]
