"""Several trained models as one: their scores and class maps averaged."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmpretrain.registry import MODELS as HOST_MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmocc.models.hide_and_seek.cam_head import CAMHead, add_maps
from mmocc.registry import MODELS


@MODELS.register_module()
class CAMEnsemble(BaseModel):
    """Average class probabilities over models, and maps over some of them.

    Singh and Lee, "Hide-and-Seek", ICCV 2017, arXiv 1704.04232: the
    probabilities of AlexNet-GAP and of four AlexNet-HaS, the maps of these
    four alone. How the maps are weighed is not said; here they are averaged
    as they are, enlarged (bilinearly) to the largest one where models differ.

    ``tools/model_converters/join_checkpoints.py`` makes the checkpoint out of
    those of the models.

    Args:
        models: Configs of classifiers with a ``mmocc.CAMHead``.
        map_models: Which of them give the maps, by their place in
            ``models``; all by default.
        maps: As in ``mmocc.CAMHead``.
        data_preprocessor: One for all; the first model's by default.

    Raises:
        ValueError: If there are no models, one has no ``mmocc.CAMHead``,
            their classes differ in number, or a place in ``map_models`` does
            not exist.
    """

    def __init__(
        self,
        models: Sequence[dict],
        map_models: Sequence[int] | None = None,
        maps: Sequence[str] = ('pred', 'gt'),
        data_preprocessor: dict | None = None,
    ) -> None:
        if data_preprocessor is not None:
            # The type is left out where mmpretrain's classifiers imply it.
            default = dict(type='mmpretrain.ClsDataPreprocessor')
            data_preprocessor = {**default, **data_preprocessor}
        super().__init__(data_preprocessor=data_preprocessor)
        if not models:
            raise ValueError('mmocc.CAMEnsemble needs models')
        self.models = nn.ModuleList(HOST_MODELS.build(cfg) for cfg in models)
        heads = [getattr(model, 'head', None) for model in self.models]
        for number, head in enumerate(heads):
            if not isinstance(head, CAMHead):
                raise ValueError(
                    f'models[{number}] of mmocc.CAMEnsemble has the head '
                    f'{type(head).__name__}; it must be a mmocc.CAMHead'
                )
        classes = {head.num_classes for head in heads}
        if len(classes) != 1:
            raise ValueError(
                'mmocc.CAMEnsemble needs models of the same classes, got '
                f'num_classes {[head.num_classes for head in heads]}'
            )
        everyone = range(len(heads))
        chosen = everyone if map_models is None else map_models
        if not len(chosen) or set(chosen) - set(everyone):
            raise ValueError(
                f'map_models {list(chosen)} must be some of '
                f'{list(everyone)}, the places in models'
            )
        self.map_models = tuple(chosen)
        self.maps = tuple(maps)
        if data_preprocessor is None:
            self.data_preprocessor = self.models[0].data_preprocessor

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | list[DataSample]:
        """Return the (N, classes) probabilities, or predicted samples.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples.
            mode: ``tensor`` or ``predict``.

        Raises:
            ValueError: If ``mode`` is ``loss``: the models are trained one by
                one.
        """
        if mode not in ('tensor', 'predict'):
            raise ValueError(
                f'mmocc.CAMEnsemble has no mode {mode!r}: train its models '
                'one by one and join their checkpoints'
            )
        feats = [model.extract_feat(inputs) for model in self.models]
        scores = torch.stack(
            [
                model.head(feat).float().softmax(dim=1)
                for model, feat in zip(self.models, feats, strict=True)
            ]
        ).mean(dim=0)
        if mode == 'tensor':
            return scores
        samples = data_samples or [DataSample() for _ in scores]
        for sample, score in zip(samples, scores, strict=True):
            label = score.argmax(dim=0, keepdim=True)
            sample.set_pred_score(score).set_pred_label(label)
        add_maps(samples, self.maps, lambda y: self.class_maps(feats, y))
        return samples

    def class_maps(
        self, feats: list[tuple[Tensor, ...]], labels: Tensor | None = None
    ) -> Tensor:
        """Return the mean of the chosen models' class maps.

        Args:
            feats: Features of each model.
            labels: (N,) int64, the class for each image; None for all.

        Returns:
            (N, h, w), or (N, classes, h, w) for all classes; float32.
        """
        found = [
            self.models[i].head.class_maps(feats[i], labels)
            for i in self.map_models
        ]
        size = max((cams.shape[-2:] for cams in found), key=lambda s: s[0])
        if labels is not None:
            found = [cams[:, None] for cams in found]
        found = [
            interpolate(cams, size, mode='bilinear', align_corners=False)
            for cams in found
        ]
        mean = torch.stack(found).mean(dim=0)
        return mean if labels is None else mean[:, 0]
