"""Class, map and box of the object on a photo."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from mmocc.apis.photo_inferencer import PhotoInferencer
from mmocc.apis.photos import Photo, PhotoPipeline
from mmocc.apis.samples import find_pipeline, network_inputs
from mmocc.utils.config_types import class_name
from mmocc.visualization import localization_pictures as pictures
from mmocc.visualization.class_activation import (
    activation_cells,
    check_method,
    class_activation,
    method_title,
)
from mmocc.visualization.receptive_field import set_cells
from mmocc.visualization.sheet import draw_sheet


class LocalizationInferencer(PhotoInferencer):
    """Where does a classifier see the object that it names?

    The map is that of ``mmocc.CAMHead``, or of a method of grad-cam for any
    other classifier. A prediction has ``name`` (the photo's), ``pred_label``,
    ``pred_class`` (with known classes), ``pred_score``, ``pred_scores``
    (classes,), ``map`` (h, w) float32, raw, at the resolution of the network's
    features, and ``boxes`` (k, 4) float32 xyxy in pixels of the photo; k is 0
    where the map has no peak.

    Args:
        *args: As in :class:`PhotoInferencer`.
        threshold: As in :func:`mmocc.evaluation.localization.map_to_boxes`.
        keep: As there.
        normalize: As there.
        method: One of :func:`class_activation`, such as ``gradcam``, in place
            of the head's own maps.
        **kwargs: As in :class:`PhotoInferencer`.

    Raises:
        ValueError: The test pipeline cuts or pads photos, so that boxes would
            be elsewhere; while running, if the head gives no map.
    """

    def __init__(
        self,
        *args: Any,
        threshold: float = 0.2,
        keep: str = 'largest',
        normalize: str = 'max',
        method: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.method = method and check_method(method)
        self.rule = pictures.BoxRule(threshold, keep, normalize)
        super().__init__(*args, **kwargs)

    def _init_pipeline(self, cfg: Config) -> PhotoPipeline:
        """Build what loads photos; ValueError if it does not keep them."""
        for step in find_pipeline(cfg):
            name = class_name(step['type'])
            if 'Crop' in name or 'Pad' in name:
                raise ValueError(
                    f'{cfg.filename}: {name} of the test pipeline changes '
                    'what is where, and boxes would be wrong: use one that '
                    'keeps the whole photo, such as Resize with two sides'
                )
        return super()._init_pipeline(cfg)

    def forward(self, inputs: Sequence[Photo], **kwargs: Any) -> list:
        """Return the predicted data samples of a batch, with ``pred_cam``."""
        for one in inputs:
            set_cells(self.model, tuple(one.packed['inputs'].shape[-2:]))
        samples = super().forward(inputs, **kwargs)
        if self.method:
            batch = network_inputs(self.model, [one.packed for one in inputs])
            labels = [int(sample.pred_label[0]) for sample in samples]
            maps = class_activation(self.model, batch, labels, self.method)
            size = tuple(batch.shape[-2:])
            cells = activation_cells(self.model, size, self.method)
            for sample, cam in zip(samples, maps, strict=True):
                sample.set_field(cam, 'pred_cam')
                sample.set_metainfo(dict(map_cells=cells))
        return samples

    def _answer(self, sample: Any) -> pictures.Answer:
        """Return the answer of a sample."""
        title = method_title(self.method) if self.method else 'map'
        return pictures.read_answer(sample, title, 'pred_cam', self.classes)

    def describe(self, photo: Photo, sample: Any) -> dict[str, Any]:
        """Return class, scores, map and boxes."""
        answer = self._answer(sample)
        cam = answer.cam
        boxes = pictures.find_boxes(
            cam, photo.image.shape[:2], self.rule, answer.cells
        )
        boxes = boxes.astype(np.float32)
        return dict(class_of(sample, self.classes), map=cam, boxes=boxes)

    def draw(self, photo: Photo, sample: Any) -> np.ndarray:
        """Draw the photo, its map, and its box."""
        row = pictures.localization_row(
            photo.image,
            photo.name,
            np.zeros((0, 4), np.float32),  # the truth is not known
            [self._answer(sample)],
            self.rule,
        )
        return draw_sheet([row], f'boxes: {self.rule}', width=3)


def class_of(sample: Any, classes: Sequence[str] | None) -> dict[str, Any]:
    """Return the predicted class of a data sample, and all probabilities."""
    label = int(sample.pred_label[0])
    scores = pictures.as_array(sample.pred_score)
    answer: dict[str, Any] = dict(
        pred_label=label, pred_score=float(scores[label]), pred_scores=scores
    )
    if classes is not None:
        answer['pred_class'] = pictures.class_name(label, classes)
    return answer
