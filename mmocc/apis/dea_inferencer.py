"""Objects of a page, redrawn, and how anomalous they are; or baselines."""

from typing import Any

import numpy as np

from mmocc.apis.photo_inferencer import PhotoInferencer
from mmocc.apis.photos import Photo
from mmocc.visualization import redrawing_pictures as pictures
from mmocc.visualization.localization_pictures import class_name
from mmocc.visualization.sheet import draw_sheet


class DEAInferencer(PhotoInferencer):
    """Which objects are on a page, and which of them cannot be redrawn?

    A prediction has ``name`` (the page's) and, for its n objects, ``boxes``
    (n, 4) float32 xyxy in pixels of the page, ``labels`` (n,) int64,
    ``classes`` (with known ones), ``scores`` (n,), the detector's confidence,
    ``anomaly_scores`` (n,), higher if more anomalous, ``anomalous`` (n,) bool,
    ``reconstructions`` (n, s, s, 1 or 3) float32 RGB in [0, 1], and for the
    whole page ``anomaly_map`` (H, W) float32, the error of the redrawing, 0
    where nothing was redrawn, ``image_score``, that of the most anomalous
    object (None without any), and ``image_anomalous``. A baseline, such as
    ``mmocc.PatchCore``, has one object, the image, and no reconstructions.

    Args:
        *args: As in :class:`PhotoInferencer`.
        min_confidence: As in
            :class:`mmocc.visualization.redrawing_pictures.Rule`.
        threshold: As there.
        background: As there.
        most: As there.
        **kwargs: As in :class:`PhotoInferencer`.

    Raises:
        ValueError: While running, if the model redraws nothing.
    """

    def __init__(
        self,
        *args: Any,
        min_confidence: float = 0.02,
        threshold: float | None = None,
        background: float = 1.0,
        most: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.rule = pictures.Rule(min_confidence, threshold, background, most)
        super().__init__(*args, **kwargs)

    def describe(self, photo: Photo, sample: Any) -> dict[str, Any]:
        """Return boxes, labels, scores, reconstructions and the map."""
        objects = pictures.read_objects(sample, self.rule)
        found = sample.pred_instances
        labels = found.labels[found.scores >= self.rule.min_confidence].numpy()
        answer: dict[str, Any] = dict(
            boxes=objects.boxes,
            labels=labels,
            scores=objects.confidence,
            anomaly_scores=objects.scores,
            anomalous=objects.anomalous,
            anomaly_map=pictures.error_map(objects, photo.image.shape[:2]),
            image_score=max(objects.scores.tolist(), default=None),
            image_anomalous=bool(objects.anomalous.any()),
        )
        if objects.recons is not None:
            answer['reconstructions'] = objects.recons
        if self.classes is not None:
            names = [class_name(int(one), self.classes) for one in labels]
            answer['classes'] = names
        return answer

    def draw(self, photo: Photo, sample: Any) -> np.ndarray:
        """Draw the page, the redrawn page, and the anomaly map."""
        row = pictures.reconstruction_row(
            photo.image, photo.name, sample, self.rule
        )
        return draw_sheet([row], str(self.rule), width=4)
