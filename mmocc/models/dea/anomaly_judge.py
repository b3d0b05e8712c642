"""How odd redrawn objects are, measured by normal ones where need be."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmocc.models.dea.anomaly_scores import (
    FUSIONS,
    SCORES,
    knn_distance,
    mse,
    pearson,
    rank_mean,
    ssim,
    zscore_mean,
)

AT_ONCE = 32  # objects whose pictures are compared at a time


class Redrawing(NamedTuple):
    """Objects as they were redrawn, and as they are.

    Attributes:
        recons: (n, channels, size, size) redrawings in [0, 1].
        pictures: What they are to look like, of the same shape.
        latents: (n, C) averages of the RoI features.
        confidence: (n,) scores of the detector.
    """

    recons: Tensor
    pictures: Tensor
    latents: Tensor
    confidence: Tensor

    def take(self, index: Tensor) -> 'Redrawing':
        """Return the objects at these places."""
        return Redrawing(*(part[index] for part in self))


class AnomalyJudge(nn.Module):
    """Scores of redrawn objects; its buffers hold what normal objects score.

    Those objects are split in two halves that share none: latent distances
    are to the first half's latents (the bank), and what is usual is told by
    the scores of the second half. An object's distance to itself so never
    counts. All single scores are kept, so that a config can ask for others
    than it was trained with.

    Args:
        scores: Scores to give: ``pearson`` and ``ssim`` as 1 minus the
            similarity, ``mse``, ``latent`` (distance to the nearest normal
            objects), ``confidence`` (1 minus the detector's), and of those
            named here the fusions ``zscore`` and ``rank``; see
            :mod:`mmocc.models.dea.anomaly_scores`.
        anomaly_score: Which of them decides.
        false_alarms: Share of normal objects that count as odd.
        bank_size: Most objects that each half keeps; of more, as many are
            drawn at random.
        neighbours: k of the latent distance.

    Raises:
        ValueError: If there is no such score, fusions have nothing to fuse,
            or the share is not in (0, 1).
        RuntimeError: While running, if a score compares with normal objects
            and none are known.
    """

    def __init__(
        self,
        scores: Sequence[str] = ('pearson', 'confidence'),
        anomaly_score: str = 'pearson',
        false_alarms: float = 0.05,
        bank_size: int = 2048,
        neighbours: int = 5,
    ) -> None:
        super().__init__()
        known = (*SCORES, *FUSIONS)
        for name in scores:
            if name not in known:
                raise ValueError(
                    f'unknown score {name!r}; choose from {known}'
                )
        if anomaly_score not in scores:
            raise ValueError(
                f'anomaly_score={anomaly_score!r} is none of scores='
                f'{tuple(scores)}: name it there too'
            )
        self.single = tuple(name for name in scores if name in SCORES)
        self.fused = tuple(name for name in scores if name in FUSIONS)
        if not self.single:
            raise ValueError(
                f'{tuple(scores)} have nothing to fuse: name some of {SCORES}'
            )
        if not 0 < false_alarms < 1:
            raise ValueError(
                f'false_alarms must be in (0, 1), got {false_alarms}'
            )
        self.anomaly_score = anomaly_score
        self.false_alarms = false_alarms
        self.bank_size = bank_size
        self.neighbours = neighbours
        self.register_buffer('bank', torch.zeros(0, 0))
        self.register_buffer('normal_scores', torch.zeros(0, len(SCORES)))

    @property
    def fitted(self) -> bool:
        """Whether there are normal objects to compare with."""
        return len(self.normal_scores) > 0

    def forward(self, drawn: Redrawing) -> dict[str, Tensor]:
        """Return (n,) float32 scores by name, higher for odder objects."""
        return self.add_fusions(
            {name: self.single_score(drawn, name) for name in self.single}
        )

    def single_score(self, drawn: Redrawing, name: str) -> Tensor:
        """Return the (n,) float32 score of this name."""
        with torch.autocast(drawn.latents.device.type, enabled=False):
            if name == 'latent':
                self._check_known(name, len(self.bank))
                return knn_distance(drawn.latents, self.bank, self.neighbours)
            if name == 'confidence':
                return 1 - drawn.confidence.float()
            score = dict(pearson=pearson, ssim=ssim, mse=mse)[name]
            # A few at a time stay in a CPU's cache: a third of the time.
            pairs = zip(
                drawn.recons.split(AT_ONCE),
                drawn.pictures.split(AT_ONCE),
                strict=True,
            )
            values = torch.cat([score(*pair) for pair in pairs])
            return values if name == 'mse' else 1 - values

    def add_fusions(self, single: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return single scores with their fusions."""
        for name in self.fused:
            self._check_known(name, len(self.normal_scores))
        columns = [SCORES.index(name) for name in single]
        table = torch.stack(list(single.values()), dim=1)
        ways = dict(zscore=zscore_mean, rank=rank_mean)
        return single | {
            name: ways[name](table, self.normal_scores[:, columns])
            for name in self.fused
        }

    def fit(self, drawn: Redrawing) -> None:
        """Take these objects as normal, in place of all before.

        Raises:
            ValueError: If there are fewer than 4 objects.
        """
        total = len(drawn.latents)
        if total < 4:
            raise ValueError(
                f'only {total} detections match an object of the reference '
                'data: train the detector first (load_from), or check that '
                'the pipeline of the reference loads boxes in pixels of the '
                'original image, as a test pipeline does'
            )
        # The same draw in each process of a run.
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(total, generator=generator)
        order = order.to(drawn.latents.device)
        half = min(total // 2, self.bank_size)
        self.bank = drawn.latents[order[:half]].float()
        others = drawn.take(order[half : 2 * half])
        self.normal_scores = torch.stack(
            [self.single_score(others, name) for name in SCORES], dim=1
        )

    def threshold(self) -> Tensor:
        """Return what a share ``false_alarms`` of normal objects exceeds."""
        columns = dict(zip(SCORES, self.normal_scores.unbind(1), strict=True))
        scores = self.add_fusions({k: columns[k] for k in self.single})
        return scores[self.anomaly_score].quantile(1 - self.false_alarms)

    def _check_known(self, name: str, count: int) -> None:
        """Raise RuntimeError if there is nothing to compare with."""
        if not count:
            raise RuntimeError(
                f'the score {name!r} compares with normal objects, and none '
                "are known: train with dict(type='mmocc.AnomalyReferenceHook'"
                ', dataloader=...) in custom_hooks, or leave the score out '
                'of model.judge.scores'
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        # How many objects there are is known by the checkpoint alone.
        for name in ('bank', 'normal_scores'):
            given = state_dict.get(f'{prefix}{name}')
            if given is not None:
                old = getattr(self, name)
                setattr(self, name, old.new_zeros(given.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
