"""Train LEARN between the neck and the heads of a frozen detector.

Beyond the paper (arXiv 2402.06936), which is about classifiers. With F the
frozen backbone and neck, which give maps F_1 ... F_L of an image x, x_o the
twin in which a share of every object is hidden, R LEARN and H the heads:

    loss_rec = mean over levels of distance(R(F_l(x_o)), F_l(x))
    losses of H(R(F_1(x_o)), ..., R(F_L(x_o))) with the boxes of x

A two-stage detector's RPN and RoI heads, masks included, read the same
repaired maps.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmocc.models.learn.feature_losses import check_finite
from mmocc.models.learn.learn import LEARN
from mmocc.models.learn.twin_detector import TwinDetector
from mmocc.registry import MODELS
from mmocc.utils.weights import check_frozen, warn_random

Levels = tuple[Tensor, ...]
OURS = ('learn.', 'occluder.', 'loss_rec.')  # not of the frozen detector


@MODELS.register_module()
class LEARNDetector(TwinDetector):
    """Detector in which only ``mmocc.LEARN`` trains, on all levels of maps.

    It is the class ``detector`` and takes its arguments, so that a detector's
    config becomes this one by inheritance::

        model = dict(type='mmocc.LEARNDetector', detector='RetinaNet')
        load_from = '...'  # the trained detector

    Levels of equal channels share one LEARN. Everything else is frozen,
    including batch-norm statistics and dropout, and must come from a trained
    detector through ``load_from``, whose names stay. Prediction, test-time
    augmentation and inferencers are the detector's own; every image passes
    through LEARN. A checkpoint also loads into the detector's own config,
    which gives the detector without LEARN.

    Args:
        *args: As in the detector.
        detector: As in :class:`TwinDetector`, as ``occluder``.
        learn: Options of ``mmocc.LEARN`` for all levels. By default it does
            not pool and has a gate; ``in_channels`` is set for it.
        in_channels: Channels of the levels; None: those that the dense head
            was built for.
        loss_rec: Loss of the repaired maps: mean squared error; None leaves
            it out. A dict without ``type`` changes its options.
        det_weight: Factor of the detector's own losses; 0 leaves them out.
        clean_pass: Also send clean maps through LEARN: all losses become
            means over both, to keep what the detector does with clean images.
        **kwargs: As in the detector.

    Raises:
        ValueError: If ``detector`` is no single-stage or two-stage detector,
            all losses are off, or the levels' channels are not known; when a
            checkpoint is loaded that lacks the frozen parts; and as soon as
            images are seen, if a level has other channels.
        FloatingPointError: In training, if a loss is not finite.
    """

    def __init__(
        self,
        *args: Any,
        learn: dict = dict(),
        in_channels: int | Sequence[int] | None = None,
        loss_rec: dict | None = dict(),
        det_weight: float = 1.0,
        clean_pass: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if loss_rec is None and not det_weight:
            raise ValueError(
                'loss_rec=None and det_weight=0: nothing to train LEARN by'
            )
        channels = in_channels or self._head_channels()
        channels = {channels} if isinstance(channels, int) else set(channels)
        options = {
            'type': 'mmocc.LEARN',
            'pool': 'none',
            'gate': True,
            **learn,
        }
        self.learn = nn.ModuleDict(
            {
                str(count): MODELS.build({**options, 'in_channels': count})
                for count in sorted(channels)
            }
        )
        self.loss_rec = None
        if loss_rec is not None:
            self.loss_rec = MODELS.build(
                {'type': 'mmocc.FeatureReconstructionLoss', **loss_rec}
            )
        self.det_weight = det_weight
        self.clean_pass = clean_pass
        self.frozen_loaded = False
        self._levels: Levels | None = None  # what the heads read in training
        self.requires_grad_(False)
        self.learn.requires_grad_(True)
        self.train(self.training)

    def _head_channels(self) -> int | Sequence[int]:
        """Return the channels that the dense head was built for."""
        for name in ('bbox_head', 'rpn_head'):
            channels = getattr(getattr(self, name, None), 'in_channels', None)
            if channels is not None:
                return channels
        raise ValueError(
            'mmocc.LEARNDetector: the head does not say how many channels its '
            'maps have; set in_channels=... (one number, or one a level)'
        )

    def train(self, mode: bool = True) -> 'LEARNDetector':
        """Set LEARN's mode; the rest stays in eval mode (BN, dropout).

        Heads are told that they train, since some compute other values for
        their losses (FCOS); only their layers are not.
        """
        super().train(False)
        self.training = mode
        for name, part in self.named_children():
            if name.endswith('_head'):
                for module in part.modules():
                    is_layer = next(module.children(), None) is None
                    module.training = mode and not is_layer
        self.learn.train(mode)
        return self

    def frozen_levels(self, batch_inputs: Tensor) -> Levels:
        """Return the maps of the frozen backbone and neck.

        Args:
            batch_inputs: (N, C, H, W), normalised.
        """
        return tuple(super().extract_feat(batch_inputs))

    def repair(self, levels: Sequence[Tensor]) -> Levels:
        """Return the repaired maps of all levels, each (N, C, h, w)."""
        return tuple(
            self._learn_of(index, maps).repair_map(maps)[0]
            for index, maps in enumerate(levels)
        )

    def _learn_of(self, index: int, maps: Tensor) -> LEARN:
        """Return the LEARN of a level."""
        channels = str(maps.shape[1])
        if channels not in self.learn:
            raise ValueError(
                f'level {index} has {channels} channels, but LEARN was built '
                f'for {", ".join(self.learn)}; set in_channels of '
                'mmocc.LEARNDetector to the channels of all levels'
            )
        return self.learn[channels]

    def extract_feat(self, batch_inputs: Tensor) -> Levels:
        """Return the repaired maps of all levels.

        Args:
            batch_inputs: (N, C, H, W), normalised.
        """
        if self._levels is not None:
            return self._levels
        return self.repair(self.frozen_levels(batch_inputs))

    @contextmanager
    def _reading(self, levels: Levels) -> Iterator[None]:
        """Let the detector's own loss read these maps."""
        self._levels = levels
        try:
            yield
        finally:
            self._levels = None

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> dict[str, Any]:
        """Return the losses of a batch of clean images.

        Args:
            batch_inputs: (N, C, H, W), normalised.
            batch_data_samples: N samples with ``gt_instances``.

        Returns:
            ``loss_rec``, and the detector's own losses.
        """
        if not self.frozen_loaded:
            self.frozen_loaded = True  # warn once
            warn_random(
                'mmocc.LEARNDetector',
                'the frozen detector',
                'LEARN learns to repair random features',
                'set load_from to a trained detector',
            )
        images, samples = self.twins(batch_inputs, batch_data_samples)
        with torch.no_grad():
            levels = self.frozen_levels(images)
        target = tuple(x[: len(batch_inputs)] for x in levels)
        if self.clean_pass:
            target = tuple(torch.cat([x, x]) for x in target)
        count = len(target[0])
        repaired = self.repair([x[-count:] for x in levels])
        losses: dict[str, Any] = {}
        if self.loss_rec is not None:
            pairs = zip(repaired, target, strict=True)
            terms = [self.loss_rec(*pair) for pair in pairs]
            losses['loss_rec'] = torch.stack(terms).mean()
        if self.det_weight:
            with self._reading(repaired):
                own = super().loss(images[-count:], samples[-count:])
            losses.update(weighted(own, self.det_weight))
        check_finite(flat(losses))
        return losses

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        # mmdet's own class may rename first.
        super()._load_from_state_dict(state_dict, prefix, *args)
        own = {
            name: tensor
            for name, tensor in self.state_dict().items()
            if not name.startswith(OURS)
        }
        loaded = {k.removeprefix(prefix): v for k, v in state_dict.items()}
        check_frozen(own, loaded, 'detector', 'backbone, neck and heads')
        self.frozen_loaded = True


def weighted(losses: dict[str, Any], weight: float) -> dict[str, Any]:
    """Return a detector's losses times a weight; what is no loss stays."""

    def times(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [weight * x for x in value]
        return weight * value

    return {
        name: times(value) if 'loss' in name else value
        for name, value in losses.items()
    }


def flat(losses: dict[str, Any]) -> dict[str, Tensor]:
    """Return scalars by name, of losses that may be lists of levels."""
    scalars = {}
    for name, value in losses.items():
        if torch.is_tensor(value):
            scalars[name] = value.mean()
        elif isinstance(value, list | tuple):
            scalars[name] = sum(x.mean() for x in value)
    return scalars
