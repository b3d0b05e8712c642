"""Class maps of any classifier, by a method of grad-cam."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmocc.registry import MODELS
from mmocc.utils.hosts import require
from mmocc.visualization.class_activation import (
    activation_cells,
    check_method,
    class_activation,
)

MAPS = ('pred', 'gt')


@MODELS.register_module()
class MappedClassifier(BaseModel):
    """A classifier of mmpretrain whose samples get class maps in testing.

    So the maps of ViT, Swin and of any network without a ``mmocc.CAMHead``
    reach the metrics::

        model = dict(
            type='mmocc.MappedClassifier',
            method='layercam',
            model=dict(type='ImageClassifier', ...))

    Samples have ``pred_cam``, ``gt_cam`` and ``map_cells`` as from
    :class:`mmocc.models.CAMHead`; the checkpoint is the classifier's own.
    Each kind of map costs a forward and a backward pass for each batch.

    Args:
        model: Config of the classifier.
        method: As in
            :func:`mmocc.visualization.class_activation.class_activation`.
        layers: As there.
        maps: ``pred``, ``gt`` or both.
        data_preprocessor: The classifier's by default.

    Raises:
        ValueError: If a map or the method is unknown.
        ImportError: If the method needs grad-cam and it is missing.
    """

    def __init__(
        self,
        model: dict,
        method: str = 'gradcam',
        layers: Sequence[str] = (),
        maps: Sequence[str] = MAPS,
        data_preprocessor: dict | None = None,
    ) -> None:
        require('mmocc.MappedClassifier', 'mmpretrain.models')
        from mmpretrain.registry import MODELS as HOST_MODELS

        from mmocc.models.hide_and_seek.cam_head import check_maps

        maps = check_maps(maps, MAPS)
        if data_preprocessor is not None:
            # The type is left out where mmpretrain's classifiers imply it.
            default = dict(type='mmpretrain.ClsDataPreprocessor')
            data_preprocessor = {**default, **data_preprocessor}
        super().__init__(data_preprocessor=data_preprocessor)
        self.model = HOST_MODELS.build(model)
        if data_preprocessor is None:
            self.data_preprocessor = self.model.data_preprocessor
        self.method, self.layers = check_method(method), tuple(layers)
        self.maps = maps

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        """Take a checkpoint of the classifier alone, too."""
        own = [key for key in state_dict if key.startswith(prefix)]
        if not any(key.startswith(f'{prefix}model.') for key in own):
            for key in own:
                rest = key.removeprefix(prefix)
                if not rest.startswith('data_preprocessor.'):
                    state_dict[f'{prefix}model.{rest}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return what the classifier does; in testing, samples with maps.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples.
            mode: ``tensor``, ``loss`` or ``predict``.
        """
        result = self.model(inputs, data_samples, mode)
        if mode == 'predict':
            from mmocc.models.hide_and_seek.cam_head import add_maps

            size = tuple(inputs.shape[-2:])
            cells = activation_cells(
                self.model, size, self.method, self.layers
            )
            add_maps(
                result,
                self.maps,
                lambda labels: self.class_maps(inputs, labels),
                cells,
            )
        return result

    def class_maps(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the maps (N, h, w) of classes (N,), float32 on the CPU."""
        maps = class_activation(
            self.model, inputs, labels.tolist(), self.method, self.layers
        )
        return torch.from_numpy(maps)
