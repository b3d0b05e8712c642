"""A frozen classifier with a LEARN in it, the only part that trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from mmpretrain.models.classifiers import ImageClassifier
from torch import Tensor, nn

from mmocc.models.learn.learn import LEARN
from mmocc.models.learn.training_parts import make_room
from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random


class LEARNHost(ImageClassifier):
    """Image classifier with one LEARN, in its neck or inside its backbone.

    All else is frozen, and is checked to be in a checkpoint that is loaded.

    Args:
        backbone: Config of the trained classifier's backbone.
        neck: As in :class:`LEARNClassifier`.
        head: Config of the trained classifier's head.
        learn: The LEARN of ``insert_after``.
        insert_after: Name of the module whose output ``learn`` repairs.
        **kwargs: As in ImageClassifier.

    Raises:
        ValueError: If there is no LEARN or several, ``insert_after`` names no
            module, or labels are mixed; when a checkpoint is loaded that does
            not have the frozen parts.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict] | None,
        head: dict,
        learn: dict | None = None,
        insert_after: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(backbone, neck=neck, head=head, **kwargs)
        if getattr(self.data_preprocessor, 'batch_augments', None):
            raise ValueError(
                'mmocc.LEARNClassifier needs one label for each image, but '
                'batch augments mix labels; set model.train_cfg=None and no '
                'data_preprocessor.batch_augments'
            )
        if (learn is None) != (insert_after is None):
            raise ValueError('give both of learn and insert_after, or neither')
        if insert_after not in (None, *dict(self.named_modules())):
            raise ValueError(
                f'insert_after={insert_after!r} names no module of the model; '
                "for a ResNet, 'backbone.layer3' is one"
            )
        self.insert_after = insert_after
        self.inner_learn = MODELS.build(learn) if learn else None
        found = [i for i, m in enumerate(self.stages) if isinstance(m, LEARN)]
        count = len(found) + (learn is not None)
        if count != 1:
            raise ValueError(
                'mmocc.LEARNClassifier needs just one mmocc.LEARN, in its '
                f'neck or as learn; found {count}'
            )
        self.learn_index = found[0] if found else None
        self.frozen_loaded = False
        self.freeze()

    def freeze(self) -> None:
        """Let LEARN alone train."""
        self.requires_grad_(False)
        self.learn.requires_grad_(True)
        self.train(self.training)

    @property
    def stages(self) -> list[nn.Module]:
        """The neck's modules in order."""
        if isinstance(self.neck, nn.Sequential):
            return list(self.neck)
        return [self.neck] if self.with_neck else []

    @property
    def frozen_parts(self) -> list[nn.Module]:
        """What is before a LEARN in the neck: the backbone first."""
        return [self.backbone, *self.stages[: self.learn_index]]

    @property
    def learn(self) -> LEARN:
        """The part that is trained."""
        if self.inner_learn is not None:
            return self.inner_learn
        return self.stages[self.learn_index]

    def train(self, mode: bool = True) -> 'LEARNHost':
        """Set LEARN's mode; all else stays in eval mode (BN, dropout)."""
        super().train(False)
        self.training = mode
        self.learn.train(mode)
        return self

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> tuple:
        """Return features as ImageClassifier does, through LEARN."""
        with self._inserted(lambda feat: self.learn.repair(feat)[0]):
            return super().extract_feat(inputs, stage)

    def repaired_feat(
        self, inputs: Tensor, repair: Callable[[Tensor], Tensor]
    ) -> tuple:
        """Return features with this in the place of LEARN's own repair."""
        with self._inserted(repair):
            return super().extract_feat(inputs)

    @contextmanager
    def _inserted(self, repair: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Replace the output of ``insert_after`` by its repair meanwhile."""
        if self.insert_after is None:
            yield
            return
        handle = self.get_submodule(self.insert_after).register_forward_hook(
            lambda module, args, feat: repair(feat)
        )
        try:
            yield
        finally:
            handle.remove()

    @torch.no_grad()
    def frozen_feature(self, inputs: Tensor) -> Tensor:
        """Return the feature that a LEARN in the neck reads.

        Args:
            inputs: (N, 3, H, W), normalised.

        Returns:
            (N, C, h, w), or (N, C) from backbones that pool by themselves.
        """
        feats = inputs
        for part in self.frozen_parts:
            feats = part(feats)
        return feats[-1] if isinstance(feats, tuple | list) else feats

    def logits(self, feat: Tensor) -> Tensor:
        """Return the (N, classes) logits of what a LEARN in the neck gives."""
        feats = (feat,)
        for stage in self.stages[self.learn_index + 1 :]:
            feats = stage(feats)
        return self.head(feats)

    def _warn_if_random(self) -> None:
        """Say once that the frozen model was never loaded."""
        if not self.frozen_loaded:
            self.frozen_loaded = True
            warn_random(
                'mmocc.LEARNClassifier',
                'the frozen classifier',
                'LEARN learns to repair random features',
                'set load_from to a trained classifier',
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        remap = getattr(self.head, 'remap_state_dict', None)
        if remap is not None:
            remap(state_dict, f'{prefix}head.')
        learn = 'inner_learn.'
        if self.learn_index is not None:
            learn = 'neck.'
            if isinstance(self.neck, nn.Sequential):
                learn = f'neck.{self.learn_index}.'
                make_room(state_dict, f'{prefix}neck.', self.learn_index)
        check_frozen(
            {
                name: tensor
                for name, tensor in self.state_dict().items()
                if name.startswith(('backbone.', 'neck.', 'head.'))
                and not name.startswith(learn)
            },
            {k.removeprefix(prefix): v for k, v in state_dict.items()},
            'classifier',
            'backbone, neck and head',
        )
        self.frozen_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)
