"""Ordinary training on clean and occluded images: the control of LEARN."""

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.learn.training_parts import build_occluder
from mmocc.registry import MODELS


@MODELS.register_module()
class OcclusionAugClassifier(ImageClassifier):
    """Image classifier that trains on each image and on its occluded twin.

    All parts train, by the head's own loss: what one gets from the same
    occlusions without LEARN.

    Args:
        *args: As in ``mmpretrain.ImageClassifier``.
        occluder: Makes the occluded twins: ``mmocc.BatchOccluder``.
        **kwargs: As in ``mmpretrain.ImageClassifier``.
    """

    def __init__(self, *args, occluder: dict, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.occluder = build_occluder(occluder, self.data_preprocessor)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses on the clean and the occluded images."""
        both = torch.cat([inputs, inputs])
        self.occluder(both[len(inputs) :], inplace=True)
        return super().loss(both, [*data_samples, *data_samples])
