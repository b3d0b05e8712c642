"""Aligns a face by five points."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log
from mmengine.utils import get_object_from_string

from mmocc.registry import TRANSFORMS

# Left and right eye, tip of the nose, left and right corner of the mouth, as
# shares of width and height: the face from the upper side of the brows to the
# chin, with little around it. Not from a paper.
TEMPLATE = ((0.32, 0.4), (0.68, 0.4), (0.5, 0.59), (0.36, 0.76), (0.64, 0.76))
_DONE_BEFORE = ('scale_factor', 'flip')  # landmarks do not follow these

# Of the 68 points of iBUG 300-W, from 0: eyes, tip of the nose, corners.
_EYES = (slice(36, 42), slice(42, 48))
_NOSE_TIP, _CORNERS = 30, (48, 54)

Detector = Callable[[np.ndarray], np.ndarray | None]


def five_points(points: np.ndarray) -> np.ndarray:
    """Return eyes, tip of the nose, and mouth's corners (5, 2), left first.

    Of (68, 2) landmarks in the order of iBUG 300-W; left is the picture's.
    """
    eyes = [points[eye].mean(axis=0) for eye in _EYES]
    return np.stack([*eyes, points[_NOSE_TIP], *points[list(_CORNERS)]])


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the turn, scale and shift that bring points nearest to others.

    The least-squares solution of Umeyama (PAMI 1991), without mirroring.

    Args:
        source: (n, 2) x and y; ValueError if all are equal, or not finite.
        target: (n, 2).

    Returns:
        float64 (2, 3): x' = A[:, :2] x + A[:, 2].
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    if not np.isfinite(source).all():
        raise ValueError('landmarks are not finite')
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = source - centre, target - goal
    spread = (a**2).sum()
    if spread < 1e-9:
        raise ValueError('all landmarks are at one place')
    # The complex factor that turns and scales a into b.
    cos = (a * b).sum() / spread
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, goal - turn @ centre])


def move_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (n, 2) points moved by a (2, 3) matrix."""
    return np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]


