"""What the models around a ``mmocc.PatchLatentExtractor`` have in common."""

from mmengine.model import BaseModel
from torch import nn

from mmocc.registry import MODELS


class StageModel(BaseModel):
    """A model that reads latents of an extractor, its own or another's.

    Args:
        extractor: ``mmocc.PatchLatentExtractor``, or its config; None if a
            model around it shares its own by :meth:`share_extractor`.
        data_preprocessor: That of the MAE's training; its type is
            mmpretrain's ``ClsDataPreprocessor`` if none is given.
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
        """Use an extractor that belongs to, and is saved with, another."""
        self._modules.pop('extractor', None)
        self.__dict__['extractor'] = extractor
