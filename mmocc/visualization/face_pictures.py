"""Predictions of faces, drawn on the photo in which they are."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mmocc.visualization.ofer_pictures import HIDDEN

BOX = (255, 255, 0)  # RGB
TEXT = (0, 0, 0)


def draw_faces(
    image: np.ndarray, answers: Sequence[dict[str, Any]]
) -> np.ndarray:
    """Draw boxes, expressions and occluded patches on a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        answers: Of ``mmocc.apis.LatentOFERInferencer`` with a face detector:
            ``box`` and ``pred_label`` or ``pred_class``; ``mask`` and
            ``align_matrix``, to paint occluded patches, if they are there.

    Returns:
        A copy, (H, W, 3) uint8 RGB.
    """
    picture = np.ascontiguousarray(image).copy()
    for answer in answers:
        if 'mask' in answer:
            picture = paint_hidden(
                picture, answer['mask'], answer['align_matrix']
            )
    thick = max(1, round(max(image.shape[:2]) / 400))
    for answer in answers:
        left, top, right, bottom = (round(v) for v in answer['box'])
        cv2.rectangle(picture, (left, top), (right, bottom), BOX, thick)
        label = answer.get('pred_class', f'class {answer["pred_label"]}')
        text = f'{label} {100 * answer["pred_score"]:.0f} %'
        _write(picture, text, left, top, thick)
    return picture


def paint_hidden(
    image: np.ndarray, mask: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Return a photo with a face's occluded patches tinted.

    Args:
        image: (H, W, 3) uint8.
        mask: (gh, gw), non-zero where a patch is occluded.
        matrix: (2, 3), from pixels of the photo to shares of the face.
    """
    rows, columns = mask.shape
    places = cv2.invertAffineTransform(matrix)
    tinted = image.copy()
    for row, column in np.argwhere(mask):
        corners = np.array(
            [
                (column, row),
                (column + 1, row),
                (column + 1, row + 1),
                (column, row + 1),
            ]
        ) / (columns, rows)
        corners = corners @ places[:, :2].T + places[:, 2]
        cv2.fillConvexPoly(tinted, corners.round().astype(int), HIDDEN)
    return cv2.addWeighted(tinted, 0.4, image, 0.6, 0)


def _write(
    picture: np.ndarray, text: str, left: int, top: int, thick: int
) -> None:
    """Write a line above a place, on a background, inside the picture."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5 * max(1.0, thick / 1.5)
    (width, height), below = cv2.getTextSize(text, font, scale, thick)
    left = max(0, min(left, picture.shape[1] - width))
    base = max(top - below, height + 1)
    corner = left, base - height - 1
    cv2.rectangle(picture, corner, (left + width, base + below), BOX, -1)
    cv2.putText(
        picture, text, (left, base), font, scale, TEXT, thick, cv2.LINE_AA
    )
