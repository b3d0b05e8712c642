"""Training of LEARN between a frozen backbone and a frozen head.

After arXiv 2402.06936; see :mod:`mmocc.models.learn.learn` for what of the
paper is known. With B the backbone, E and D LEARN's encoder and decoder, H the
head, x an image, x_o its occluded twin and y its label:

    f = B(x), f_o = B(x_o)                              no gradient
    loss_rec   = distance(D(E(f_o)), f)
    loss_intra = distance of latents of one class       E(f) and E(f_o)
    loss_inter = hinge on latents of different classes  E(f) and E(f_o)
    loss_cls   = cross-entropy(H(D(E(f_o))), y)
"""

import copy
from typing import NamedTuple

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.learn.clean_cache import CleanCache
from mmocc.models.learn.learn_host import LEARNHost
from mmocc.models.learn.training_parts import (
    build_occluder,
    check_finite,
    class_labels,
)
from mmocc.registry import MODELS


class Repair(NamedTuple):
    """What LEARN makes of the features of B clean and B occluded images.

    Attributes:
        repaired: (2B or B, ...) LEARN's output: the clean images' first if
            they pass, then the occluded ones'.
        target: The clean features that it shall equal, of the same shape.
        z_clean: (B, ...) latents of the clean images.
        z_occluded: (B, ...) latents of the occluded images.
    """

    repaired: Tensor
    target: Tensor
    z_clean: Tensor
    z_occluded: Tensor


