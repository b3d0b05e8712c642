"""Latent-OFER: expressions behind masks and hands, in four stages.

Lee et al., "Latent-OFER: Detect, Mask, and Reconstruct with Latent Vectors for
Occluded Facial Expression Recognition", ICCV 2023, arXiv 2307.11404::

    photo -> detector -> mask -> reconstructor -> redrawn face -> backbone
                          |                                          | map
                          +---> extractor ---> latents ----------> head ->
                                                                 expression

Each stage is trained by itself, as in the paper; this class trains the last
one, and is the whole model when it predicts.
"""

from mmengine.model import BaseModel
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, rand

from mmocc.models.ofer.stage_cache import StageCache
from mmocc.models.ofer.stages import (
    FrozenStages,
    StageOutputs,
    mirror_outputs,
)
from mmocc.registry import MODELS


@MODELS.register_module()
class LatentOFER(ImageClassifier):
    """Classifier of redrawn faces; stages 1 to 3 are frozen.

    Checkpoints hold all stages. Any of them can be another one: a detector
    has ``detect``, a reconstructor ``reconstruct``, and backbone, neck and
    head are an ``ImageClassifier``'s.

    Args:
        backbone: Config of the CNN that sees the redrawn face.
        head: Config of ``mmocc.OFERHead``, or of any head of mmpretrain,
            which then sees the CNN's features alone.
        extractor: Config of ``mmocc.PatchLatentExtractor``, built once for
            all; None gives no latents.
        detector: Config of a detector of occluded patches, such as
            ``mmocc.PatchSVDD`` or ``mmocc.MAEErrorDetector``; with
            ``extractor=None`` in it, it uses the model's. None hides nothing.
        reconstructor: Config of what redraws the face, such as
            ``mmocc.HybridReconstructor`` or ``mmocc.MAEReconstructor``,
            likewise. None leaves the photo as it is.
        neck: Config of a neck between backbone and head.
        latents: ``decoder``, the latents of the masked photo; or
            ``encoder``, those of the redrawn face.
        flip_prob: In training, probability that a face is mirrored, with its
            latents, after the frozen stages: a cache then holds each face
            once. A ``RandomFlip`` in the pipeline mirrors the photo instead.
        cache: Folder for outputs of the frozen stages, computed once for each
            image; None computes them each time. See
            :mod:`mmocc.models.ofer.stage_cache`.
        cache_limit_gib: Size from which nothing more is cached.
        **kwargs: Of ``ImageClassifier`` (``pretrained``, ``train_cfg``,
            ``data_preprocessor``, ``init_cfg``).
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        extractor: dict | None = None,
        detector: dict | None = None,
        reconstructor: dict | None = None,
        neck: dict | None = None,
        latents: str = 'decoder',
        flip_prob: float = 0.0,
        cache: str | None = None,
        cache_limit_gib: float = 50.0,
        **kwargs,
    ) -> None:
        super().__init__(backbone, neck=neck, head=head, **kwargs)
        self.stages = FrozenStages(extractor, detector, reconstructor, latents)
        for stage in self.stages.children():
            if isinstance(stage, BaseModel):  # to fit a detector's radius
                stage.data_preprocessor = self.data_preprocessor
        self.flip_prob = flip_prob
        self.cache = cache and StageCache(cache, cache_limit_gib)

    def run_stages(self, inputs: Tensor) -> StageOutputs:
        """Return what the frozen stages make of photos, cached or new.

        Args:
            inputs: (N, 3, H, W), normalised.
        """
        if self.cache is None:
            return self.stages(inputs)
        return self.cache(self.stages, inputs)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[DataSample]:
        """Return logits (``tensor``), losses or predicted samples.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples; with ``gt_label`` for losses.
            mode: ``tensor``, ``loss`` or ``predict``.
        """
        if mode != 'tensor':
            return super().forward(inputs, data_samples, mode)
        outputs = self.run_stages(inputs)
        feats = self.extract_feat(outputs.faces)
        return self.head(feats, **self._latents(outputs))

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses on redrawn faces."""
        outputs = self.run_stages(inputs)
        if self.training and self.flip_prob > 0:
            which = rand(len(inputs)) < self.flip_prob
            outputs = mirror_outputs(outputs, which.to(inputs.device))
        feats = self.extract_feat(outputs.faces)
        return self.head.loss(feats, data_samples, **self._latents(outputs))

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        **kwargs,
    ) -> list[DataSample]:
        """Return the samples with all that the stages say of the photos.

        To what the head sets are added ``recon`` (3, H, W), the redrawn face
        in RGB, 0 to 255, and with a detector ``pred_patch_dist`` (L,) float32
        and ``pred_patch_mask`` (L,) bool; ``patch_grid`` (gh, gw) is in the
        metainfo.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples, changed in place; None makes new ones.
            **kwargs: Of the head.
        """
        outputs = self.run_stages(inputs)
        feats = self.extract_feat(outputs.faces)
        samples = self.head.predict(
            feats, data_samples, **self._latents(outputs), **kwargs
        )
        faces = self.to_rgb(outputs.faces)
        for number, sample in enumerate(samples):
            sample.recon = faces[number]
            if outputs.grid is not None:
                sample.set_metainfo(dict(patch_grid=outputs.grid))
            if outputs.mask.shape[1]:
                sample.pred_patch_dist = outputs.distances[number]
                sample.pred_patch_mask = outputs.mask[number]
        return samples

    def to_rgb(self, images: Tensor) -> Tensor:
        """Undo the normalisation: (N, 3, H, W) float32 RGB in 0 to 255."""
        made = self.data_preprocessor
        if getattr(made, '_enable_normalize', False):
            images = images * made.std + made.mean
        if not getattr(made, 'to_rgb', False):
            images = images.flip(1)
        return images.clamp(0, 255)

    def _latents(self, outputs: StageOutputs) -> dict:
        """Return what a head that reads latents is given besides features."""
        if getattr(self.head, 'selector', None) is None:
            return {}
        if not outputs.latents.shape[1]:
            raise ValueError(
                'the head reads latents, but model.extractor is None: set '
                'it, or model.head.selector=None'
            )
        return dict(latents=outputs.latents, grid=outputs.grid)
