"""How well a detector finds occluded patches, from arrays."""

import numpy as np
from sklearn.metrics import roc_auc_score

from mmocc.evaluation.anomaly_values import rank_metric


def patch_values(
    occluded: np.ndarray, flagged: np.ndarray, distances: np.ndarray
) -> dict[str, float | None]:
    """Return accuracy, precision, recall, F1 and AUROC in percent.

    Occluded patches are the positive class; undefined values are None.

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
    )


def _percent(part: int, whole: int) -> float | None:
    """Return a share in percent; None of nothing."""
    return 100 * part / whole if whole else None
