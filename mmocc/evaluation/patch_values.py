"""How well a detector finds occluded patches, from arrays."""

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from mmocc.evaluation.anomaly_values import rank_metric


def patch_values(
    occluded: np.ndarray, flagged: np.ndarray, distances: np.ndarray
) -> dict[str, float | None]:
    """Return accuracy, precision, recall, F1, AUROC and more, in percent.

    Occluded patches are the positive class; undefined values are None.
    ``recall_at_5`` is the recall at the threshold that flags 5 % of the clean
    patches: it depends on no radius.

    Args:
        occluded: (n,) bool, the truth.
        flagged: (n,) bool, the prediction.
        distances: (n,), higher for patches that are more likely occluded.
    """
    hits = int((occluded & flagged).sum())
    wrong = int((occluded ^ flagged).sum())
    ranked = rank_metric(roc_auc_score, occluded, distances)
    return dict(
        accuracy=_percent(len(occluded) - wrong, len(occluded)),
        precision=_percent(hits, int(flagged.sum())),
        recall=_percent(hits, int(occluded.sum())),
        f1=_percent(2 * hits, 2 * hits + wrong),
        auroc=None if ranked is None else 100 * ranked,
        recall_at_5=rank_metric(recall_at, occluded, distances),
    )


def recall_at(
    occluded: np.ndarray, distances: np.ndarray, share: float = 0.05
) -> float:
    """Return the recall in percent where a share of the others is flagged.

    Args:
        occluded: (n,) bool, with both values.
        distances: (n,), higher for patches that are more likely occluded.
        share: False positives among the clean patches, 0 to 1; between two
            points of the curve, the recall is interpolated.
    """
    wrong, hits, _ = roc_curve(occluded, distances)
    return 100 * float(np.interp(share, wrong, hits))


def _percent(part: int, whole: int) -> float | None:
    """Return a share in percent; None of nothing."""
    return 100 * part / whole if whole else None
