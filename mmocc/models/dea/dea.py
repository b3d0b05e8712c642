r"""DEA: a detector that redraws each object.

Khan, Emonet, Fournel, *Vignette detection and reconstruction of composed
ornaments with a strengthened autoencoder*, HAL hal-03409930 (the paper calls
the model DAE; its web page, DEA).

    page -> backbone, neck -> maps -> SSD head -> boxes, each with its map
                               |                           |
                               +-> RoIAlign from that map <+
                                             |
                                          decoder -> redrawing \
    page -> crop at the box ---------------------> picture ------> score

The authors' code differs from the paper (it reads image 0's features for
every image of a batch, and one object for each class); this follows the
paper. Where that is open, a training object's map is that of a random one of
the priors matched to it, and pictures are cut from the network's input.
"""

import logging
from collections.abc import Iterable, Sequence

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmocc.models.dea.anomaly_judge import AnomalyJudge, Redrawing, fit_judge
from mmocc.models.dea.anomaly_scores import pearson
from mmocc.models.dea.exporting import is_exporting
from mmocc.models.dea.map_memory import MapMemory, is_frozen
from mmocc.models.dea.prior_level_roi_extractor import check_rois
from mmocc.models.dea.regions import (
    check_truth,
    crop_regions,
    draw_levels,
    jitter_boxes,
    keep_inside,
    rescale_results,
    size_per_box,
    to_pictures,
)
from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random

PARTS = ('backbone', 'neck', 'bbox_head')


