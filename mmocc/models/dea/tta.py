"""Test-time augmentation that keeps what DEA tells of each object."""

import torch
from mmcv.ops import batched_nms
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.structures import InstanceData
from torch import Tensor

from mmocc.registry import MODELS

AXES = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))
PICTURES = ('recons', 'errors')  # fields (n, ..., s, s) of objects


@MODELS.register_module()
class DEATTA(DetTTAModel):
    """``mmocc.DEA`` on an image and its mirror images.

    mmdet's own keeps boxes, scores and labels only. Here the detections that
    NMS leaves keep all their fields; boxes and pictures of mirror images are
    turned back. ``prior_inds`` are those of the image that was predicted.
    """

    def _merge_single_sample(
        self, data_samples: list[DetDataSample]
    ) -> DetDataSample:
        """Return the first sample, with the detections of all views."""
        first = data_samples[0]
        every = InstanceData.cat([turned_back(one) for one in data_samples])
        if len(every):
            _, keep = batched_nms(
                every.bboxes, every.scores, every.labels, self.tta_cfg.nms
            )
            every = every[keep[: self.tta_cfg.max_per_img]]
        first.pred_instances = every
        return first


def turned_back(sample: DetDataSample) -> InstanceData:
    """Return the detections of a view as if it had not been mirrored."""
    objects = sample.pred_instances
    if not sample.metainfo.get('flip'):
        return objects
    way = sample.metainfo['flip_direction']
    out = InstanceData(**dict(objects.items()))
    out.bboxes = bbox_flip(objects.bboxes, sample.ori_shape, way)
    for name in PICTURES:
        if name in objects:
            picture: Tensor = objects[name]
            out[name] = torch.flip(picture, AXES[way])
    return out
