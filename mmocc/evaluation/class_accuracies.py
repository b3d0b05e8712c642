"""Accuracy of each class, from counts."""

import numpy as np


def class_accuracies(confusion: np.ndarray) -> np.ndarray:
    """Return the share (C,) of right predictions for each class.

    It is NaN for classes without a sample. Rows of the (C, C) counts are the
    true classes.
    """
    counts = confusion.sum(axis=1)
    hits = np.diagonal(confusion).astype(np.float64)
    return np.divide(
        hits, counts, out=np.full(len(counts), np.nan), where=counts > 0
    )