@MODELS.register_module()
class DEA(SingleStageDetector):
    """Single-stage detector that redraws objects and finds anomalous ones.

    In training the decoder redraws ground-truth boxes; ``loss_rec`` is added
    to the detector's losses, or is the only one if the detector is frozen.
    Predicted instances have, besides mmdet's fields and ``level_inds``,

    * ``recons`` (n, channels, s, s) float32 in [0, 1], RGB if coloured, and
      ``errors`` (n, s, s), their mean absolute difference from the page, or
      with the score ``feature`` the distances of features, 0 to 2,
    * ``score_NAME`` (n,) for each of ``judge.scores``, and ``anomaly_scores``
      (n,), the one that decides; float32, higher if more anomalous,
    * ``is_anomaly`` (n,) bool, if the judge knows normal objects.

    Args:
        roi_extractor: ``mmocc.PriorLevelRoIExtractor``.
        decoder: ``mmocc.FCDecoder`` or ``mmocc.ConvDecoder``.
        frozen_detector: Train the extractor's convolutions and the decoder
            only, as the paper does; the detector comes from ``load_from`` and
            stays in eval mode. Else all are trained together.
        jitter: Each side of a training box moves by at most this share of the
            box's side; below 0.5.
        feature_decoder: ``mmocc.FeatureDecoder``, beyond the paper; adds the
            score ``feature`` and ``loss_feat``. Backbone and neck must be
            frozen, so that their features do not become easy to redraw.
        map_memory_gib: Keep up to so much of the maps of training images in
            memory, in float16, so that a frozen backbone and neck compute
            each once; 0 keeps none. It is of use without random transforms.
        judge: Arguments of
            :class:`mmocc.models.dea.anomaly_judge.AnomalyJudge`. Scores that
            compare with normal objects need ``mmocc.AnomalyReferenceHook``.
        kwargs: Of mmdet's SingleStageDetector. The results of ``bbox_head``
            must tell the map of each box: ``mmocc.SSDIoUHead``.

    Raises:
        ValueError: If options are unknown or parts do not fit; when a
            checkpoint without the frozen detector is loaded; in training, if
            a ground-truth box has no pixel.
    """

    tta_type = 'mmocc.DEATTA'  # for test-time augmentation

    def __init__(
        self,
        roi_extractor: dict,
        decoder: dict,
        frozen_detector: bool = True,
        jitter: float = 0.1,
        judge: dict | None = None,
        feature_decoder: dict | None = None,
        map_memory_gib: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= jitter < 0.5:
            raise ValueError(f'jitter must be in [0, 0.5), got {jitter}')
        self.roi_extractor = MODELS.build(roi_extractor)
        self.decoder = MODELS.build(decoder)
        self.judge = AnomalyJudge(**judge or {})
        self.feature_decoder = (
            MODELS.build(feature_decoder) if feature_decoder else None
        )
        self.frozen_detector = frozen_detector
        self.jitter = jitter
        self.map_memory = MapMemory(map_memory_gib) if map_memory_gib else None
        self._check_head()
        self._check_fit()
        if frozen_detector:
            for part in self.detector_parts:
                part.requires_grad_(False)
        self.detector_loaded = False
        self.train(self.training)
        self._check_features()

    def _check_head(self) -> None:
        """Raise ValueError if detections do not tell the map of each."""
        if not getattr(self.bbox_head, 'tells_levels', False):
            raise ValueError(
                f'bbox_head is {type(self.bbox_head).__name__}, whose results '
                'do not tell which map predicted each box: use '
                'mmocc.SSDIoUHead as bbox_head'
            )

    def _check_fit(self) -> None:
        """Raise ValueError if extractor and decoder do not fit."""
        for mine, theirs in (
            ('in_channels', 'out_channels'),
            ('roi_size', 'output_size'),
        ):
            wanted = getattr(self.decoder, mine, None)
            actual = getattr(self.roi_extractor, theirs)
            if wanted not in (None, actual):
                raise ValueError(
                    f'decoder.{mine}={wanted} does not fit roi_extractor.'
                    f'{theirs}={actual}: give both the same value'
                )

    def _check_features(self) -> None:
        """Raise ValueError if features cannot be redrawn, or are trained."""
        if self.feature_decoder is None:
            if 'feature' in self.judge.single:
                raise ValueError(
                    "judge.scores names 'feature': give feature_decoder=dict("
                    "type='mmocc.FeatureDecoder', ...), too"
                )
            return
        for part in self.trunk:
            if any(p.requires_grad for p in part.parameters()):
                raise ValueError(
                    'feature_decoder needs a frozen trunk: set '
                    'frozen_detector=True, or frozen_stages of the backbone '
                    'to all of them, without a neck'
                )

    @property
    def detector_parts(self) -> list[nn.Module]:
        """The parts of the detector itself."""
        return [getattr(self, name) for name in PARTS if hasattr(self, name)]

    @property
    def trunk(self) -> list[nn.Module]:
        """The parts that compute the maps: backbone and neck."""
        return self.detector_parts[:-1]

    def train(self, mode: bool = True) -> 'DEA':
        """Set the mode; a frozen detector stays in eval mode."""
        super().train(mode)
        if getattr(self, 'frozen_detector', False):
            for part in self.detector_parts:
                part.train(False)
        return self

    def pictures(self, inputs: Tensor) -> Tensor:
        """Return normalised inputs as pictures (B, channels, H, W), 0 to 1."""
        prepare = self.data_preprocessor
        normal = {}
        if getattr(prepare, '_enable_normalize', False):
            normal = dict(mean=prepare.mean, std=prepare.std)
        # mm's loaders give BGR, so converted images are RGB.
        is_rgb = getattr(prepare, '_channel_conversion', False)
        return to_pictures(inputs, self.decoder.channels, is_rgb, **normal)

    def redraw(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures and latents of RoI features (n, C, k, k)."""
        decoder = self.decoder
        latents = regions.mean(dim=(2, 3))
        if is_exporting():
            return decoder(regions), latents
        total = len(regions)
        step = decoder.at_once if regions.is_cuda else decoder.at_once_cpu
        recons = regions.new_empty(
            total, decoder.channels, decoder.size, decoder.size
        )
        for i in range(0, max(total, 1), step):
            recons[i : i + step] = decoder(regions[i : i + step])
        return recons, latents

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Return the losses of a batch.

        ``loss_rec``; the mean ``pearson`` of redrawings and pictures, for the
        log; and the head's losses, unless it is frozen.
        """
        self._warn_if_random()
        feats = self.training_maps(batch_inputs)
        losses = {}
        if not self.frozen_detector:
            losses = dict(self.bbox_head.loss(feats, batch_data_samples))
        rois = self.training_regions(batch_data_samples)
        priors = self.bbox_head.prior_generator.grid_priors(
            [feat.shape[-2:] for feat in feats], device=rois.device
        )
        limit = self.bbox_head.assigner.pos_iou_thr
        levels = draw_levels(rois[:, 1:], priors, limit)
        regions = self.roi_extractor(feats, rois, levels)
        recons, _ = self.redraw(regions)
        pictures = crop_regions(
            self.pictures(batch_inputs), rois, self.decoder.size
        )
        if self.feature_decoder is not None:
            losses['loss_feat'] = self.feature_decoder.loss(
                self.feature_decoder(regions),
                self.feature_decoder.targets(feats, rois),
            )
        losses['loss_rec'] = self.decoder.loss(recons, pictures)
        alike = pearson(recons.detach(), pictures)
        losses['pearson'] = alike.sum() / max(len(alike), 1)
        return losses

    def training_maps(self, inputs: Tensor) -> Sequence[Tensor]:
        """Return the maps of training images, from memory if it has them."""
        if self.map_memory and not is_frozen(self.trunk):
            self.map_memory = None
            print_log(
                'mmocc.DEA: backbone and neck are trained, so map_memory_gib '
                'has no effect: their maps are computed in each step',
                logger='current',
                level=logging.WARNING,
            )
        if self.map_memory:
            return self.map_memory(self.extract_feat, inputs, self.trunk)
        grads = torch.is_grad_enabled() and not self.frozen_detector
        with torch.set_grad_enabled(grads):
            return self.extract_feat(inputs)

    def training_regions(self, samples: SampleList) -> Tensor:
        """Return the (n, 5) ground-truth regions of a batch, jittered."""
        boxes = [
            get_box_tensor(sample.gt_instances.bboxes).float()
            for sample in samples
        ]
        rois = bbox2roi(boxes)
        size = size_per_box(samples, boxes)
        paths = [sample.get('img_path') for sample in samples]
        check_truth(rois, size, paths)
        moved = jitter_boxes(rois[:, 1:], self.jitter)
        return torch.cat([rois[:, :1], keep_inside(moved, size)], dim=1)

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Return the samples with ``pred_instances``, redrawn and judged.

        With ``rescale``, boxes are in pixels of the original image.
        """
        results, objects = self.redraw_results(
            batch_inputs, batch_data_samples
        )
        scores = self.judge(objects)
        fields = {f'score_{name}': value for name, value in scores.items()}
        fields['recons'] = objects.recons
        errors = (objects.recons - objects.pictures).abs_()
        # The mean over one channel would take three times as long as errors.
        grey = errors.shape[1] == 1
        fields['errors'] = errors[:, 0] if grey else errors.mean(1)
        if self.judge.anomaly_score == 'feature':
            fields['errors'] = objects.distances
        fields['anomaly_scores'] = scores[self.judge.anomaly_score]
        if self.judge.fitted:
            limit = self.judge.threshold()
            fields['is_anomaly'] = fields['anomaly_scores'] > limit
        counts = [len(result) for result in results]
        for name, values in fields.items():
            parts = values.split(counts)
            for result, part in zip(results, parts, strict=True):
                # A view would keep, and write, the whole batch.
                result.set_field(part.clone(), name)
        if rescale:
            rescale_results(results, batch_data_samples)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def redraw_results(
        self, inputs: Tensor, samples: SampleList
    ) -> tuple[list[InstanceData], Redrawing]:
        """Return the detector's results in pixels of the inputs, redrawn."""
        feats = self.extract_feat(inputs)
        results = self.bbox_head.predict(feats, samples, rescale=False)
        boxes = [get_box_tensor(result.bboxes).float() for result in results]
        rois = bbox2roi(boxes)
        check_rois(rois, len(inputs))
        inside = keep_inside(rois[:, 1:], size_per_box(samples, boxes))
        rois = torch.cat([rois[:, :1], inside], dim=1)
        levels = torch.cat([result.level_inds for result in results])
        confidence = torch.cat([result.scores for result in results])
        return results, self.redraw_regions(
            feats, inputs, rois, levels, confidence
        )

    def redraw_regions(
        self,
        feats: Sequence[Tensor],
        inputs: Tensor,
        rois: Tensor,
        levels: Tensor,
        confidence: Tensor,
    ) -> Redrawing:
        """Return regions (n, 5) of the inputs, redrawn and as they are."""
        regions = self.roi_extractor(feats, rois, levels)
        recons, latents = self.redraw(regions)
        pictures = crop_regions(self.pictures(inputs), rois, self.decoder.size)
        distances = None
        if self.feature_decoder is not None and not is_exporting():
            targets = self.feature_decoder.targets(feats, rois)
            redrawn = self.feature_decoder(regions)
            distances = self.feature_decoder.distances(redrawn, targets)
        return Redrawing(recons, pictures, latents, confidence, distances)

    def fit_normal(self, batches: Iterable[dict]) -> int:
        """Fit the judge to normal objects; return their number."""
        return fit_judge(self, batches)

    def _warn_if_random(self) -> None:
        """Warn once if no checkpoint of the frozen detector was loaded."""
        if self.frozen_detector and not self.detector_loaded:
            self.detector_loaded = True
            warn_random(
                'mmocc.DEA',
                'the frozen detector',
                'the decoder learns from random features',
                'set load_from to a trained detector, or '
                'frozen_detector=False',
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        if self.frozen_detector:
            own = self.state_dict().items()
            heads = tuple(f'{name}.' for name in PARTS)
            check_frozen(
                {k: v for k, v in own if k.startswith(heads)},
                {k.removeprefix(prefix): v for k, v in state_dict.items()},
                'detector',
                'backbone, neck and bbox_head',
            )
            self.detector_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)
