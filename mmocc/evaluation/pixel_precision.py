"""Average precision over the pixels of all images."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

IGNORED = 255


def read_mask(
    mask_paths: Sequence[str | Path],
    ignore_path: str | Path | None,
    size: tuple[int, int] = (224, 224),
) -> np.ndarray:
    """Read the masks of an image and unite them.

    Args:
        mask_paths: Images whose pixels are 0 or more; one for each object.
        ignore_path: An image of what counts neither way; None for nothing.
        size: (h, w) of the result. Each mask is resized to it by the nearest
            pixel, as the reference does.

    Returns:
        uint8: 1 foreground, 0 background, 255 ignored. Foreground is never
        ignored, even where the ignored region covers it.

    Raises:
        FileNotFoundError: If a file is no readable image.
    """
    masks = [_read_one(path, size) for path in mask_paths]
    foreground = np.any(masks, axis=0)
    mask = foreground.astype(np.uint8)
    if ignore_path is not None:
        mask[_read_one(ignore_path, size) & ~foreground] = IGNORED
    return mask


def _read_one(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Return one mask as booleans of the size (h, w)."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FileNotFoundError(
            f'{path}: missing, or no readable image, but the localization '
            'file names it as a mask; complete the folder of masks'
        )
    size = tuple(size)[::-1]
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) > 0


def score_histograms(
    scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Count a map's scores in and out of the foreground.

    Args:
        scores: (h, w) in [0, 1].
        mask: uint8 (h, w) of :func:`read_mask`.
        thresholds: (T,) ascending from 0.

    Returns:
        int64 (2, T + 1): foreground and background; each bin goes from its
        threshold to the next, and the last holds what is exactly 1.
    """
    # Right edges as the reference's; its further bin, [2, 3), stays empty.
    edges = np.append(thresholds, [1.0, 2.0])
    kinds = (scores[mask == kind] for kind in (1, 0))
    return np.stack([np.histogram(kind, edges)[0] for kind in kinds])


def pixel_average_precision(histograms: np.ndarray) -> float:
    """Return the area under the pixels' precision-recall curve, in percent.

    The sum of precision times the step in recall, from the highest threshold
    down, starting at recall 0: all pixels of the images count alike.

    Args:
        histograms: (2, B) of :func:`score_histograms`, summed.

    Raises:
        ValueError: If no pixel is foreground.
    """
    hits, false = histograms[:, ::-1].cumsum(axis=1)
    if not hits[-1]:
        raise ValueError(
            'no pixel of the masks is foreground, so there is no recall; '
            'check the masks of the localization file'
        )
    recall = np.diff(hits / hits[-1], prepend=0)
    # Bins without a pixel add no recall, whatever their precision is.
    precision = hits / np.maximum(hits + false, 1)
    return 100 * float((precision * recall).sum())
