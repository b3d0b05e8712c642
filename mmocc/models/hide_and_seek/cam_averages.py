"""Class scores and maps averaged over several models, or over ten crops."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel, BaseTTAModel
from mmpretrain.registry import MODELS as HOST_MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmocc.models.hide_and_seek.cam_head import CAMHead, add_maps
from mmocc.models.hide_and_seek.ts_cam import TSCAMHead
from mmocc.registry import MODELS
from mmocc.utils.cell_grid import CellGrid, cell_weights


@MODELS.register_module()
class CAMEnsemble(BaseModel):
    """Average class probabilities over models, and maps over some of them.

    Singh and Lee, "Hide-and-Seek", ICCV 2017, arXiv 1704.04232: the
    probabilities of AlexNet-GAP and of four AlexNet-HaS, the maps of these
    four alone. The paper does not say how it weights the maps; here they are
    averaged as they are, enlarged (bilinearly) to the largest one where
    models differ.

    ``tools/model_converters/join_checkpoints.py`` joins the checkpoints of
    the models.

    Args:
        models: Configs of classifiers with a ``mmocc.CAMHead``.
        map_models: Which of them give the maps, by their place in
            ``models``; all by default.
        maps: As in ``mmocc.CAMHead``.
        data_preprocessor: One for all; the first model's by default.

    Raises:
        ValueError: If the models do not fit together.
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
        classes = [head.num_classes for head in heads]
        if len(set(classes)) != 1:
            raise ValueError(
                'mmocc.CAMEnsemble needs models of the same classes, got '
                f'num_classes {classes}'
            )
        places = range(len(heads))
        self.map_models = tuple(places if map_models is None else map_models)
        if not self.map_models or set(self.map_models) - set(places):
            raise ValueError(
                f'map_models {list(map_models)} must be some of '
                f'{list(places)}, the places in models'
            )
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
            mode: ``tensor`` or ``predict``; it has no ``loss``.
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
        add_maps(
            samples,
            self.maps,
            lambda labels: self.class_maps(feats, labels),
            self.cells(),
        )
        return samples

    def cells(self) -> CellGrid | None:
        """Return where the maps' cells lie; None if it is not one grid."""
        grids = {self.models[i].head.cells for i in self.map_models}
        return grids.pop() if len(grids) == 1 else None

    def class_maps(
        self, feats: list[tuple[Tensor, ...]], labels: Tensor | None = None
    ) -> Tensor:
        """Return the mean of the chosen models' maps; see ``CAMHead``."""
        maps = [
            self.models[i].head.class_maps(feats[i], labels)
            for i in self.map_models
        ]
        size = max((cams.shape[-2:] for cams in maps), key=lambda s: s[0])
        if labels is not None:
            maps = [cams[:, None] for cams in maps]
        maps = [
            interpolate(cams, size, mode='bilinear', align_corners=False)
            for cams in maps
        ]
        mean = torch.stack(maps).mean(dim=0)
        return mean if labels is None else mean[:, 0]


def paste_crops(
    cams: Sequence[Tensor],
    boxes: Sequence[tuple[int, int, int, int]],
    flips: Sequence[bool],
    size: tuple[int, int],
    cells: CellGrid | None = None,
) -> Tensor:
    """Put the maps of crops back at their places in the image.

    As ``mergeTenCrop.m`` of metalbubble/CAM: a map is enlarged (bilinearly)
    to its crop, mirrored back if the crop was mirrored, and added. Here the
    sum is divided by the number of crops at each pixel, and signs stay.

    Args:
        cams: (K, h, w) maps of each crop.
        boxes: Each crop in the image, xyxy in pixels, exclusive at the end.
        flips: Whether each crop was mirrored (left and right).
        size: (H, W) of the image.
        cells: Where the maps' cells lie in a crop: then maps are enlarged by
            :func:`mmocc.utils.cell_grid.place_map`. By default they
            cover it evenly.

    Returns:
        (K, H, W).

    Raises:
        ValueError: If there are pixels in no crop.
    """
    total = cams[0].new_zeros((len(cams[0]), *size))
    count = cams[0].new_zeros(size)
    for cam, (x1, y1, x2, y2), flip in zip(cams, boxes, flips, strict=True):
        whole = _enlarge(cam, (y2 - y1, x2 - x1), cells)
        # After that: a mirrored crop's cells lie as in any other.
        total[:, y1:y2, x1:x2] += whole.flip(-1) if flip else whole
        count[y1:y2, x1:x2] += 1
    if not count.all():
        raise ValueError(
            f'the crops {[tuple(box) for box in boxes]} leave parts of the '
            f'{size[0]}x{size[1]} image (height x width) uncovered: resize it '
            'to less than twice the crop'
        )
    return total / count


