"""Brings a face upright and to its place, by five points."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log
from mmengine.utils import get_object_from_string

from mmocc.datasets.faces.landmarks import (
    fit_similarity,
    five_points,
    move_points,
)
from mmocc.registry import TRANSFORMS

# Left and right eye, tip of the nose, left and right corner of the mouth, as
# shares of width and height. Chosen to show a face from the brows' upper side
# to the chin, with little around it; no paper's values.
TEMPLATE = ((0.32, 0.4), (0.68, 0.4), (0.5, 0.59), (0.36, 0.76), (0.64, 0.76))
_DONE_BEFORE = ('scale_factor', 'flip')  # landmarks do not follow these

Detector = Callable[[np.ndarray], np.ndarray | None]


@TRANSFORMS.register_module()
class AlignFace(BaseTransform):
    """Turn, scale and shift a face so that five points lie where they shall.

    Directly behind ``LoadImageFromFile``. The points are the sample's
    ``landmarks``, or what a detector of your choice finds.

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
        template: Where the points shall lie, as shares of width and height.
        detector: A callable, or its name (``my_package.find_face``): takes
            the picture (uint8 BGR) and returns (5, 2) points as above, (68, 2)
            landmarks in the order of iBUG 300-W, or None if there is no face.
            It goes before the sample's own landmarks.
        no_face: What is done where the detector finds none: ``error``, or
            ``resize`` for the whole picture, which the log names.
        min_size: Least side, in pixels of the photo, of what becomes the
            aligned face. Below that of a patch there is nothing to see.
        border: Grey value of what lies outside of the photo.

    Raises:
        ValueError: An argument is wrong; a sample has no points, or points
            that are no face's, or a face that is too small.
    """

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
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.template = np.asarray(template, np.float64)
        self.detector = detector
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
                f'but {", ".join(done)} tells of a Resize or RandomFlip before'
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
                f'AlignFace: no face found in {name}; it is taken whole',
                logger='current',
                level=30,
            )
            return None
        if points is None:
            raise ValueError(
                f'{name}: the detector found no face; take the picture out, '
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
                f"{name}: landmarks {points.round(1).tolist()} are no face's; "
                "they must be the picture's left eye, right eye, tip of the "
                'nose, left and right corner of the mouth'
            )
        side = min(self.size) / np.hypot(*matrix[:, 0])
        if side < self.min_size:
            raise ValueError(
                f'{name}: the face takes {side:.1f} pixels, fewer than '
                f'min_size={self.min_size}; take it out, or lower min_size'
            )
        return matrix

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, '
            f'template={self.template.tolist()}, detector={self.detector}, '
            f'no_face={self.no_face!r}, min_size={self.min_size}, '
            f'border={self.border})'
        )


def warp(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], border: int
) -> np.ndarray:
    """Return an image moved by a matrix, without aliasing.

    Args:
        image: (H, W, 3) uint8.
        matrix: (2, 3), from pixels of the image to those of the result; a
            pixel's centre is at 0.5.
        size: Width and height of the result.
        border: Grey value of what lies outside of the image.
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
