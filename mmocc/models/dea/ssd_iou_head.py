"""SSD's head with any box loss, and boxes that know their prior.

mmdet's ``SSDHead`` (arXiv 1512.02325) always uses smooth-L1 and cannot
predict. This one computes the config's loss for a whole batch at once.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import SSDHead
from mmdet.models.task_modules import (
    BboxOverlaps2D,
    DeltaXYWHBBoxCoder,
    MaxIoUAssigner,
    PseudoSampler,
)
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from mmdet.models.utils import filter_scores_and_topk
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmocc.models.dea import ssd_losses
from mmocc.registry import MODELS

InstanceList = Sequence[InstanceData]


def prior_levels(num_level_priors: Sequence[int]) -> list[range]:
    """Return the indices of each map's priors, in the list of all priors."""
    ends = accumulate(num_level_priors)
    return [
        range(end - num, end)
        for num, end in zip(num_level_priors, ends, strict=True)
    ]


@MODELS.register_module()
class SSDIoUHead(SSDHead):
    """SSD's head, for deltas or decoded boxes.

    With the default loss its values are those of mmdet's ``SSDHead``, except
    that images without objects teach the background. Ground truth that is
    empty, not finite or wholly outside the input is refused on a CPU; on
    another device, where a check would make the host wait, it is left out and
    counted in the log (``num_bad_boxes``). Predictions have two more fields:
    ``prior_inds`` (int64, index among the priors of all levels) and
    ``level_inds`` (int64, 0 = the first map).

    Args:
        args: Of mmdet's ``SSDHead``.
        loss_bbox: Config of the loss of boxes; by default smooth-L1 with
            ``train_cfg['smoothl1_beta']``. It is called with
            ``reduction_override='none'``, and its sum is divided by the
            number of positives; an image without any counts as one.
        min_negatives: Negatives of an image without positives.
        kwargs: Of mmdet's ``SSDHead``.

    Raises:
        ValueError: If an IoU loss is given without ``reg_decoded_bbox``, or
            assigner, sampler or coder are not those of SSD.
    """

    tells_levels = True  # of predictions, by ``level_inds``

    def __init__(
        self,
        *args,
        loss_bbox: dict | None = None,
        min_negatives: int = 3,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        beta = (self.train_cfg or {}).get('smoothl1_beta', 1.0)
        default = dict(type='mmdet.SmoothL1Loss', beta=beta)
        self.loss_bbox = MODELS.build(loss_bbox or default)
        self.min_negatives = min_negatives
        self._check_parts()
        means = torch.tensor(self.bbox_coder.means, dtype=torch.float32)
        stds = torch.tensor(self.bbox_coder.stds, dtype=torch.float32)
        self.register_buffer('delta_means', means, persistent=False)
        self.register_buffer('delta_stds', stds, persistent=False)
        self._priors = (None, None)

    @property
    def ctr_clamp(self) -> float | None:
        """The most pixels that a decoded centre moves; None for any."""
        coder = self.bbox_coder
        return coder.ctr_clamp if coder.add_ctr_clamp else None

    def _check_parts(self) -> None:
        name = type(self.loss_bbox).__name__
        if 'iou' in name.lower() and not self.reg_decoded_bbox:
            raise ValueError(
                f'{name} compares boxes, but would get deltas: set '
                'reg_decoded_bbox=True in bbox_head'
            )
        parts = [('bbox_coder', self.bbox_coder, DeltaXYWHBBoxCoder)]
        if self.train_cfg:
            calculator = getattr(self.assigner, 'iou_calculator', None)
            parts += [
                ('assigner', self.assigner, MaxIoUAssigner),
                ('iou_calculator', calculator, BboxOverlaps2D),
                ('sampler', self.sampler, PseudoSampler),
            ]
        for key, part, needed in parts:
            if type(part) is not needed:
                raise ValueError(
                    f'{key} is {type(part).__name__}, but SSDIoUHead does the '
                    f'work of {needed.__name__} itself: set that'
                )

    def all_priors(
        self, sizes: Sequence[torch.Size], device: torch.device
    ) -> Tensor:
        """Return the (N, 4) priors of maps of these sizes, all levels."""
        key = (tuple(sizes), device)
        if self._priors[0] != key:  # they are copied to the device once
            priors = self.prior_generator.grid_priors(sizes, device=device)
            priors = torch.cat([get_box_tensor(level) for level in priors])
            self._priors = (key, priors)
        return self._priors[1]

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: Sequence[InstanceData | None] | None = None,
    ) -> dict[str, Tensor]:
        """Return ``loss_cls`` and ``loss_bbox`` of a batch of B images.

        The arguments are mmdet's; boxes are xyxy in pixels of the network's
        input. Those to ignore are neither object nor background. On a CPU,
        ground truth of no use is a ValueError; elsewhere it is counted in
        ``num_bad_boxes``.
        """
        device = cls_scores[0].device
        with torch.autocast(device.type, enabled=False):
            sizes = [level.shape[-2:] for level in cls_scores]
            priors = self.all_priors(sizes, device)
            blocked = self._outside(sizes, priors, batch_img_metas)
            if batch_gt_instances_ignore is not None:
                blocked |= self._ignored(batch_gt_instances_ignore, priors)
            gts = [get_box_tensor(gt.bboxes) for gt in batch_gt_instances]
            boxes, real = ssd_losses.pad_boxes(gts)
            bad = ssd_losses.find_bad_boxes(boxes, real, batch_img_metas)
            counts = [len(gt) for gt in gts]
            assigned = ssd_losses.assign(
                boxes, real & ~bad, counts, priors, blocked, self.assigner
            )
            labels = pad_sequence(
                [gt.labels for gt in batch_gt_instances], batch_first=True
            )
            # One column more, for a batch without any object.
            labels, boxes = F.pad(labels, (0, 1)), F.pad(boxes, (0, 0, 0, 1))
            pos_weight = self.train_cfg['pos_weight']
            loss_cls = ssd_losses.classification_loss(
                cls_scores,
                self.num_classes,
                assigned,
                labels,
                self.train_cfg['neg_pos_ratio'],
                self.min_negatives,
                pos_weight if pos_weight > 0 else 1.0,
            )
            loss_bbox = ssd_losses.box_loss(
                bbox_preds,
                assigned,
                boxes,
                priors,
                (self.delta_means, self.delta_stds),
                self.loss_bbox,
                self.reg_decoded_bbox,
                self.ctr_clamp,
            )
            # As mmdet counts: at least one for each image.
            positives = (assigned > 0).sum(dim=1).clamp(min=1).sum()
            losses = dict(loss_cls=loss_cls, loss_bbox=loss_bbox)
            losses = {k: loss / positives for k, loss in losses.items()}
        if device.type != 'cpu':
            losses['num_bad_boxes'] = bad.sum().float()
        return losses

    def _outside(
        self, sizes: Sequence[torch.Size], priors: Tensor, metas: list[dict]
    ) -> Tensor:
        """Return the (B, N) mask of priors outside their image."""
        shapes = [
            (tuple(meta['pad_shape'][:2]), tuple(meta['img_shape'][:2]))
            for meta in metas
        ]
        outside = {}
        for pad, image in set(shapes):
            valid = self.prior_generator.valid_flags(sizes, pad, priors.device)
            outside[pad, image] = ~anchor_inside_flags(
                priors,
                torch.cat(valid),
                image,
                self.train_cfg['allowed_border'],
            )
        return torch.stack([outside[shape] for shape in shapes])

    def _ignored(
        self, ignored: Sequence[InstanceData | None], priors: Tensor
    ) -> Tensor:
        """Return the (B, N) mask of priors in boxes to ignore."""
        boxes = [
            priors[:0] if part is None else get_box_tensor(part.bboxes)
            for part in ignored
        ]
        return ssd_losses.find_ignored(
            ssd_losses.pad_boxes(boxes)[0], priors, self.assigner
        )

    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        *args,
        **kwargs,
    ) -> list[InstanceData]:
        """Return mmdet's results, decoded in float32 or more, and priors."""
        maps = (
            [ssd_losses.wide(m) for m in part]
            for part in (cls_scores, bbox_preds)
        )
        return super().predict_by_feat(*maps, *args, **kwargs)

    def _predict_by_feat_single(
        self,
        cls_score_list: list[Tensor],
        bbox_pred_list: list[Tensor],
        score_factor_list: list[None],
        mlvl_priors: list[Tensor],
        img_meta: dict,
        cfg: dict | None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceData:
        cfg = self.test_cfg if cfg is None else cfg
        most = cfg.get('nms_pre', -1)
        levels = prior_levels([len(priors) for priors in mlvl_priors])
        results = []
        for number, level in enumerate(levels):
            (delta,) = ssd_losses.flatten_maps(
                [bbox_pred_list[number][None]], 4
            )
            (logits,) = ssd_losses.flatten_maps(
                [cls_score_list[number][None]], self.cls_out_channels
            )
            probs = logits.softmax(-1)
            scores, labels, chosen, _ = filter_scores_and_topk(
                probs[:, :-1],
                cfg.get('score_thr', 0),
                most if most > 0 else probs.numel(),
            )
            bboxes = self.bbox_coder.decode(
                mlvl_priors[number][chosen],
                delta[chosen],
                max_shape=img_meta['img_shape'],
            )
            results.append(
                InstanceData(
                    bboxes=bboxes,
                    scores=scores,
                    labels=labels,
                    prior_inds=chosen + level.start,
                    level_inds=torch.full_like(chosen, number),
                )
            )
        # Thresholds, NMS and top-k pick rows of all fields.
        return self._bbox_post_process(
            InstanceData.cat(results), cfg, rescale, with_nms, img_meta
        )
