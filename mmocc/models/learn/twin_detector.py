"""Detectors of mmdet that train on each image and on its occluded twin."""

import copy
from functools import cache
from typing import Any

from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from torch import Tensor

from mmocc.models.learn.batch_occluder import add_twins, build_occluder
from mmocc.registry import MODELS


@cache
def joined(kind: type, detector: str | type) -> type:
    """Return a class of ours over a detector's, whose methods it extends.

    Args:
        kind: A subclass of :class:`TwinDetector`.
        detector: A detector's class, or its name in mmdet's registry.

    Raises:
        ValueError: If there is no such class, or it is neither a single-stage
            nor a two-stage detector.
    """
    base = detector
    if isinstance(detector, str):
        base = MMDET_MODELS.get(detector)
        if base is None:
            raise ValueError(
                f'mmocc.{kind.__name__}: mmdet has no detector={detector!r}; '
                "give the type that the detector's own config has, such as "
                "'RetinaNet'"
            )
    if not issubclass(base, SingleStageDetector | TwoStageDetector):
        raise ValueError(
            f'mmocc.{kind.__name__} works in the single-stage and two-stage '
            f'detectors of mmdet, but {base.__name__} is neither: it has '
            'parts between its maps and its answers that are not covered'
        )
    name = f'{kind.__name__}{base.__name__}'
    return type(name, (kind, base), {'__module__': kind.__module__})


class TwinDetector(BaseDetector):
    """Base: a detector that trains on twins, and is another class otherwise.

    Args:
        *args: As in the detector.
        detector: The detector's class, or its name in mmdet's registry: what
            the ``type`` was in its own config.
        occluder: Makes the occluded twins: ``mmocc.BatchObjectOccluder``,
            which needs no files: it hides 20 to 80 % of each object by white
            or noise, and also by textures and cut-outs once
            ``texture_bank`` and ``object_bank`` are set. A dict without
            ``type`` changes its options.
        **kwargs: As in the detector.
    """

    def __new__(
        cls, *args: Any, detector: str | type | None = None, **kwargs: Any
    ) -> 'TwinDetector':
        """Return an instance of this class joined with the detector's."""
        if detector is not None:
            cls = joined(cls, detector)
        elif not issubclass(cls, SingleStageDetector | TwoStageDetector):
            raise ValueError(
                f"mmocc.{cls.__name__} needs detector='...': the type that "
                "the detector's own config has, such as 'RetinaNet'"
            )
        return super().__new__(cls)

    def __init__(
        self,
        *args: Any,
        detector: str | type | None = None,
        occluder: dict = dict(),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if occluder is not None:
            occluder = {'type': 'mmocc.BatchObjectOccluder', **occluder}
        self.occluder = build_occluder(occluder, self.data_preprocessor)

    def twins(
        self, inputs: Tensor, data_samples: list[DetDataSample]
    ) -> tuple[Tensor, list[DetDataSample]]:
        """Return N images and then their occluded twins, and samples of all.

        Args:
            inputs: (N, C, H, W), normalised.
            data_samples: N samples; the twins get copies of them, because
                detectors may change them.
        """
        both = add_twins(inputs, self.occluder, data_samples)
        return both, [*data_samples, *copy.deepcopy(data_samples)]


@MODELS.register_module()
class OcclusionAugDetector(TwinDetector):
    """A detector that trains on each image and on its occluded twin.

    All parts train, by the detector's own losses: the control of
    ``mmocc.LEARNDetector``. Arguments are those of :class:`TwinDetector`.
    """

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> dict[str, Any]:
        """Return the detector's losses on clean and occluded images.

        Args:
            batch_inputs: (N, C, H, W), normalised.
            batch_data_samples: N samples with ``gt_instances``.
        """
        return super().loss(*self.twins(batch_inputs, batch_data_samples))
