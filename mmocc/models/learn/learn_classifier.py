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

Beyond the paper, without labels (``labels='teacher'``), with H(f) the frozen
classifier's own answer to the clean image:

    loss_distill = KL(softmax(H(f) / T), softmax(H(D(E(f_o))) / T)) T^2
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.feature_maps import (
    Size,
    last_feature,
    map_features,
    replace_last,
)
from mmocc.models.learn.batch_occluder import add_twins, build_occluder
from mmocc.models.learn.clean_cache import CleanCache
from mmocc.models.learn.contract import (
    PAIRED,
    build_losses,
    check_inside,
    check_logits,
    check_options,
    check_way,
    choose_losses,
    class_targets,
    make_room,
)
from mmocc.models.learn.feature_losses import check_finite
from mmocc.models.learn.inner import (
    answer,
    check_inner,
    inner_feature,
    never_runs,
    unrepaired,
)
from mmocc.models.learn.insertion import embeddings, inserted
from mmocc.models.learn.learn import LEARN
from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random


class Repair(NamedTuple):
    """LEARN's output for the maps of B clean and B occluded images.

    Attributes:
        repaired: (2B or B, C, h, w) repaired maps: the clean images' first
            if they pass through LEARN, then the occluded ones'.
        target: The clean maps that it must equal, of the same shape.
        z_clean: (B, ...) latents of the clean images.
        z_occluded: (B, ...) latents of the occluded images.
    """

    repaired: Tensor
    target: Tensor
    z_clean: Tensor
    z_occluded: Tensor


