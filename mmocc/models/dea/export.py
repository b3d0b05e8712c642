"""SSD and DEA as functions of a tensor, for ONNX: decoding and NMS included.

Nothing in here depends on data, except how many rows are kept: so a graph
that was traced with one image is right for all of its size.
"""

from pathlib import Path

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn
from torchvision.ops import nms

from mmocc.models.dea import ssd_losses
from mmocc.models.dea.regions import keep_inside
from mmocc.models.dea.ssd_iou_head import SSDIoUHead, prior_levels

OPSET = 17
DETECTIONS = ('boxes', 'scores', 'labels', 'level_inds')
SCORES_OUT = ('pearson', 'mse', 'ssim', 'confidence', 'zscore')


class ExportedDetector(nn.Module):
    """A detector with ``mmocc.SSDIoUHead``, or ``mmocc.DEA``, as a function.

    It takes one image (1, 3, H, W), 0 to 255, as the test pipeline packs it
    (BGR), of the size that it was made for. It returns, for n detections in
    falling order of ``scores``, ``boxes`` (n, 4) xyxy in pixels of the input,
    ``scores`` (n,), ``labels`` and ``level_inds`` (n,) int64; and for DEA
    ``recons`` (n, channels, s, s) and ``anomaly_scores`` (n,), as the model's
    own ``predict``.

    Args:
        model: In eval mode.
        size: (H, W) of the image.

    Raises:
        ValueError: If the head is another, its NMS is soft, boxes are not
            clipped to the image, or DEA's score cannot be exported.
    """

    def __init__(
        self, model: SingleStageDetector, size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.model = model.eval()
        self.size = tuple(size)
        head = getattr(model, 'bbox_head', None)
        if not isinstance(head, SSDIoUHead):
            raise ValueError(
                f'{type(head).__name__} cannot be exported here: use '
                'mmocc.SSDIoUHead as bbox_head'
            )
        kind = head.test_cfg.get('nms', {}).get('type', 'nms')
        if kind != 'nms' or not head.bbox_coder.clip_border:
            raise ValueError(
                f'test_cfg.nms.type is {kind!r} and clip_border '
                f'{head.bbox_coder.clip_border}: only the NMS "nms" of boxes '
                'that are clipped to the image can be exported'
            )
        self.redraws = hasattr(model, 'redraw_regions')
        score = getattr(getattr(model, 'judge', None), 'anomaly_score', None)
        if self.redraws and score not in SCORES_OUT:
            raise ValueError(
                f'the score {score!r} cannot be exported; set model.judge.'
                f'anomaly_score to one of {SCORES_OUT}'
            )

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of what :meth:`forward` returns."""
        more = ('recons', 'anomaly_scores') if self.redraws else ()
        return (*DETECTIONS, *more)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return what the class describes."""
        inputs = self.normalised(image)
        maps = self.model.extract_feat(inputs)
        found = detect(self.model.bbox_head, maps, self.size)
        if not self.redraws:
            return found
        boxes, scores, _, levels = found
        size = boxes.new_tensor(self.size[::-1])
        rois = torch.cat(
            [torch.zeros_like(boxes[:, :1]), keep_inside(boxes, size)], dim=1
        )
        objects = self.model.redraw_regions(maps, inputs, rois, levels, scores)
        judge = self.model.judge
        return (*found, objects.recons, judge(objects)[judge.anomaly_score])

    def normalised(self, image: Tensor) -> Tensor:
        """Return the image as the data preprocessor gives it."""
        prepare = self.model.data_preprocessor
        if getattr(prepare, '_channel_conversion', False):
            image = image.flip(1)
        if getattr(prepare, '_enable_normalize', False):
            image = (image - prepare.mean) / prepare.std
        return image


def detect(
    head: SSDIoUHead, maps: tuple[Tensor, ...], size: tuple[int, int]
) -> tuple[Tensor, ...]:
    """Return boxes, scores, labels and levels, as ``head.predict`` does.

    Args:
        head: With its ``test_cfg``.
        maps: Of one image, (1, C_l, H_l, W_l).
        size: (H, W) of the image, in pixels of the inputs.
    """
    cfg, classes = head.test_cfg, head.num_classes
    scores, deltas = head(maps)
    priors = head.prior_generator.grid_priors(
        [tuple(level.shape[-2:]) for level in scores], device=maps[0].device
    )
    most = cfg.get('nms_pre', -1)
    parts = []
    for number, _ in enumerate(prior_levels([len(p) for p in priors])):
        logits = ssd_losses.flatten_maps([scores[number]], classes + 1)[0]
        probs = logits.softmax(-1)[:, :classes].flatten()
        total = len(priors[number]) * classes
        values, index = probs.topk(min(most if most > 0 else total, total))
        rows = index.div(classes, rounding_mode='floor')
        delta = ssd_losses.flatten_maps([deltas[number]], 4)[0][rows]
        boxes = ssd_losses.decode(
            priors[number][rows],
            delta,
            head.delta_means,
            head.delta_stds,
            head.ctr_clamp,
        )
        labels, levels = index % classes, torch.full_like(index, number)
        parts.append((boxes, values, labels, levels))
    boxes, values, labels, levels = (
        torch.cat(column) for column in zip(*parts, strict=True)
    )
    limits = boxes.new_tensor([size[1], size[0]] * 2)
    boxes = torch.minimum(boxes.clamp_min(0), limits)
    side = boxes[:, 2:] - boxes[:, :2]
    keep = values > cfg.get('score_thr', 0)
    least = cfg.get('min_bbox_size', -1)
    if least >= 0:
        keep = keep & (side > least).all(1)
    rows = keep.nonzero()[:, 0]
    boxes, values, labels, levels = (
        column[rows] for column in (boxes, values, labels, levels)
    )
    own = cfg.get('nms', {})
    # Boxes of different classes lie apart, so that they do not meet.
    apart = 0 if own.get('class_agnostic', False) else max(size) + 1
    moved = boxes + (labels * apart).to(boxes)[:, None]
    best = nms(moved, values, own.get('iou_threshold', 0.45))
    best = best[: cfg.get('max_per_img', 100)]
    return boxes[best], values[best], labels[best], levels[best]


def export_onnx(
    model: SingleStageDetector,
    example: Tensor,
    path: str | Path,
) -> tuple[str, ...]:
    """Write a detector as an ONNX file; return the names of its outputs.

    Args:
        model: As in :class:`ExportedDetector`.
        example: An image (1, 3, H, W) in which something is found: the file
            is for images of its size.
        path: File to write.

    Raises:
        ValueError: If nothing is found in the example, regions are read with a
            fixed number of samples, or as there.
    """
    exported = ExportedDetector(model, tuple(example.shape[-2:]))
    extractor = getattr(model, 'roi_extractor', None)
    if any(
        layer.sampling_ratio > 0 for layer in getattr(extractor, 'layers', ())
    ):
        raise ValueError(
            'the RoiAlign of ONNX files takes as many samples as there are '
            'cells: set model.roi_extractor.sampling_ratio=0 (the config or '
            '--cfg-options), which changes features a little'
        )
    example = example.float()
    with torch.no_grad():
        boxes = exported(example)[0]
        if not len(boxes):
            raise ValueError(
                'nothing is found in the example image: give one with objects '
                'of the classes, or lower test_cfg.score_thr'
            )
        names = exported.output_names
        torch.onnx.export(
            exported,
            (example,),
            str(path),
            opset_version=OPSET,
            input_names=['image'],
            output_names=list(names),
            dynamic_axes={name: {0: 'objects'} for name in names},
            dynamo=False,
        )
    return names
