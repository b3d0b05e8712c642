"""Training of LEARN between a frozen backbone and a frozen head.

After arXiv 2402.06936; see :mod:`mmocc.models.necks.learn` for what of the
paper is known. With B the backbone, E and D LEARN's encoder and decoder, H the
head, x an image, x_o its occluded twin and y its label:

    f = B(x), f_o = B(x_o)                              no gradient
    loss_rec   = distance(D(E(f_o)), f)
    loss_intra = distance of latents of one class       E(f) and E(f_o)
    loss_inter = hinge on latents of different classes  E(f) and E(f_o)
    loss_cls   = cross-entropy(H(D(E(f_o))), y)
"""

import torch
from mmengine.logging import print_log
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.necks.learn import LEARN
from mmocc.registry import MODELS


@MODELS.register_module()
class LEARNClassifier(ImageClassifier):
    """Image classifier whose only trained part is its ``mmocc.LEARN`` neck.

    Everything else is frozen, batch-norm statistics and dropout included, and
    shall come from a trained classifier through ``load_from``. Inference is
    that of ``mmpretrain.ImageClassifier``; checkpoints hold the whole model
    and load into a plain ImageClassifier with the same neck.

    Args:
        backbone: Config of the trained classifier's backbone.
        neck: ``mmocc.LEARN``, or a list with it and the classifier's own
            neck, e.g. ``[LEARN, GlobalAveragePooling]``.
        head: Config of the trained classifier's head; called on features it
            returns logits.
        occluder: Makes the occluded twins: ``mmocc.BatchOccluder``. Its
            normalisation defaults to the data preprocessor's.
        loss_rec: Loss of the repaired feature map; None leaves it out.
        loss_intra: Loss of latents of one class; None leaves it out.
        loss_inter: Loss of latents of different classes; None leaves it out.
        loss_cls: Loss of the logits of repaired features, called as
            ``loss(logits, labels)``; None leaves it out.
        clean_pass: Also send the clean features through LEARN and ask the
            same of them (``loss_rec`` and ``loss_cls`` become means over
            both), since clean accuracy must hold.
        pretrained: As in ImageClassifier.
        train_cfg: As in ImageClassifier; batch augments that mix labels
            (mixup, CutMix) are refused.
        data_preprocessor: As in ImageClassifier.
        init_cfg: As in ImageClassifier.

    Raises:
        ValueError: If the neck holds no LEARN or several, all losses are off,
            or labels are mixed; when a checkpoint is loaded that does not
            have the frozen parts; in training, if a label is outside the
            head's classes.
        FloatingPointError: In training, if a loss is not finite.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict],
        head: dict,
        occluder: dict,
        loss_rec: dict | None = dict(type='mmocc.FeatureReconstructionLoss'),
        loss_intra: dict | None = dict(type='mmocc.IntraClassLatentLoss'),
        loss_inter: dict | None = dict(type='mmocc.InterClassLatentLoss'),
        loss_cls: dict | None = dict(type='mmpretrain.CrossEntropyLoss'),
        clean_pass: bool = True,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if train_cfg and train_cfg.get('augments'):
            raise ValueError(
                'mmocc.LEARNClassifier needs one label for each image, but '
                'train_cfg.augments mixes labels; set model.train_cfg=None'
            )
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            pretrained=pretrained,
            train_cfg=train_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        stages = (
            list(self.neck)
            if isinstance(self.neck, nn.Sequential)
            else [self.neck]
        )
        found = [i for i, m in enumerate(stages) if isinstance(m, LEARN)]
        if len(found) != 1:
            raise ValueError(
                'the neck of mmocc.LEARNClassifier must hold just one '
                f'mmocc.LEARN, found {len(found)}'
            )
        self.learn_index = found[0]
        self.clean_pass = clean_pass
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
        self.requires_grad_(False)
        self.learn.requires_grad_(True)
        self.frozen_loaded = False
        self.train(self.training)

    @property
    def stages(self) -> list[nn.Module]:
        """The neck's modules in order."""
        if isinstance(self.neck, nn.Sequential):
            return list(self.neck)
        return [self.neck]

    @property
    def learn(self) -> LEARN:
        """The part that is trained."""
        return self.stages[self.learn_index]

    def train(self, mode: bool = True) -> 'LEARNClassifier':
        """Set LEARN's mode; all else stays in eval mode (BN, dropout)."""
        super().train(False)
        self.training = mode
        self.learn.train(mode)
        return self

    @torch.no_grad()
    def frozen_feature(self, inputs: Tensor) -> Tensor:
        """Return the feature that LEARN reads, (N, C, H, W) or (N, C)."""
        feats = self.backbone(inputs)
        for stage in self.stages[: self.learn_index]:
            feats = stage(feats)
        return feats[-1] if isinstance(feats, tuple | list) else feats

    def logits(self, feat: Tensor) -> Tensor:
        """Return the frozen head's (N, classes) logits of LEARN's output."""
        feats = (feat,)
        for stage in self.stages[self.learn_index + 1 :]:
            feats = stage(feats)
        return self.head(feats)

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
        labels = self._labels(data_samples)
        self._warn_if_random()
        # In one pass: the frozen backbone is most of the step's cost.
        feat = self.frozen_feature(
            torch.cat([inputs, self.occluder(inputs)[0]])
        )
        clean, occluded = feat.chunk(2)
        if self.clean_pass:
            repaired, z = self.learn.repair(feat)
            z_clean, z_occluded = z.chunk(2)
            target, targets = torch.cat([clean, clean]), labels.repeat(2)
        else:
            repaired, z_occluded = self.learn.repair(occluded)
            z_clean = self.learn.encode(clean)
            target, targets = clean, labels
        terms = dict(
            loss_rec=lambda loss: loss(repaired, target),
            loss_intra=lambda loss: loss(z_clean, z_occluded, labels),
            loss_inter=lambda loss: loss(z_clean, z_occluded, labels),
            loss_cls=lambda loss: loss(self.logits(repaired), targets),
        )
        losses = {k: terms[k](loss) for k, loss in self.losses.items()}
        check_finite(losses)
        return losses

    def _labels(self, data_samples: list[DataSample]) -> Tensor:
        """Return the (N,) labels; ValueError if one is not a class."""
        labels = torch.cat([sample.gt_label for sample in data_samples])
        classes = getattr(self.head, 'num_classes', None)
        if len(labels) != len(data_samples):
            raise ValueError(
                'mmocc.LEARNClassifier needs one label for each image, got '
                f'{len(labels)} labels for {len(data_samples)} images'
            )
        low, high = labels.aminmax()
        if low < 0 or (classes is not None and high >= classes):
            bad = labels[(labels < 0) | (labels >= (classes or high + 1))]
            raise ValueError(
                f'label {int(bad[0])} is outside the {classes} classes '
                "(0 .. num_classes - 1) of the head; check the data set's "
                'classes against model.head.num_classes'
            )
        return labels

    def _warn_if_random(self) -> None:
        """Say once that the frozen model was never loaded."""
        if not self.frozen_loaded:
            self.frozen_loaded = True
            print_log(
                'mmocc.LEARNClassifier: no checkpoint of the frozen '
                'classifier was loaded, so LEARN learns to repair random '
                'features; set load_from to a trained classifier',
                logger='current',
                level=30,
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        remap = getattr(self.head, 'remap_state_dict', None)
        if remap is not None:
            remap(state_dict, f'{prefix}head.')
        check_frozen(
            {
                name: tensor
                for name, tensor in self.state_dict().items()
                if name.startswith(('backbone.', 'head.'))
            },
            {k.removeprefix(prefix): v for k, v in state_dict.items()},
        )
        self.frozen_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)


