"""Batch-wise Hide-and-Seek in mmpretrain's data preprocessor."""

from mmpretrain.models import ClsDataPreprocessor

from mmocc.registry import MODELS


@MODELS.register_module()
class HidingDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's data preprocessor, and then Hide-and-Seek, in training.

    In any mmpretrain config, the ``data_preprocessor`` (or ``model``'s) gets
    two lines, and all its other settings stay::

        data_preprocessor = dict(
            type='mmocc.HidingDataPreprocessor',
            hide=dict(type='mmocc.BatchHideAndSeek'))

    Mixup and CutMix of a config come before hiding. ``BatchHideAndSeek`` in
    ``train_cfg.augments`` would turn the labels into scores, need the number
    of classes, and hide padding as well.

    Args:
        *args: As in ``mmpretrain.ClsDataPreprocessor``.
        hide: Config of ``mmocc.BatchHideAndSeek``.
        **kwargs: As in ``mmpretrain.ClsDataPreprocessor``.

    Raises:
        ValueError: If there is no ``mean``: only in a normalised batch is 0
            the value that hides.
    """

    def __init__(
        self,
        *args,
        hide: dict = dict(type='mmocc.BatchHideAndSeek'),
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not self._enable_normalize:
            raise ValueError(
                'mmocc.HidingDataPreprocessor hides with 0, the mean of '
                'normalised batches: give it mean and std, or use '
                'mmocc.HideAndSeek in the pipeline'
            )
        self.hide = MODELS.build(hide)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch; in training, hide grid cells of its images."""
        # Before padding, so that padding stays as it is.
        sizes = [tuple(image.shape[-2:]) for image in data['inputs']]
        data = super().forward(data, training)
        if training:
            data['inputs'], _ = self.hide(data['inputs'], sizes=sizes)
        return data