def _enlarge(
    cams: Tensor, size: tuple[int, int], cells: CellGrid | None
) -> Tensor:
    """Return maps (K, h, w) enlarged to a crop."""
    if cells is None:
        return interpolate(
            cams[None], size, mode='bilinear', align_corners=False
        )[0]
    places = zip(*cells, cams.shape[1:], size, strict=True)
    rows, columns = (cams.new_tensor(cell_weights(*line)) for line in places)
    return rows @ cams @ columns.T


@MODELS.register_module()
class TenCropTTA(BaseTTAModel):
    """Average class scores and class maps over the crops of an image.

    The test of Zhou et al., CVPR 2016 (``mergeTenCrop.m``) and, as reported,
    of Hide-and-Seek: four corners and the centre of 224 pixels out of 256,
    and their mirror images. The class of ``pred_cam`` is that of the averaged
    scores. Maps have the size of the image before cropping. Where
    ``mmocc.MapCellsHook`` has found the place of the maps' cells, they are
    drawn there, and metrics of either alignment see the same map.

    ``tools/test.py --tta`` uses it with ``configs/_base_/ten_crop.py``. It
    holds the maps of all classes of all crops until they are merged: for
    1,000 classes and 14x14 maps, 8 MB for each image of a batch.

    Args:
        module: A classifier with a ``mmocc.CAMHead``, ``mmocc.SPGHead`` or
            ``mmocc.TSCAMHead``, or a ``mmocc.CAMEnsemble``; its ``maps`` name
            the maps to give.
        data_preprocessor: For a module that has none.

    Raises:
        ValueError: If the module gives no class maps.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        source = getattr(self.module, 'head', self.module)
        if not isinstance(source, CAMHead | TSCAMHead | CAMEnsemble):
            raise ValueError(
                'mmocc.TenCropTTA needs class maps: a classifier with a '
                'mmocc.CAMHead, or a mmocc.CAMEnsemble, not '
                f'{type(source).__name__}'
            )
        # Only the scores of all crops decide which class is predicted.
        self.maps, source.maps = source.maps, ('all',)

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[DataSample]]
    ) -> list[DataSample]:
        """Return one sample for the samples of each image's crops.

        These have ``cams``, ``pred_score`` and, from ``mmocc.FixedCrop`` and
        RandomFlip, ``crop_box``, ``full_shape`` and ``flip``.
        """
        return [self._merge(samples) for samples in data_samples_list]

    def _merge(self, samples: Sequence[DataSample]) -> DataSample:
        """Return one sample for the crops of one image."""
        merged = samples[0].new()
        for name in ('cams', 'crop_box', 'full_shape', 'flip'):
            merged.pop(name)
        size = tuple(samples[0].full_shape)
        cells = samples[0].get('map_cells')
        merged.set_metainfo(dict(img_shape=size))
        if cells is not None:
            merged.set_metainfo(dict(map_cells=tuple(CellGrid.even(size))))
        score = torch.stack([s.pred_score for s in samples]).mean(dim=0)
        merged.set_pred_score(score)
        merged.set_pred_label(score.argmax(dim=0, keepdim=True))
        classes = dict(pred=merged.pred_label)
        if 'gt_label' in merged:
            classes['gt'] = merged.gt_label
        boxes = [s.crop_box for s in samples]
        flips = [s.flip for s in samples]

        def paste(labels: Tensor | slice) -> Tensor:
            cams = [s.cams[labels] for s in samples]
            return paste_crops(cams, boxes, flips, size, cells)

        for name, label in classes.items():
            if name in self.maps:
                (cam,) = paste(label)
                merged.set_field(cam, f'{name}_cam')
        if 'all' in self.maps:
            merged.cams = paste(slice(None))
        return merged
