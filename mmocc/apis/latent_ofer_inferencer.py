"""Expression of a face, its occluded patches, and the face behind them."""

from typing import Any

import numpy as np

from mmocc.apis.localization_inferencer import class_of
from mmocc.apis.photo_inferencer import PhotoInferencer
from mmocc.apis.photos import Photo
from mmocc.visualization import ofer_pictures as pictures
from mmocc.visualization.sheet import draw_sheet


class LatentOFERInferencer(PhotoInferencer):
    """Which expression does a partly hidden face show?

    Give faces as the model was trained on: cut out, and aligned if those were.
    A prediction has ``name`` (the photo's), ``pred_label``, ``pred_class``
    (with known classes), ``pred_score`` and ``pred_scores`` (classes,), the
    probabilities; with a reconstructor ``reconstruction`` (H, W, 3) uint8 RGB,
    as large as the network's input; and with a detector ``mask`` (gh, gw)
    bool, the patches that it finds occluded, and their ``distances`` (gh, gw)
    float32. ``attention`` (gh, gw) float32 is where the head looked.

    See :class:`PhotoInferencer` for the arguments.

    Raises:
        ValueError: When it draws, if the model predicts no expression.
    """

    def describe(self, photo: Photo, sample: Any) -> dict[str, Any]:
        """Return expression, mask and reconstructed face."""
        answer = class_of(sample, self.classes)
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
