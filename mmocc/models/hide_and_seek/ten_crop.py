"""Test-time augmentation for class maps: ten crops, put together again."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseTTAModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmocc.models.hide_and_seek.cam_ensemble import CAMEnsemble
from mmocc.models.hide_and_seek.cam_head import CAMHead
from mmocc.registry import MODELS


def paste_crops(
    cams: Sequence[Tensor],
    boxes: Sequence[tuple[int, int, int, int]],
    flips: Sequence[bool],
    size: tuple[int, int],
) -> Tensor:
    """Put the maps of crops back at their places in the image.

    As ``mergeTenCrop.m`` of metalbubble/CAM does: a map is enlarged
    (bilinearly) to its crop, turned back if the crop was mirrored, and added;
    but here the sum is divided by the number of crops at each pixel, and
    signs are kept.

    Args:
        cams: (K, h, w) maps of each crop.
        boxes: Each crop in the image, xyxy in pixels, exclusive at the end.
        flips: Whether each crop was mirrored (left and right).
        size: (H, W) of the image.

    Returns:
        (K, H, W).

    Raises:
        ValueError: If there are pixels in no crop.
    """
    total = cams[0].new_zeros((len(cams[0]), *size))
    count = cams[0].new_zeros(size)
    for cam, (x1, y1, x2, y2), flip in zip(cams, boxes, flips, strict=True):
        whole = interpolate(
            cam.flip(-1)[None] if flip else cam[None],
            (y2 - y1, x2 - x1),
            mode='bilinear',
            align_corners=False,
        )
        total[:, y1:y2, x1:x2] += whole[0]
        count[y1:y2, x1:x2] += 1
    if not count.all():
        raise ValueError(
            f'the crops {[tuple(box) for box in boxes]} leave parts of the '
            f'{size[0]}x{size[1]} image (height x width) uncovered: resize it '
            'to less than twice the crop'
        )
    return total / count


@MODELS.register_module()
class TenCropTTA(BaseTTAModel):
    """Average class scores and class maps over the crops of an image.

    The test of Zhou et al., CVPR 2016 (``mergeTenCrop.m``) and, as reported,
    of Hide-and-Seek: four corners and the centre of 224 pixels out of 256,
    and their mirror images. The class of ``pred_cam`` is that of the averaged
    scores. Maps have the size of the image before cropping.

    Use it by ``tools/test.py --tta`` with ``configs/_base_/ten_crop.py``. The
    maps of all classes of all crops are kept until they are merged: for 1,000
    classes and 14x14 maps, 8 MB for each image of a batch.

    Args:
        module: A classifier with a ``mmocc.CAMHead``, or a
            ``mmocc.CAMEnsemble``; its ``maps`` say what is wanted.
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
        if not isinstance(source, CAMHead | CAMEnsemble):
            raise ValueError(
                'mmocc.TenCropTTA needs class maps: a classifier with a '
                'mmocc.CAMHead, or a mmocc.CAMEnsemble, not '
                f'{type(source).__name__}'
            )
        # Which class is predicted is not known before the scores of all
        # crops are.
        self.maps, source.maps = source.maps, ('all',)

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[DataSample]]
    ) -> list[DataSample]:
        """Merge the predictions of the crops of each image.

        Args:
            data_samples_list: For each image the samples of its crops, with
                ``cams``, ``pred_score`` and, packed by ``mmocc.FixedCrop``
                and RandomFlip, ``crop_box``, ``full_shape`` and ``flip``.
        """
        return [self._merge(samples) for samples in data_samples_list]

    def _merge(self, samples: Sequence[DataSample]) -> DataSample:
        """Return one sample for the crops of one image."""
        merged = samples[0].new()
        for name in ('cams', 'crop_box', 'full_shape', 'flip'):
            merged.pop(name)
        size = tuple(samples[0].full_shape)
        merged.set_metainfo(dict(img_shape=size))
        score = torch.stack([s.pred_score for s in samples]).mean(dim=0)
        merged.set_pred_score(score)
        merged.set_pred_label(score.argmax(dim=0, keepdim=True))
        classes = dict(pred_cam=merged.pred_label)
        if 'gt_label' in merged:
            classes['gt_cam'] = merged.gt_label
        boxes = [s.crop_box for s in samples]
        flips = [s.flip for s in samples]

        def paste(labels: Tensor | slice) -> Tensor:
            cams = [s.cams[labels] for s in samples]
            return paste_crops(cams, boxes, flips, size)

        for name, label in classes.items():
            if name.removesuffix('_cam') in self.maps:
                (cam,) = paste(label)
                merged.set_field(cam, name)
        if 'all' in self.maps:
            merged.cams = paste(slice(None))
        return merged