def build_occluder(cfg: dict, data_preprocessor: nn.Module) -> nn.Module:
    """Build an occluder that normalises as the data preprocessor does."""
    cfg = dict(cfg)
    if getattr(data_preprocessor, '_enable_normalize', False):
        cfg.setdefault('mean', data_preprocessor.mean.flatten().tolist())
        cfg.setdefault('std', data_preprocessor.std.flatten().tolist())
    cfg.setdefault('bgr_to_rgb', getattr(data_preprocessor, 'to_rgb', False))
    return MODELS.build(cfg)


def check_finite(losses: dict[str, Tensor]) -> None:
    """Raise FloatingPointError that names the losses that are not finite."""
    values = torch.stack([loss.detach().float() for loss in losses.values()])
    if not values.isfinite().all():
        bad = [
            f'{name} = {value}'
            for name, value in zip(losses, values.tolist(), strict=True)
            if not torch.isfinite(torch.tensor(value))
        ]
        raise FloatingPointError(
            f"not finite: {', '.join(bad)}; check the frozen model's "
            'features (a wrong checkpoint? float16 overflow: try bfloat16) '
            'and the learning rate'
        )


def check_frozen(wanted: dict, given: dict) -> None:
    """Raise ValueError if a checkpoint lacks or misfits a frozen tensor.

    Args:
        wanted: The model's own frozen tensors by name.
        given: The checkpoint's tensors by name.
    """
    faults = []
    for name, tensor in wanted.items():
        if name not in given:
            if not name.endswith('num_batches_tracked'):
                faults.append(f'{name} is missing')
        elif given[name].shape != tensor.shape:
            faults.append(
                f'{name} is {tuple(given[name].shape)}, the model has '
                f'{tuple(tensor.shape)}'
            )
    if faults:
        raise ValueError(
            f'the checkpoint does not fit the frozen classifier: {faults[0]}'
            f' (and {len(faults) - 1} more); load_from must be a checkpoint '
            'of the same backbone and head, trained on the same classes'
        )
