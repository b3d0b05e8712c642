"""Train LEARN between a frozen backbone and a frozen head.

After arXiv 2402.06936; :mod:`mmocc.models.learn.learn` says what is known of
the paper. With B the backbone, E and D LEARN's encoder and decoder, H the
head, x an image, x_o its occluded twin and y its label:

    f = B(x), f_o = B(x_o)                              no gradient
    loss_rec   = distance(D(E(f_o)), f)
    loss_intra = distance of latents of one class       E(f) and E(f_o)
    loss_inter = hinge on latents of different classes  E(f) and E(f_o)
    loss_cls   = cross-entropy(H(D(E(f_o))), y)

The paper gives the four losses and the frozen classifier. Weights, distances,
margin, pairs and occluders are choices of this re-implementation.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.learn.batch_occluder import add_twins, build_occluder
from mmocc.models.learn.clean_cache import CleanCache
from mmocc.models.learn.feature_losses import check_finite
from mmocc.models.learn.learn import LEARN
from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random

LOSSES = dict(
    loss_rec='mmocc.FeatureReconstructionLoss',
    loss_intra='mmocc.IntraClassLatentLoss',
    loss_inter='mmocc.InterClassLatentLoss',
    loss_cls='mmpretrain.CrossEntropyLoss',
)


class Repair(NamedTuple):
    """LEARN's output for the features of B clean and B occluded images.

    Attributes:
        repaired: (2B or B, ...) repaired features: the clean images' first
            if they pass through LEARN, then the occluded ones'.
        target: The clean features that it must equal, of the same shape.
        z_clean: (B, ...) latents of the clean images.
        z_occluded: (B, ...) latents of the occluded images.
    """

    repaired: Tensor
    target: Tensor
    z_clean: Tensor
    z_occluded: Tensor


@MODELS.register_module()
class LEARNClassifier(ImageClassifier):
    """Image classifier in which only its one ``mmocc.LEARN`` is trained.

    Everything else is frozen, including batch-norm statistics and dropout,
    and must come from a trained classifier through ``load_from``. Inference is
    that of ``mmpretrain.ImageClassifier``; checkpoints hold the whole model
    and load into a plain ImageClassifier with the same neck.

    ``occluder`` and the losses have defaults. A dict without ``type`` changes
    the default's options; a loss that is None is left out.

    Args:
        backbone: Config of the trained classifier's backbone.
        neck: ``mmocc.LEARN``, or a list with it and the classifier's own
            neck, e.g. ``[LEARN, GlobalAveragePooling]``; with
            ``insert_after``, the classifier's own neck alone.
        head: Config of the trained classifier's head; called on features it
            returns logits.
        occluder: Makes the occluded twins: ``mmocc.BatchOccluder``, which
            needs no files: it hides 20 to 80 % of an image by white or noise,
            and also by textures and cut-outs once ``texture_bank`` and
            ``object_bank`` are set. Its normalisation defaults to the data
            preprocessor's.
        loss_rec: Loss of the repaired feature map: mean squared error.
        loss_intra: Loss of latents of one class: cosine, all pairs of a
            class, weight 0.1.
        loss_inter: Loss of latents of different classes: cosine, margin 0.5,
            weight 0.1.
        loss_cls: Loss of the logits of repaired features, called as
            ``loss(logits, labels)``: cross-entropy.
        learn: Beyond the paper: the LEARN of ``insert_after``.
        insert_after: Beyond the paper: name of the frozen module whose output
            map is repaired, e.g. ``backbone.layer3``, for the rest of the
            backbone. Deeper maps mix hidden and intact positions, so that less
            can be repaired. Such a model needs this class at inference too.
        clean_pass: Also send the clean features through LEARN: ``loss_rec``
            and ``loss_cls`` become means over both, to keep clean accuracy.
        clean_cache: Folder for the features of the clean images, if the train
            pipeline gives the same images in each epoch. Each is computed
            once; see :mod:`mmocc.models.learn.clean_cache`.
        clean_cache_dtype: Type in which they are stored: ``float32``,
            ``float16`` or ``bfloat16``.
        clean_cache_limit_gib: Size from which nothing more is cached.
        **kwargs: As in ImageClassifier; batch augments that mix labels
            (mixup, CutMix) are refused.

    Raises:
        ValueError: If there is no LEARN or several, ``insert_after`` names no
            module, all losses are off, labels are mixed, or an inner map is
            to be cached; when a checkpoint is loaded that lacks the frozen
            parts; in training, if a label is outside the head's classes, or
            the cache does not fit the images or the frozen parts.
        FloatingPointError: In training, if a loss is not finite.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict] | None,
        head: dict,
        occluder: dict = dict(),
        loss_rec: dict | None = dict(),
        loss_intra: dict | None = dict(),
        loss_inter: dict | None = dict(),
        loss_cls: dict | None = dict(),
        learn: dict | None = None,
        insert_after: str | None = None,
        clean_pass: bool = True,
        clean_cache: str | None = None,
        clean_cache_dtype: str = 'float16',
        clean_cache_limit_gib: float = 50.0,
        **kwargs,
    ) -> None:
        necks = neck if isinstance(neck, list | tuple) else [neck]
        settings = copy.deepcopy([backbone, *necks])
        super().__init__(backbone, neck=neck, head=head, **kwargs)
        if getattr(self.data_preprocessor, 'batch_augments', None):
            raise ValueError(
                'mmocc.LEARNClassifier needs one label for each image, but '
                'batch augments mix labels; set model.train_cfg=None and no '
                'data_preprocessor.batch_augments'
            )
        self._place_learn(learn, insert_after)
        self.clean_pass = clean_pass
        if clean_cache and insert_after:
            raise ValueError(
                'clean_cache stores what a LEARN in the neck reads; it cannot '
                'store the inner map of insert_after'
            )
        self.clean_cache = clean_cache and CleanCache(
            clean_cache,
            settings[: len(self.frozen_parts)],
            clean_cache_dtype,
            clean_cache_limit_gib,
        )
        self.occluder = build_occluder(occluder, self.data_preprocessor)
        losses = (loss_rec, loss_intra, loss_inter, loss_cls)
        self.losses = nn.ModuleDict(
            {
                name: MODELS.build({'type': default, **cfg})
                for (name, default), cfg in zip(
                    LOSSES.items(), losses, strict=True
                )
                if cfg is not None
            }
        )
        if not self.losses:
            raise ValueError('all losses are None: nothing to train LEARN by')
        self.frozen_loaded = False
        self.requires_grad_(False)
        self.learn.requires_grad_(True)
        self.train(self.training)

    def _place_learn(
        self, learn: dict | None, insert_after: str | None
    ) -> None:
        """Find LEARN in the neck, or build the one of ``insert_after``."""
        if (learn is None) != (insert_after is None):
            raise ValueError('give both of learn and insert_after, or neither')
        if insert_after not in (None, *dict(self.named_modules())):
            raise ValueError(
                f'insert_after={insert_after!r} names no module of the model; '
                "for a ResNet, 'backbone.layer3' is one"
            )
        self.insert_after = insert_after
        self.inner_learn = MODELS.build(learn) if learn else None
        places = [i for i, m in enumerate(self.stages) if isinstance(m, LEARN)]
        count = len(places) + (learn is not None)
        if count != 1:
            raise ValueError(
                'mmocc.LEARNClassifier needs just one mmocc.LEARN, in its '
                f'neck or as learn; found {count}'
            )
        self.learn_index = places[0] if places else None

    @property
    def stages(self) -> list[nn.Module]:
        """The neck's modules in order."""
        if isinstance(self.neck, nn.Sequential):
            return list(self.neck)
        return [self.neck] if self.with_neck else []

    @property
    def frozen_parts(self) -> list[nn.Module]:
        """The modules before a LEARN in the neck: the backbone first."""
        return [self.backbone, *self.stages[: self.learn_index]]

    @property
    def learn(self) -> LEARN:
        """The part that is trained."""
        if self.inner_learn is not None:
            return self.inner_learn
        return self.stages[self.learn_index]

    def train(self, mode: bool = True) -> 'LEARNClassifier':
        """Set LEARN's mode; the rest stays in eval mode (BN, dropout)."""
        super().train(False)
        self.training = mode
        self.learn.train(mode)
        return self

    def extract_feat(
        self,
        inputs: Tensor,
        stage: str = 'neck',
        repair: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple:
        """Return features as ImageClassifier does, through LEARN.

        Args:
            inputs: (N, 3, H, W), normalised.
            stage: As in ImageClassifier.
            repair: With ``insert_after``: called on the map in the place of
                LEARN's own repair.
        """
        if self.insert_after is None:
            return super().extract_feat(inputs, stage)
        repair = repair or (lambda feat: self.learn.repair(feat)[0])
        handle = self.get_submodule(self.insert_after).register_forward_hook(
            lambda module, args, feat: repair(feat)
        )
        try:
            return super().extract_feat(inputs, stage)
        finally:
            handle.remove()

    @torch.no_grad()
    def frozen_feature(self, inputs: Tensor) -> Tensor:
        """Return the feature that a LEARN in the neck reads.

        Args:
            inputs: (N, 3, H, W), normalised.

        Returns:
            (N, C, h, w), or (N, C) from backbones that pool themselves.
        """
        feats = inputs
        for part in self.frozen_parts:
            feats = part(feats)
        return feats[-1] if isinstance(feats, tuple | list) else feats

    def logits(self, feat: Tensor) -> Tensor:
        """Return the (N, classes) logits of a feature from LEARN's place."""
        feats = (feat,)
        for stage in self.stages[self.learn_index + 1 :]:
            feats = stage(feats)
        return self.head(feats)

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
        if self.insert_after is not None:
            repairs = []

            def repair(feat: Tensor) -> Tensor:
                repairs.append(self.repair_pairs(feat))
                return repairs[-1].repaired

            # No parameter before LEARN trains: autograd starts at LEARN.
            feats = self.extract_feat(
                add_twins(inputs, self.occluder), repair=repair
            )
            return repairs[-1], self.head(feats)
        if self.clean_cache is None:
            feat = self.frozen_feature(add_twins(inputs, self.occluder))
        else:
            self.clean_cache.check(self.frozen_parts)
            occluded, _ = self.occluder(inputs)
            feat = self.clean_cache(
                self.frozen_feature, inputs, occluded, data_samples
            )
        pairs = self.repair_pairs(feat)
        return pairs, self.logits(pairs.repaired)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of clean images.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples with ``gt_label``.

        Returns:
            Scalars ``loss_rec``, ``loss_intra``, ``loss_inter`` and
            ``loss_cls``, without those left out.
        """
        labels = class_labels(data_samples, self.head)
        if not self.frozen_loaded:
            self.frozen_loaded = True  # warn once
            warn_random(
                'mmocc.LEARNClassifier',
                'the frozen classifier',
                'LEARN learns to repair random features',
                'set load_from to a trained classifier',
            )
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

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        remap = getattr(self.head, 'remap_state_dict', None)
        if remap is not None:
            remap(state_dict, f'{prefix}head.')
        if self.learn_index is not None and len(self.stages) > 1:
            make_room(state_dict, f'{prefix}neck.', self.learn_index)
        learn = next(n for n, m in self.named_modules() if m is self.learn)
        own = {
            name: tensor
            for name, tensor in self.state_dict().items()
            if name.startswith(('backbone.', 'neck.', 'head.'))
            and not name.startswith(f'{learn}.')
        }
        loaded = {k.removeprefix(prefix): v for k, v in state_dict.items()}
        check_frozen(own, loaded, 'classifier', 'backbone, neck and head')
        self.frozen_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)


def make_room(state_dict: dict, prefix: str, index: int) -> None:
    """Renumber the tensors of a classifier's own neck to make room for LEARN.

    With LEARN before it, ``neck.fc`` or ``neck.0.fc`` becomes ``neck.1.fc``.
    A state dict that has LEARN already is not changed.

    Args:
        state_dict: State dict of a whole model, changed in place.
        prefix: The neck's prefix in it.
        index: LEARN's place in the list of necks.
    """
    own = [key for key in state_dict if key.startswith(prefix)]
    if any(key.startswith(f'{prefix}{index}.encoder.') for key in own):
        return
    renamed = {}
    for key in own:
        name = key.removeprefix(prefix)
        number, _, rest = name.partition('.')
        if not number.isdigit():  # the neck was not a list
            number, rest = 0, name
        place = int(number) + (int(number) >= index)
        renamed[f'{prefix}{place}.{rest}'] = state_dict.pop(key)
    state_dict.update(renamed)


def class_labels(samples: list[DataSample], head: nn.Module) -> Tensor:
    """Return the (N,) labels of N samples.

    Raises:
        ValueError: If a sample does not have exactly one label, or the label
            is no class of the head.
    """
    labels = torch.cat([sample.gt_label for sample in samples])
    if len(labels) != len(samples):
        raise ValueError(
            'mmocc.LEARNClassifier needs one label for each image, got '
            f'{len(labels)} labels for {len(samples)} images'
        )
    classes = getattr(head, 'num_classes', None)
    bad = labels[(labels < 0) | (labels >= (classes or math.inf))]
    if len(bad):
        raise ValueError(
            f'label {int(bad[0])} is outside the {classes} classes '
            "(0 .. num_classes - 1) of the head; check the data set's "
            'classes against model.head.num_classes'
        )
    return labels