@MODELS.register_module()
class LEARNClassifier(LEARNHost):
    """Image classifier whose only trained part is its ``mmocc.LEARN`` neck.

    Everything else is frozen, batch-norm statistics and dropout included, and
    shall come from a trained classifier through ``load_from``. Inference is
    that of ``mmpretrain.ImageClassifier``; checkpoints hold the whole model
    and load into a plain ImageClassifier with the same neck.

    Args:
        backbone: Config of the trained classifier's backbone.
        neck: ``mmocc.LEARN``, or a list with it and the classifier's own
            neck, e.g. ``[LEARN, GlobalAveragePooling]``; with
            ``insert_after``, the classifier's own neck alone.
        head: Config of the trained classifier's head; called on features it
            returns logits.
        occluder: Makes the occluded twins: ``mmocc.BatchOccluder``. Its
            normalisation defaults to the data preprocessor's.
        loss_rec: Loss of the repaired feature map; None leaves it out.
        loss_intra: Loss of latents of one class; None leaves it out.
        loss_inter: Loss of latents of different classes; None leaves it out.
        loss_cls: Loss of the logits of repaired features, called as
            ``loss(logits, labels)``; None leaves it out.
        learn: Beyond the paper: the LEARN of ``insert_after``.
        insert_after: Beyond the paper: name of the frozen module whose output
            map is repaired, e.g. ``backbone.layer3``; the rest of the
            backbone then reads repaired features. Deeper maps mix what is
            hidden into what is not, so that less can be repaired. Such a
            model needs this class at inference too.
        clean_pass: Also send the clean features through LEARN and ask the
            same of them (``loss_rec`` and ``loss_cls`` become means over
            both), since clean accuracy must hold.
        clean_cache: Folder for the features of the clean images, computed
            once for each, where the train pipeline gives the same images in
            each epoch; None computes them each time. See
            :mod:`mmocc.models.learn.clean_cache`.
        clean_cache_dtype: Type in which they are kept: ``float32``,
            ``float16`` or ``bfloat16``.
        clean_cache_limit_gib: Size from which nothing more is cached.
        pretrained: As in ImageClassifier.
        train_cfg: As in ImageClassifier; batch augments that mix labels
            (mixup, CutMix) are refused.
        data_preprocessor: As in ImageClassifier.
        init_cfg: As in ImageClassifier.

    Raises:
        ValueError: If there is no LEARN or several, ``insert_after`` names no
            module, all losses are off, labels are mixed, or an inner map
            is to be cached; when a checkpoint is loaded that does not have
            the frozen parts; in training, if a label is outside the head's
            classes, or the cache does not fit the images or the frozen parts.
        FloatingPointError: In training, if a loss is not finite.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict] | None,
        head: dict,
        occluder: dict,
        loss_rec: dict | None = dict(type='mmocc.FeatureReconstructionLoss'),
        loss_intra: dict | None = dict(type='mmocc.IntraClassLatentLoss'),
        loss_inter: dict | None = dict(type='mmocc.InterClassLatentLoss'),
        loss_cls: dict | None = dict(type='mmpretrain.CrossEntropyLoss'),
        learn: dict | None = None,
        insert_after: str | None = None,
        clean_pass: bool = True,
        clean_cache: str | None = None,
        clean_cache_dtype: str = 'float16',
        clean_cache_limit_gib: float = 50.0,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        necks = neck if isinstance(neck, list | tuple) else [neck]
        settings = copy.deepcopy([backbone, *necks])
        super().__init__(
            backbone,
            neck,
            head,
            learn=learn,
            insert_after=insert_after,
            pretrained=pretrained,
            train_cfg=train_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.clean_pass = clean_pass
        if clean_cache and insert_after:
            raise ValueError(
                'clean_cache keeps what a LEARN in the neck reads; it cannot '
                'keep the inner map of insert_after'
            )
        self.clean_cache = clean_cache and CleanCache(
            clean_cache,
            settings[: len(self.frozen_parts)],
            clean_cache_dtype,
            clean_cache_limit_gib,
        )
        self.occluder = build_occluder(occluder, self.data_preprocessor)
        configs = dict(
            loss_rec=loss_rec,
            loss_intra=loss_intra,
            loss_inter=loss_inter,
            loss_cls=loss_cls,
        )
        self.losses = nn.ModuleDict(
            {k: MODELS.build(cfg) for k, cfg in configs.items() if cfg}
        )
        if not self.losses:
            raise ValueError('all losses are None: nothing to train LEARN by')
        self.freeze()

    def repair_pairs(self, feat: Tensor) -> Repair:
        """Repair the features of B clean images and their occluded twins.

        Args:
            feat: (2B, ...) frozen features, the clean images' first.
        """
        clean, occluded = feat.chunk(2)
        if self.clean_pass:
            repaired, z = self.learn.repair(feat)
            return Repair(repaired, torch.cat([clean, clean]), *z.chunk(2))
        repaired, z_occluded = self.learn.repair(occluded)
        return Repair(repaired, clean, self.learn.encode(clean), z_occluded)

    def _forward_pairs(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> tuple[Repair, Tensor]:
        """Return the repair of (B, 3, H, W) images, and its logits."""
        if self.clean_cache is not None:
            self.clean_cache.check(self.frozen_parts)
            occluded, _ = self.occluder(inputs)
            feat = self.clean_cache(
                self.frozen_feature, inputs, occluded, data_samples
            )
            pairs = self.repair_pairs(feat)
            return pairs, self.logits(pairs.repaired)
        # In one pass: the frozen backbone is most of the step's cost.
        both = torch.cat([inputs, inputs])
        self.occluder(both[len(inputs) :], inplace=True)
        if self.insert_after is None:
            pairs = self.repair_pairs(self.frozen_feature(both))
            return pairs, self.logits(pairs.repaired)
        made = []

        def repair(feat: Tensor) -> Tensor:
            made.append(self.repair_pairs(feat))
            return made[-1].repaired

        # No parameter before LEARN trains, so nothing is recorded up to it.
        feats = self.repaired_feat(both, repair)
        return made[-1], self.head(feats)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of clean images.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples with ``gt_label``.

        Returns:
            Scalars ``loss_rec``, ``loss_intra``, ``loss_inter`` and
            ``loss_cls``, less those left out.
        """
        labels = class_labels(data_samples, self.head)
        self._warn_if_random()
        pairs, logits = self._forward_pairs(inputs, data_samples)
        latents = (pairs.z_clean, pairs.z_occluded, labels)
        terms = dict(
            loss_rec=(pairs.repaired, pairs.target),
            loss_intra=latents,
            loss_inter=latents,
            loss_cls=(logits, labels.repeat(len(logits) // len(labels))),
        )
        losses = {k: loss(*terms[k]) for k, loss in self.losses.items()}
        check_finite(losses)
        return losses
