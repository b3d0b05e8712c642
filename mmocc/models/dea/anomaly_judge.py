"""How anomalous redrawn objects are, compared with normal ones if need be."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from mmocc.models.dea import anomaly_scores
from mmocc.models.dea.anomaly_scores import FUSIONS, SCORES, SINGLE
from mmocc.models.dea.exporting import is_exporting
from mmocc.models.dea.regions import rescale_results
from mmocc.utils.object_matching import match_objects

AT_ONCE = 32  # objects whose pictures are compared at a time


class Redrawing(NamedTuple):
    """Objects, redrawn and as they are."""

    recons: Tensor  # (n, channels, size, size) redrawings in [0, 1]
    pictures: Tensor  # the objects themselves, of the same shape
    latents: Tensor  # (n, C) averages of the RoI features
    confidence: Tensor  # (n,) scores of the detector
    distances: Tensor | None = None  # (n, s, s) of their features

    def take(self, index: Tensor) -> 'Redrawing':
        """Return the objects at these places."""
        return Redrawing(
            *(None if part is None else part[index] for part in self)
        )


class AnomalyJudge(nn.Module):
    """Scores of redrawn objects; its buffers hold the scores of normal ones.

    Normal objects are split in two halves that share none: the first half's
    latents are the bank of the latent distance, the second half's scores
    tell what is usual. All single scores of these are kept: a config can ask
    for others than those of the training.

    Args:
        scores: ``pearson`` and ``ssim`` as 1 minus the similarity, ``mse``,
            ``latent`` (distance to the nearest normal objects),
            ``confidence`` (1 minus the detector's), ``feature`` (the highest
            place of ``Redrawing.distances``, with ``mmocc.FeatureDecoder``),
            and the fusions ``zscore`` and ``rank`` of the others named here;
            see
            :mod:`mmocc.models.dea.anomaly_scores`.
        anomaly_score: The one that decides.
        false_alarms: Share of normal objects that count as anomalous.
        bank_size: Largest number of objects in each half, chosen at random.
        neighbours: k of the latent distance.

    Raises:
        ValueError: If arguments are unknown or do not fit.
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
        known = (*SINGLE, *FUSIONS)
        unknown = [name for name in scores if name not in known]
        if unknown:
            raise ValueError(
                f'unknown score {unknown[0]!r}; choose from {known}'
            )
        if anomaly_score not in scores:
            raise ValueError(
                f'anomaly_score={anomaly_score!r} is none of scores='
                f'{tuple(scores)}: name it there too'
            )
        self.single = tuple(name for name in scores if name in SINGLE)
        self.fused = tuple(name for name in scores if name in FUSIONS)
        if not self.single:
            raise ValueError(
                f'{tuple(scores)} have nothing to fuse: name some of {SINGLE}'
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

    def forward(self, objects: Redrawing) -> dict[str, Tensor]:
        """Return (n,) float32 scores by name, higher if more anomalous."""
        return self._add_fusions(
            {name: self._single_score(objects, name) for name in self.single}
        )

    def _single_score(self, objects: Redrawing, name: str) -> Tensor:
        """Return the (n,) float32 score of this name."""
        with torch.autocast(objects.latents.device.type, enabled=False):
            if name == 'latent':
                self._check_known(name, self.bank)
                return anomaly_scores.knn_distance(
                    objects.latents, self.bank, self.neighbours
                )
            if name == 'confidence':
                return 1 - objects.confidence.float()
            if name == 'feature':
                return self._highest(objects.distances)
            score = getattr(anomaly_scores, name)
            pair = objects.recons, objects.pictures
            if is_exporting():
                values = score(*pair)
            else:
                # A few at a time stay in a CPU's cache: a third of the time.
                parts = zip(*(p.split(AT_ONCE) for p in pair), strict=True)
                values = torch.cat([score(*part) for part in parts])
            return values if name == 'mse' else 1 - values

    def _add_fusions(self, single: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return single scores with their fusions."""
        for name in self.fused:
            self._check_known(name, self.normal_scores)
        columns = [SINGLE.index(name) for name in single]
        table = torch.stack(list(single.values()), dim=1)
        ways = dict(
            zscore=anomaly_scores.zscore_mean, rank=anomaly_scores.rank_mean
        )
        normal = self.normal_scores[:, columns] if self.fused else None
        return single | {k: ways[k](table, normal) for k in self.fused}

    def fit(self, objects: Redrawing) -> None:
        """Take these objects as normal, instead of all earlier ones.

        Raises:
            ValueError: If there are fewer than 4 objects.
        """
        total = len(objects.latents)
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
        order = order.to(objects.latents.device)
        half = min(total // 2, self.bank_size)
        self.bank = objects.latents[order[:half]].float()
        others = objects.take(order[half : 2 * half])
        names = SCORES if objects.distances is None else SINGLE
        self.normal_scores = torch.stack(
            [self._single_score(others, name) for name in names], dim=1
        )

    def threshold(self) -> Tensor:
        """Return what a share ``false_alarms`` of normal objects exceeds."""
        # The last column is there with distances of features only.
        columns = dict(zip(SINGLE, self.normal_scores.unbind(1), strict=False))
        scores = self._add_fusions({k: columns[k] for k in self.single})
        return scores[self.anomaly_score].quantile(1 - self.false_alarms)

    @staticmethod
    def _highest(distances: Tensor | None) -> Tensor:
        """Return the (n,) highest of maps (n, s, s)."""
        if distances is None:
            raise RuntimeError(
                "the score 'feature' needs model.feature_decoder, such as "
                'configs/dea/dea_features_mvtec.py has'
            )
        return distances.flatten(1).amax(1)

    def _check_known(self, name: str, normal: Tensor) -> None:
        """Raise RuntimeError if there is nothing to compare with."""
        if not len(normal):
            raise RuntimeError(
                f'the score {name!r} compares with normal objects, and none '
                "are known: train with dict(type='mmocc.AnomalyReferenceHook'"
                ') in custom_hooks, or leave the score out of '
                'model.judge.scores'
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        # Only the checkpoint knows the number of normal objects.
        for name in ('bank', 'normal_scores'):
            stored = state_dict.get(f'{prefix}{name}')
            if stored is not None:
                empty = getattr(self, name).new_zeros(stored.shape)
                setattr(self, name, empty)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _joined(
    parts: Sequence[Tensor | None], device: str | torch.device
) -> Tensor | None:
    """Return tensors as one; None if there are none."""
    found = [part for part in parts if part is not None]
    return torch.cat(found).to(device) if found else None


@torch.no_grad()
def normal_objects(model: nn.Module, data: dict) -> Redrawing:
    """Return the detections of a batch that stand for a normal object.

    ``model`` is a ``mmocc.DEA`` in eval mode, ``data`` a batch of a
    dataloader, with boxes in pixels of the original images.
    """
    data = model.data_preprocessor(data, False)
    samples = data['data_samples']
    results, objects = model.redraw_results(data['inputs'], samples)
    rescale_results(results, samples)
    keep, start = [], 0
    for result, sample in zip(results, samples, strict=True):
        truth = sample.gt_instances
        if 'anomaly' in truth:
            truth = truth[truth.anomaly == 0]
        match = match_objects(
            result.bboxes, result.scores, get_box_tensor(truth.bboxes)
        )
        keep.append(match[match >= 0] + start)
        start += len(result)
    return objects.take(torch.cat(keep).to(objects.latents.device))


def fit_judge(model: nn.Module, batches: Iterable[dict]) -> int:
    """Fit the judge of a ``mmocc.DEA``; return the number of normal objects.

    The model keeps its mode. Each process has a share of the batches.
    """
    mode = model.training
    model.eval()
    parts = [normal_objects(model, data) for data in batches]
    model.train(mode)
    device = model.judge.bank.device
    # On the CPU, because their pictures are many.
    own = [_joined(part, 'cpu') for part in zip(*parts, strict=True)]
    fields = zip(*all_gather_object(own), strict=True)
    objects = Redrawing(*(_joined(field, device) for field in fields))
    model.judge.fit(objects)
    return len(objects.latents)
