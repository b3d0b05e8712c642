"""Pasting cut-outs on pictures of faces: places, borders, what is hidden.

Latent-OFER (arXiv 2307.11404) copies "objects such as hands and cups" on
faces and does not say how; all sizes and places here are our choice. A face
is given by five points, x and y in pixels: left eye, right eye, tip of the
nose, left and right corner of the mouth. Left is the picture's left.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmocc.occlusion.alpha import premultiply, straighten

# Where the six anchors of a face mask go: along the line of the eyes from its
# middle, in distances of the eyes; and down from there, in distances of the
# eyes' middle to the mouth's. From the usual proportions of a face.
MASK_PLACES = np.array(
    [
        (-1.0, 0.42),
        (0.0, 0.30),
        (1.0, 0.42),
        (-0.92, 1.15),
        (0.0, 1.72),
        (0.92, 1.15),
    ]
)

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


def _face_axes(points: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the eyes' middle, the vector across, and that to the mouth."""
    face = np.asarray(points, np.float64)
    left, right, _, *mouth = face
    middle = (left + right) / 2
    across, down = right - left, np.mean(mouth, axis=0) - middle
    area = across[0] * down[1] - across[1] * down[0]
    if not abs(area) > 1:
        raise ValueError(
            f'the five points {face.round(1).tolist()} are no face: '
            'eyes and mouth lie on one line, or within a pixel'
        )
    return middle, across, down


def face_turn(points: NDArray[Any]) -> float:
    """Return how far a face, (5, 2) points, is turned to the side.

    It is the nose's offset along the line of the eyes, in distances of the
    eyes: 0 straight ahead, positive to the picture's right.

    Raises:
        ValueError: If the points are not a face.
    """
    middle, across, down = _face_axes(points)
    inside = np.linalg.solve(
        np.stack([across, down], axis=1), np.asarray(points[2]) - middle
    )
    return float(inside[0])


def mask_targets(points: NDArray[Any]) -> Floats:
    """Return where a mask's anchors belong on a face of (5, 2) points.

    Float64 (6, 2) in pixels. The middle ones follow the nose, and the side
    that the face looks to is the narrower.

    Raises:
        ValueError: If the points are not a face.
    """
    middle, across, down = _face_axes(points)
    turn = np.clip(face_turn(points), -0.5, 0.5)
    places = MASK_PLACES.copy()
    places[:, 0] *= 1 - 0.6 * np.sign(places[:, 0]) * turn
    places[:, 0] += np.where(places[:, 0] == 0, turn, 0)
    return middle + places[:, :1] * across + places[:, 1:] * down


def fit_affine(source: NDArray[Any], target: ArrayLike) -> Floats:
    """Return the (2, 3) affine map that best takes points to points.

    Both are (n, 2) with n >= 3; those of ``source`` are not on one line.
    """
    rows = np.column_stack([source, np.ones(len(source))])
    affine: Floats = np.linalg.lstsq(rows, np.asarray(target), rcond=None)[0]
    return affine.T


def place_affine(
    shape: Sequence[int],
    centre: ArrayLike,
    length: float,
    angle: float,
    mirror: bool,
) -> Floats:
    """Return the (2, 3) map that puts a cut-out of (h, w) on a picture.

    Its middle is put on ``centre`` (x, y), its longer side is ``length``
    pixels, ``angle`` is in degrees, ``mirror`` exchanges left and right.
    """
    height, width = shape
    turn, scale = np.deg2rad(angle), length / max(shape)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    linear[:, 0] *= -1 if mirror else 1
    shift = np.asarray(centre) - linear @ (width / 2, height / 2)
    return np.column_stack([linear, shift])


def render_cutout(
    pixels: NDArray[np.uint8],
    affine: NDArray[Any],
    size: Sequence[int],
    feather: float,
) -> tuple[Pixels, Pixels]:
    """Draw a cut-out, uint8 (h, w, 4) BGRA, on an empty (H, W) picture.

    ``affine`` (2, 3) maps its pixels to the picture's; ``feather`` is as for
    :func:`fade`.

    Returns:
        Colours float32 (H, W, 3) in 0 to 255, valid where the alpha is not
        0, and the alpha float32 (H, W) in [0, 1].
    """
    sheet: NDArray[Any] = premultiply(pixels)
    affine = np.array(affine, np.float64)
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    if scale < 1:  # the warp looks at four pixels only
        small = [max(1, round(side * scale)) for side in sheet.shape[1::-1]]
        ratio = np.array(sheet.shape[1::-1]) / small
        sheet = cv2.resize(sheet, small, interpolation=cv2.INTER_AREA)
        affine = affine * [*ratio, 1]
    # OpenCV counts from the middle of the first pixel, not from its corner.
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    sheet = cv2.warpAffine(sheet, affine, size[::-1], flags=cv2.INTER_LINEAR)
    drawn = straighten(np.asarray(sheet, np.float32))
    return drawn[..., :3], fade(drawn[..., 3].clip(0, 1), feather)


def fade(alpha: Pixels, feather: float) -> Pixels:
    """Return an alpha, float32 (H, W) in [0, 1], whose border fades inwards.

    ``feather`` is the fading width in pixels; below half a pixel nothing
    changes.
    """
    if feather < 0.5:
        return alpha
    soft = cv2.GaussianBlur(alpha, (0, 0), feather / 2)
    faded: Pixels = alpha * (2 * soft - 1).clip(0, 1)
    return faded


def blend(
    image: NDArray[np.uint8], colours: Pixels, alpha: Pixels
) -> NDArray[np.uint8]:
    """Return a picture, uint8 (H, W, 3), under an occluder, as a new array.

    Colours are float32 (H, W, 3), or (H, W, 1) grey, in 0 to 255; the alpha
    is float32 (H, W) in [0, 1].
    """
    share = alpha[..., None]
    mixed = image * (1 - share) + colours * share
    return mixed.round().clip(0, 255).astype(np.uint8)
