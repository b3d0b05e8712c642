"""What the detectors and reconstructors around an extractor share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.registry import MODELS


class StageModel(BaseModel):
    """A model that reads latents of an extractor, its own or a shared one.

    Args:
        extractor: ``mmocc.PatchLatentExtractor``, or its config; None if a
            model around it shares its own by :meth:`share_extractor`.
        data_preprocessor: The normalisation of the MAE's training; its type
            is mmpretrain's ``ClsDataPreprocessor`` unless it names another.
        init_cfg: As in any model.
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if isinstance(data_preprocessor, dict):
            default = dict(type='mmpretrain.ClsDataPreprocessor')
            data_preprocessor = default | data_preprocessor
        super().__init__(
            data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        if isinstance(extractor, dict):
            extractor = MODELS.build(extractor)
        self.extractor = extractor

    def share_extractor(self, extractor: nn.Module) -> None:
        """Use an extractor that another model owns and saves."""
        self._modules.pop('extractor', None)
        self.__dict__['extractor'] = extractor

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return a tensor, losses or samples, as other models do.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples, or None.
            mode: ``tensor``, ``loss`` or ``predict``; otherwise ValueError.

        Raises:
            ValueError: If there is no image, or, except for losses, one has
                values that are no numbers.
        """
        check_images(inputs, data_samples, mode)
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f'mode={mode!r} is none of tensor, loss, predict')
        return getattr(self, mode)(inputs, data_samples)

    @abstractmethod
    def tensor(
        self, inputs: Tensor, data_samples: list[DataSample] | None
    ) -> Tensor:
        """Return what the model gives in mode ``tensor``."""

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return the losses; RuntimeError if the model learns nothing."""
        raise RuntimeError(
            f'{type(self).__name__} has nothing to train: train the MAE in '
            'stage 1; mmocc.FitRadiusHook fits the radius of a detector in '
            'the training of another model'
        )


def check_images(
    inputs: Tensor, samples: Sequence[DataSample] | None, mode: str
) -> None:
    """Raise ValueError for an empty batch, or NaN and inf in an image.

    In training (``mode='loss'``) NaN and inf are left to the losses, which
    are watched, so that no device is waited for.
    """
    if not len(inputs):
        raise ValueError(
            f'a batch without an image: {tuple(inputs.shape)}; give (N, 3, H, '
            'W) with N of at least 1'
        )
    if mode == 'loss':
        return
    wrong = ~inputs.isfinite().flatten(1).all(dim=1)
    if wrong.any():
        first = int(wrong.int().argmax())
        name = f'image {first} of the batch'
        if samples and samples[first] is not None:
            name = samples[first].get('img_path') or name
        raise ValueError(
            f'{name}: has NaN or inf ({int(wrong.sum())} of {len(wrong)} '
            'images of the batch); look at the photo, at the steps that load '
            'it, and at mean and std of the data preprocessor'
        )


def sample_coverage(
    sample: DataSample, grid: tuple[int, int]
) -> Tensor | None:
    """Return the ``patch_coverage`` (L,) of a sample; None if it has none.

    ValueError if it is of another grid than (gh, gw).
    """
    coverage = sample.get('patch_coverage')
    if coverage is None:
        return None
    if tuple(coverage.shape) != tuple(grid):
        raise ValueError(
            f'{sample.get("img_path", "a sample")}: patch_coverage is '
            f'{tuple(coverage.shape)}, the model has {tuple(grid)} patches; '
            'give mmocc.PasteOcclusion the patch_size of the model, after all '
            'steps that change the size'
        )
    return torch.as_tensor(coverage).flatten()


def to_rgb(images: Tensor, preprocessor: nn.Module) -> Tensor:
    """Undo a normalisation: (N, 3, H, W) float32 RGB in 0 to 255."""
    images = images.float()
    if getattr(preprocessor, '_enable_normalize', False):
        images = images * preprocessor.std + preprocessor.mean
    if not getattr(preprocessor, 'to_rgb', False):
        images = images.flip(1)
    return images.clamp(0, 255)