@TRANSFORMS.register_module()
class AlignFace(BaseTransform):
    """Turn, scale and shift a face so that five points are at fixed places.

    Put it directly after ``LoadImageFromFile``. The points are the sample's
    ``landmarks``, or those of a detector of your choice.

    Required Keys: img; without a detector also landmarks ((5, 2), x and y in
    pixels: the picture's left eye, right eye, tip of the nose, left and right
    corner of the mouth).

    Modified Keys: img, img_shape, ori_shape, landmarks (in pixels of the
    aligned face).

    Added Keys: align_matrix (float64 (2, 3), from pixels of the photo to
    those of the aligned face).

    Args:
        size: Width and height of the aligned face in pixels, or one number
            for both.
        template: The places of the points, as shares of width and height.
        detector: A callable, or its name (``my_package.find_face``): takes
            the picture (uint8 BGR) and returns (5, 2) points as above, (68, 2)
            landmarks in the order of iBUG 300-W, or None without a face. Its
            points replace the sample's landmarks.
        no_face: If the detector finds none: ``error``, or ``resize`` to use
            the whole picture, and log it.
        min_size: Smallest side of a face in pixels of the photo, such as the
            side of a patch.
        border: Grey value outside of the photo.

    Raises:
        ValueError: An argument is wrong; a sample has no points, points of no
            face, or a face that is too small.
    """

    sets_frame = False  # boxes are those of the photo still

    def __init__(
        self,
        size: int | tuple[int, int],
        template: Sequence[Sequence[float]] = TEMPLATE,
        detector: Detector | str | None = None,
        no_face: str = 'error',
        min_size: float = 16,
        border: int = 0,
    ) -> None:
        if np.shape(template) != (5, 2):
            raise ValueError(
                f'template must be five points (x, y), got {template}'
            )
        if no_face not in ('error', 'resize'):
            raise ValueError(
                f"no_face is {no_face!r}; use 'error' or 'resize'"
            )
        self.size: tuple = (
            (size, size) if isinstance(size, int) else tuple(size)
        )
        self.template = np.asarray(template, np.float64)
        self.detector: Any = detector
        if isinstance(detector, str):
            self.detector = get_object_from_string(detector)
        if detector is not None and not callable(self.detector):
            raise ValueError(
                f'detector {detector!r} is neither a callable nor the name '
                "of one ('package.module.function')"
            )
        self.no_face, self.min_size, self.border = no_face, min_size, border

    def transform(self, results: dict) -> dict:
        """Align the picture."""
        name = results.get('img_path', 'image')
        done = [key for key in _DONE_BEFORE if results.get(key)]
        if done:
            raise ValueError(
                f'{name}: AlignFace must come right after LoadImageFromFile, '
                f'but {", ".join(done)} shows a Resize or RandomFlip before it'
            )
        points = self._find_points(results, name)
        if points is None:
            height, width = results['img'].shape[:2]
            matrix = np.diag([*np.divide(self.size, (width, height))])
            matrix = np.column_stack([matrix, (0, 0)])
        else:
            matrix = self._fit(points, name)
            results['landmarks'] = move_points(matrix, points)
        results['img'] = warp(results['img'], matrix, self.size, self.border)
        results['img_shape'] = results['ori_shape'] = self.size[::-1]
        results['align_matrix'] = matrix
        return results

    def _find_points(self, results: dict, name: str) -> np.ndarray | None:
        """Return (5, 2) points, or None for the whole picture."""
        if self.detector is None:
            if results.get('landmarks') is None:
                raise ValueError(
                    f'{name}: no `landmarks`; use a data set that has them, '
                    'or give mmocc.AlignFace a detector'
                )
            return np.asarray(results['landmarks'], np.float64)
        points = self.detector(results['img'])
        if points is None and self.no_face == 'resize':
            print_log(
                f'AlignFace: no face found in {name}; all of it is used',
                logger='current',
                level=logging.WARNING,
            )
            return None
        if points is None:
            raise ValueError(
                f'{name}: the detector found no face; remove the picture, '
                "or give no_face='resize'"
            )
        points = np.asarray(points, np.float64)
        return five_points(points) if points.shape == (68, 2) else points

    def _fit(self, points: np.ndarray, name: str) -> np.ndarray:
        """Return the (2, 3) matrix that aligns the points."""
        if points.shape != (5, 2):
            raise ValueError(
                f'{name}: landmarks of shape {points.shape}; a face has five '
                'points (x, y), or 68'
            )
        try:
            matrix = fit_similarity(points, self.template * self.size)
        except ValueError as error:
            raise ValueError(f'{name}: {error}; correct them') from error
        eyes = points[1] - points[0]
        down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
        if eyes[0] * down[1] - eyes[1] * down[0] <= 0:
            raise ValueError(
                f'{name}: landmarks {points.round(1).tolist()} are not those '
                "of a face: the picture's left eye, right eye, tip of the "
                'nose, left and right corner of the mouth'
            )
        side = min(self.size) / np.hypot(*matrix[:, 0])
        if side < self.min_size:
            raise ValueError(
                f'{name}: the face has {side:.1f} pixels, fewer than '
                f'min_size={self.min_size}; remove it, or lower min_size'
            )
        return matrix

    def __repr__(self) -> str:
        values = {**vars(self), 'template': self.template.tolist()}
        options = ', '.join(f'{k}={v!r}' for k, v in values.items())
        return f'{type(self).__name__}({options})'


def warp(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], border: int
) -> np.ndarray:
    """Return an image moved by a matrix, without aliasing.

    Args:
        image: (H, W, 3) uint8.
        matrix: (2, 3), from pixels of the image to those of the result; a
            pixel's centre is at 0.5.
        size: Width and height of the result.
        border: Grey value outside of the image.
    """
    matrix = matrix.copy()
    scale = np.hypot(*matrix[:, 0])
    if scale < 0.75:  # OpenCV's warpAffine takes points, not areas
        height, width = image.shape[:2]
        small = max(1, round(scale * width)), max(1, round(scale * height))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= np.divide((width, height), small)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # for OpenCV, at 0
    return cv2.warpAffine(image, matrix, size, borderValue=(border,) * 3)
