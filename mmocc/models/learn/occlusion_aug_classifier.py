"""Ordinary training on clean and occluded images: the control of LEARN."""

from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.learn.batch_occluder import add_twins, build_occluder
from mmocc.registry import MODELS


@MODELS.register_module()
class OcclusionAugClassifier(ImageClassifier):
    """Image classifier that trains on each image and on its occluded twin.

    All parts train, by the head's own loss: the use of the same occlusions
    without LEARN.

    Args:
        *args: As in ``mmpretrain.ImageClassifier``.
        occluder: As in ``mmocc.LEARNClassifier``.
        **kwargs: As in ``mmpretrain.ImageClassifier``.
    """

    def __init__(self, *args, occluder: dict = dict(), **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.occluder = build_occluder(occluder, self.data_preprocessor)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses on the clean and the occluded images."""
        both = add_twins(inputs, self.occluder, data_samples)
        return super().loss(both, [*data_samples, *data_samples])