class Answer(NamedTuple):
    """What the frozen classifier makes of the repaired features.

    Attributes:
        pairs: The repair.
        logits: Of all features; the last ones are those of ``repaired``.
        teacher: (B, classes) its logits of the clean images, where needed.
        last: Its last maps, in the order of the logits, where needed.
        clean_last: (B, ...) those of the clean images.
    """

    pairs: Repair
    logits: Any
    teacher: Any = None
    last: Tensor | None = None
    clean_last: Tensor | None = None


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
            returns logits. With a head of several labels
            (``MultiLabelLinearClsHead``), ``loss_intra`` and ``loss_inter``
            must be None.
        occluder: Makes the occluded twins: ``mmocc.BatchOccluder``, which
            needs no files: it hides 20 to 80 % of an image by white or noise,
            and also by textures and cut-outs once ``texture_bank`` and
            ``object_bank`` are set. Its normalisation and channel order
            default to the data preprocessor's.
        loss_rec: Loss of the repaired feature map: mean squared error.
        loss_intra: Loss of latents of one class: cosine, all pairs of a
            class, weight 0.1.
        loss_inter: Loss of latents of different classes: cosine, margin 0.5,
            weight 0.1.
        loss_cls: Loss of the logits of repaired features, called as
            ``loss(logits, labels)``: cross-entropy, of each class by itself
            for several labels. ``use_soft=True`` takes soft labels.
        loss_distill: Beyond the paper: loss of these logits against the
            frozen classifier's for the clean image, called as ``loss(logits,
            clean_logits)``: KL divergence at temperature 1. By default only
            with ``labels='teacher'``.
        labels: ``data``, those of the samples; or ``teacher``: none is
            needed, ``loss_distill`` takes the place of ``loss_cls``, and the
            class of a latent is the frozen classifier's clean answer. With
            many classes two images of a batch are rarely of one: then
            ``loss_intra`` compares an image with its twin only, and
            ``loss_inter`` parts nearly all others; None leaves them out.
        loss_last: Beyond the paper, for a LEARN inside the backbone: loss of
            the backbone's last feature against the clean image's. By default
            off.
        learn: Beyond the paper: the LEARN of ``insert_after``.
        insert_after: Beyond the paper: name of the frozen module whose output
            is repaired, e.g. ``backbone.layer3``, for the rest of the
            backbone: a map, or the tokens of a transformer's block. Deeper
            maps mix hidden and intact positions, so that less can be
            repaired. Such a model needs this class at inference too.
        clean_pass: Also send the clean features through LEARN: ``loss_rec``
            and ``loss_cls`` become means over both, to keep clean accuracy.
        clean_cache: Folder for the features of the clean images, if the train
            pipeline gives the same images in each epoch. Each is computed
            once, up to the place of LEARN, and so is each twin with
            ``variants`` of the occluder; see
            :mod:`mmocc.models.learn.clean_cache`.
        clean_cache_dtype: Type in which they are stored: ``float32``,
            ``float16`` or ``bfloat16``.
        clean_cache_limit_gib: Size from which nothing more is cached.
        **kwargs: As in ImageClassifier; batch augments that mix labels
            (mixup, CutMix) are refused.

    A class of your own keeps what it does: register ``class
    MyLEARN(LEARNClassifier, MyClassifier)``.

    Raises:
        ValueError: If there is no LEARN or several, ``insert_after`` names no
            module, all losses are off, labels are mixed, or an option needs
            a LEARN inside the backbone; when a checkpoint is loaded that
            lacks the frozen parts; in training, if a label is outside the
            head's classes, the parts do not fit LEARN or each other, or the
            cache does not fit the images or the frozen parts.
        FloatingPointError: In training, if a loss is not finite.
    """

    def __init__(
        self,
        backbone: dict | None = None,
        neck: dict | list[dict] | None = None,
        head: dict | None = None,
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
        loss_distill: dict | None = None,
        labels: str = 'data',
        loss_last: dict | None = None,
        **kwargs,
    ) -> None:
        check_options(type(self), kwargs)
        if backbone is None or head is None:
            raise ValueError('mmocc.LEARNClassifier needs backbone and head')
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
        check_inside(insert_after, clean_cache, loss_last)
        if insert_after:  # other maps of the same backbone
            settings[0] = [settings[0], insert_after]
        self.clean_cache = clean_cache and CleanCache(
            clean_cache,
            settings[: len(self.frozen_parts)],
            clean_cache_dtype,
            clean_cache_limit_gib,
        )
        self.occluder = build_occluder(occluder, self.data_preprocessor)
        self.losses = build_losses(
            choose_losses(
                labels,
                loss_rec=loss_rec,
                loss_intra=loss_intra,
                loss_inter=loss_inter,
                loss_cls=loss_cls,
                loss_distill=loss_distill,
                loss_last=loss_last,
            ),
            self.head,
        )
        self.labels = labels
        paired = labels == 'teacher' and PAIRED & set(self.losses)
        clean = {'loss_distill', 'loss_last'} & set(self.losses)
        self.asks_teacher = bool(paired or clean)
        self.checked = self.inner_checked = False
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
        """The backbone, and what comes between it and a LEARN in the neck."""
        if self.insert_after is not None:
            return [self.backbone]
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
        repair: Callable[[Tensor, Size | None], Tensor] | None = None,
    ) -> tuple:
        """Return features as ImageClassifier does, through LEARN.

        Args:
            inputs: (N, C, H, W), normalised.
            stage: As in ImageClassifier.
            repair: With ``insert_after``: called on the feature, and on the
                first grid of tokens, in the place of LEARN's own repair.
        """
        if self.insert_after is None:
            return super().extract_feat(inputs, stage)
        repair = repair or (lambda *args: self.learn.repair(*args)[0])
        with inserted(self, self.insert_after, repair):
            return super().extract_feat(inputs, stage)

    @torch.no_grad()
    def frozen_output(self, inputs: Tensor) -> Any:
        """Return what the parts before a LEARN in the neck give it.

        Args:
            inputs: (N, C, H, W), normalised.
        """
        feats = inputs
        for part in self.frozen_parts:
            feats = part(feats)
        return (feats,) if torch.is_tensor(feats) else feats

    def frozen_feature(self, inputs: Tensor) -> Tensor:
        """Return the feature that a LEARN in the neck reads.

        Args:
            inputs: (N, C, H, W), normalised.

        Returns:
            (N, C, h, w), (N, C) from backbones that pool themselves, or
            tokens (N, L, C).
        """
        return last_feature(self.frozen_output(inputs))

    def logits(self, feat: Tensor, output: Any = None) -> Tensor:
        """Return the (N, classes) logits of a feature from LEARN's place.

        Args:
            feat: The repaired feature.
            output: From :meth:`frozen_output`, whose last feature it
                replaces; None if that is all of it.
        """
        feats = (feat,) if output is None else replace_last(output, feat)
        for stage in self.stages[self.learn_index + 1 :]:
            feats = stage(feats)
        return self.head(feats)

    def repair_pairs(
        self, feat: Tensor, grid: Size | None = None
    ) -> tuple[Repair, Tensor]:
        """Repair the features of B clean images and their occluded twins.

        Args:
            feat: (2B, ...) frozen features, the clean images' first.
            grid: The network's first grid of tokens, if known.

        Returns:
            What the losses need; and the features for the rest of the
            classifier, those of clean images as they are or repaired.
        """
        maps, back = self.learn.to_map(feat, grid)
        clean, occluded = maps.chunk(2)
        if self.clean_pass:
            repaired, z = self.learn.repair_map(maps)
            target = torch.cat([clean, clean])
            return Repair(repaired, target, *z.chunk(2)), back(repaired)
        repaired, z_occluded = self.learn.repair_map(occluded)
        z_clean = self.learn.encode(clean)
        pairs = Repair(repaired, clean, z_clean, z_occluded)
        return pairs, back(torch.cat([clean.to(repaired.dtype), repaired]))

    def _forward_pairs(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> Answer:
        """Return the repair of (B, C, H, W) images, and what it leads to."""
        if self.insert_after is not None:
            return self._forward_inserted(inputs, data_samples)
        output = None
        if self.clean_cache is None:
            output = self.frozen_output(
                add_twins(inputs, self.occluder, data_samples)
            )
            feat = last_feature(output)
        else:
            self.clean_cache.check(self.frozen_parts)
            feat = self.clean_cache(
                self.frozen_feature, inputs, self.occluder, data_samples
            )
        pairs, repaired = self.repair_pairs(feat)
        logits = self.logits(repaired, output)
        teacher = None
        if self.asks_teacher:
            num = len(inputs)
            output = map_features(lambda part: part[:num], output)
            with torch.no_grad():
                teacher = self.logits(feat[:num], output)
        return Answer(pairs, logits, teacher)

    def _forward_inserted(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> Answer:
        """Do the same with a LEARN inside the backbone."""
        repairs, feat, num = [], None, len(inputs)

        def repair(feat: Tensor, grid: Size | None) -> Tensor:
            pairs, feat = self.repair_pairs(feat, grid)
            repairs.append(pairs)
            return feat

        # No parameter before LEARN trains: autograd starts at LEARN.
        if self.clean_cache is None:
            images = add_twins(inputs, self.occluder, data_samples)
        else:
            images, feat = inputs, self._cached_inner(inputs, data_samples)
        logits, last = answer(self, images, repair, feat)
        if not repairs:
            raise never_runs(self.insert_after)
        if not self.asks_teacher:
            return Answer(repairs[0], logits)
        if self.clean_pass:  # a further pass, without LEARN
            clean = None if feat is None else feat[:num]
            with torch.no_grad():
                teacher = answer(self, inputs, unrepaired, clean)
        else:  # the clean images are unrepaired
            check_logits(logits, num, self.head)
            teacher = (logits[:num].detach(), last[:num].detach())
        return Answer(repairs[0], logits, teacher[0], last, teacher[1])

    def _cached_inner(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> Tensor:
        """Return the inner maps of images and twins; computed once."""
        self.clean_cache.check(self.frozen_parts)
        feat = self.clean_cache(
            partial(inner_feature, self), inputs, self.occluder, data_samples
        )
        if not self.inner_checked:
            check_inner(self, inputs)
            self.inner_checked = True
        return feat

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of clean images.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples with ``gt_label``; by
                ``labels='teacher'`` any.

        Returns:
            Scalars ``loss_rec``, ``loss_intra``, ``loss_inter``,
            ``loss_cls``, ``loss_distill`` and ``loss_last``, without those
            left out.
        """
        labels = targets = None
        if self.labels == 'data':
            labels, targets = class_targets(
                data_samples, self.head, self.losses
            )
        if not self.checked:
            self.checked = True
            # Other models take the same way by construction.
            if type(self) is not LEARNClassifier or embeddings(self.backbone):
                check_way(self, inputs)
        if not self.frozen_loaded:
            self.frozen_loaded = True  # warn once
            warn_random(
                'mmocc.LEARNClassifier',
                'the frozen classifier',
                'LEARN learns to repair random features',
                'set load_from to a trained classifier',
            )
        pairs, logits, teacher, last, clean_last = self._forward_pairs(
            inputs, data_samples
        )
        num = len(pairs.repaired)
        if {'loss_cls', 'loss_distill'} & set(self.losses):
            check_logits(logits, num, self.head)
            logits = logits[-num:]  # without those of unrepaired images
        if self.labels == 'teacher' and teacher is not None:
            labels = teacher.argmax(dim=1)
        latents = (pairs.z_clean, pairs.z_occluded, labels)
        if targets is not None:
            targets = torch.cat([targets] * (num // len(targets)))
        if last is not None:
            last = (
                last[-num:],
                torch.cat([clean_last] * (num // len(inputs))),
            )
        terms = dict(
            loss_rec=(pairs.repaired, pairs.target),
            loss_intra=latents,
            loss_inter=latents,
            loss_cls=(logits, targets),
            loss_distill=(logits, teacher),
            loss_last=last,
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
