"""Expression of a face, its occluded patches, and the face behind them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.apis.face_detectors import find_detector
from mmocc.apis.face_photos import cut_faces, place_of
from mmocc.apis.localization_inferencer import class_of
from mmocc.apis.photo_inferencer import PhotoInferencer
from mmocc.apis.photos import Photo
from mmocc.visualization import ofer_pictures as pictures
from mmocc.visualization.sheet import draw_sheet

SIDE = 224  # pixels of a face that is cut out of a photo


class LatentOFERInferencer(PhotoInferencer):
    """Which expression does a partly hidden face show?

    Without ``faces``, each photo is one face, as the model was trained on: cut
    out, and aligned if those were. With it, a detector finds the faces of each
    photo, and five points align them; each face has a prediction, and a photo
    without a face is among those left out.

    A prediction has ``name`` (the photo's), ``pred_label``, ``pred_class``
    (with known classes), ``pred_score`` and ``pred_scores`` (classes,), the
    probabilities; with a reconstructor ``reconstruction`` (H, W, 3) uint8 RGB,
    as large as the network's input; and with a detector ``mask`` (gh, gw)
    bool, the patches that it finds occluded, and their ``distances`` (gh, gw)
    float32. ``attention`` (gh, gw) float32 is where the head looked. A face
    that was found also has ``photo``, the photo's name, ``face``, its number
    there, ``box`` (xyxy) and ``points`` (5, 2) in pixels of the photo.

    Args:
        *args: Of :class:`PhotoInferencer`.
        faces: A name for :func:`find_detector` (``auto``, ``yunet``,
            ``mtcnn``, ``haar``), a callable that takes a photo (uint8 BGR) and
            returns a list of :class:`FoundFace`, or ``none``. By default what
            the config's ``find_faces`` says, which is how its training cut
            faces; ``none`` without.
        face_model: YuNet's file, if a download did not put it in place.
        **kwargs: Of :class:`PhotoInferencer`.

    Raises:
        ValueError: When it draws, if the model predicts no expression.
    """

    def __init__(
        self,
        *args: Any,
        faces: str | Callable | None = None,
        face_model: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if faces is None:
            faces = self.cfg.get('find_faces', 'none')
            if face_model is not None and faces == 'none':
                faces = 'yunet'
        self.detector: Any = faces
        if isinstance(faces, str):
            self.detector = None
            if faces != 'none':
                self.detector = find_detector(faces, face_model)

    def photos_of(
        self,
        item: str | np.ndarray,
        place: int,
        channel_order: str,
        skipped: list[str] | None = None,
    ) -> list[Photo]:
        """Return the faces of a photo; without a detector, all of it."""
        if self.detector is None:
            return super().photos_of(item, place, channel_order, skipped)
        name, faces = cut_faces(
            self.pipeline, self.detector, item, place, channel_order, SIDE
        )
        if not faces and skipped is not None:
            skipped.append(f'{name}: no face was found')
        return faces

    def describe(self, photo: Photo, sample: Any) -> dict[str, Any]:
        """Return expression, mask and reconstructed face."""
        answer = place_of(photo) | class_of(sample, self.classes)
        if 'pred_patch_dist' in sample:
            distances, mask = pictures.patch_values(sample)
            answer |= dict(mask=mask > 0, distances=distances)
        if 'recon' in sample:
            answer['reconstruction'] = pictures.face_picture(sample)
        if 'attention' in sample:
            answer['attention'] = pictures.as_array(sample.attention)
        return answer

    def draw(self, photo: Photo, sample: Any) -> np.ndarray:
        """Draw the stages of the face side by side."""
        row = pictures.ofer_row(
            photo.packed['inputs'], photo.name, sample, self.classes
        )
        return draw_sheet([row])
