"""Latent-OFER: expressions of partly hidden faces, in four stages.

Lee et al., ICCV 2023, arXiv 2307.11404. Each stage is trained separately; this
class trains the last one, and is the whole model in prediction::

    photo -> detector -> mask -> reconstructor -> face -> backbone
                          |                                  | map
                          +---> extractor ---> latents --> head -> expression
"""

from mmengine.model import BaseModel
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, rand

from mmocc.models.ofer.frozen_stages import (
    FrozenStages,
    StageCache,
    StageOutputs,
    mirror_outputs,
    untouched,
)
from mmocc.models.ofer.stage_model import check_images, to_rgb
from mmocc.registry import MODELS


@MODELS.register_module()
class LatentOFER(ImageClassifier):
    """Classifier of reconstructed faces; stages 1 to 3 are frozen.

    Checkpoints hold all stages. You can replace any of them: a detector has
    ``detect``, a reconstructor ``reconstruct``, and backbone, neck and head
    are those of an ``ImageClassifier``.

    Args:
        backbone: Config of the CNN that sees the reconstructed face.
        head: Config of ``mmocc.OFERHead``, or of any head of mmpretrain, which
            then sees only the CNN's features.
        extractor: Config of ``mmocc.PatchLatentExtractor``, built once for all
            stages; None gives no latents.
        detector: Config of a detector of occluded patches
            (``mmocc.PatchSVDD``, ``mmocc.MAEErrorDetector``); with
            ``extractor=None`` it uses the model's. None hides nothing.
        reconstructor: Config of ``mmocc.HybridReconstructor``,
            ``mmocc.MAEReconstructor`` or another, likewise. None leaves the
            photo as it is.
        neck: Config of a neck between backbone and head.
        latents: ``decoder``, those of visible and hidden patches of the masked
            photo; or ``encoder``, those of the reconstructed face.
        flip_prob: In training, probability that a face is mirrored, with its
            latents, after the frozen stages: a cache then holds each face
            once. A ``RandomFlip`` in the pipeline mirrors the photo instead.
        cache: Folder for the outputs of the frozen stages; None computes them
            each time. Random changes of the images would make each new.
        cache_limit_gib: Size from which nothing more is cached.
        **kwargs: Of ``ImageClassifier``.
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
        """Return the stages' outputs for (N, 3, H, W), cached or new."""
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

        Raises:
            ValueError: If there is no image, one has values that are no
                numbers, or is of another size than the extractor's; or a
                label is none of the head's classes.
        """
        check_images(inputs, data_samples, mode)
        if mode != 'tensor':
            return super().forward(inputs, data_samples, mode)
        outputs = self.run_stages(inputs)
        feats = self.extract_feat(outputs.faces)
        return self.head(feats, **self._latents(outputs))

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses on reconstructed faces."""
        if self.stages.only_detect:  # whose answer no head reads
            outputs = untouched(inputs)
        else:
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
        """Return samples (new ones for None) with the outputs of all stages.

        In addition to the head's fields they have ``recon`` (3, H, W), the
        reconstructed face in RGB, 0 to 255, and with a detector
        ``pred_patch_dist`` (L,) float32 and ``pred_patch_mask`` (L,) bool;
        ``patch_grid`` (gh, gw) is in the metainfo, and with a detector its
        ``patch_radius``. ``kwargs`` are the head's.
        """
        outputs = self.run_stages(inputs)
        feats = self.extract_feat(outputs.faces)
        samples = self.head.predict(
            feats, data_samples, **self._latents(outputs), **kwargs
        )
        faces = to_rgb(outputs.faces, self.data_preprocessor)
        for number, sample in enumerate(samples):
            sample.recon = faces[number]
            if outputs.grid is not None:
                sample.set_metainfo(dict(patch_grid=outputs.grid))
            if outputs.mask.shape[1]:
                radius = float(getattr(self.stages.detector, 'radius', 0))
                sample.set_metainfo(dict(patch_radius=radius))
                sample.pred_patch_dist = outputs.distances[number]
                sample.pred_patch_mask = outputs.mask[number]
        return samples

    def _latents(self, outputs: StageOutputs) -> dict:
        """Return the arguments of a head that reads latents."""
        if getattr(self.head, 'selector', None) is None:
            return {}
        if not outputs.latents.shape[1]:
            raise ValueError(
                'the head reads latents, but model.extractor is None: set '
                'it, or model.head.selector=None'
            )
        return dict(latents=outputs.latents, grid=outputs.grid)
