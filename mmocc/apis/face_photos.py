"""Faces that are cut out of photos, and where they were."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.apis.face_detectors import FaceDetector, FoundFace
from mmocc.apis.photos import Photo, PhotoPipeline
from mmocc.datasets.transforms.align_face import (
    TEMPLATE,
    fit_similarity,
    warp,
)


@dataclass
class FacePhoto(Photo):
    """A face, as it is and as a model takes it.

    Attributes:
        photo: The photo's name; the face's own has ``#0``, ``#1`` after it.
        number: Of the face in its photo, from 0 on, from left to right.
        found: Where the face is in the photo.
        matrix: (2, 3), from pixels of the photo to shares of the face.
    """

    photo: str
    number: int
    found: FoundFace
    matrix: np.ndarray

    @property
    def stem(self) -> str:
        """What files about it are named after."""
        return f'{Path(self.photo).stem}_{self.number}'


def cut_face(
    image: np.ndarray, points: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return an aligned face, and the matrix that aligns it.

    Args:
        image: (H, W, 3) uint8.
        points: (5, 2), see :class:`FoundFace`.
        side: Of the face in pixels.

    Returns:
        (side, side, 3) uint8, black outside of the photo; and (2, 3), from
        pixels of the photo to those of the face.
    """
    matrix = fit_similarity(points, np.multiply(TEMPLATE, side))
    return warp(image, matrix, (side, side), 0), matrix


def cut_faces(
    pipeline: PhotoPipeline,
    detector: FaceDetector,
    item: str | np.ndarray,
    place: int,
    order: str,
    side: int,
) -> tuple[str, list[Photo]]:
    """Return a photo's name, and its faces from left to right.

    Arguments are those of a :class:`PhotoPipeline`, and the faces' side.
    """
    name, image = pipeline.read(item, place, order)
    faces: list[Photo] = []
    for number, found in enumerate(detector(image)):
        face, matrix = cut_face(image, found.points, side)
        seen = pipeline(face, place)
        faces.append(
            FacePhoto(
                place,
                f'{name}#{number}',
                seen.image,
                seen.packed,
                photo=name,
                number=number,
                found=found,
                matrix=matrix / side,
            )
        )
    return name, faces


def place_of(photo: Photo) -> dict[str, Any]:
    """Return where a face is in its photo, as plain values; {} if unknown."""
    if not isinstance(photo, FacePhoto):
        return {}
    return dict(
        photo=photo.photo,
        face=photo.number,
        box=[round(float(value), 1) for value in photo.found.box],
        points=np.round(photo.found.points, 1).tolist(),
        found_score=round(photo.found.score, 3),
        align_matrix=photo.matrix,
    )
