"""The frame of the baselines: one look at normal images, then scores."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from mmengine.dist import all_gather_object
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

CONFIDENCE = 1.0  # of the one object of each image, which is the image


class PartBaseline(BaseModel):
    """Base of models that learn normal images without training.

    For images that are one part each. They run, test and save as detectors
    do: an epoch shows them the normal images, ``mmocc.AnomalyReferenceHook``
    makes them learn and gives the threshold, and ``pred_instances`` has one
    object, the image, with ``bboxes``, ``scores`` (1), ``labels`` (0),
    ``errors`` (1, h, w) float32, the map, ``anomaly_scores`` (1,), and with a
    threshold ``is_anomaly``. The threshold is ``threshold`` of the sample,
    where the map has its unit.

    Subclasses give :meth:`see`, :meth:`learn` and :meth:`judge`.

    Args:
        false_alarms: Share of the normal images of the reference that count
            as anomalous.
        data_preprocessor: mmdet's.
        init_cfg: As in mmengine's BaseModel.

    Raises:
        ValueError: If ``false_alarms`` is not in (0, 1).
        RuntimeError: While running, if no normal image was seen.
    """

    maps_score = True  # whether the threshold is one of the map, too
    tta_type = 'mmocc.DEATTA'  # for test-time augmentation

    def __init__(
        self,
        false_alarms: float = 0.05,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if not 0 < false_alarms < 1:
            raise ValueError(
                f'false_alarms must be in (0, 1), got {false_alarms}'
            )
        self.false_alarms = false_alarms
        self.seen: list[Any] = []
        self.register_buffer('normal_scores', torch.zeros(0))
        # A run wants a parameter for its optimizer; it is never changed.
        self.unused = nn.Parameter(torch.zeros(()))

    @abstractmethod
    def see(self, inputs: Tensor) -> Any:
        """Return what to keep of normal images (N, 3, H, W), on the CPU."""

    @abstractmethod
    def learn(self, seen: list[Any]) -> None:
        """Fill the buffers from what was kept of all normal images."""

    @abstractmethod
    def judge(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N,) and maps (N, h, w) of images (N, 3, H, W)."""

    def reduce(self, seen: list[Any]) -> list[Any]:
        """Return what was kept in less memory, if that is possible."""
        return seen

    def forward(
        self,
        inputs: Tensor,
        data_samples: SampleList | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Look at normal images (``loss``), judge (``predict``), or map."""
        if mode == 'loss':
            with torch.no_grad():
                self.seen = self.reduce([*self.seen, self.see(inputs)])
            return dict(loss_fit=self.unused * 0)
        scores, maps = self.judge(inputs)
        if mode == 'tensor':
            return maps
        for sample, score, one in zip(data_samples, scores, maps, strict=True):
            sample.pred_instances = self._object(sample, score, one)
            if len(self.normal_scores) and self.maps_score:
                sample.set_metainfo(dict(threshold=float(self.threshold())))
        return data_samples

    def _object(self, sample: Any, score: Tensor, one: Tensor) -> InstanceData:
        """Return the image as the one object of its prediction."""
        height, width = sample.ori_shape[:2]
        fields = dict(
            bboxes=score.new_tensor([[0, 0, width, height]]),
            scores=score.new_full((1,), CONFIDENCE),
            labels=torch.zeros(1, dtype=torch.int64, device=score.device),
            errors=one[None].clone(),
            anomaly_scores=score[None],
        )
        if len(self.normal_scores):
            fields['is_anomaly'] = score[None] > self.threshold()
        return InstanceData(**fields)

    @torch.no_grad()
    def fit_normal(self, batches: Iterable[dict]) -> int:
        """Learn what was seen; take the threshold from a reference.

        Args:
            batches: Normal images that were not learnt, as a dataloader gives
                them. Each process has a share.

        Returns:
            The number of images of the reference.

        Raises:
            RuntimeError: If no normal image was seen.
        """
        mode = self.training
        self.eval()
        parts = all_gather_object(self.seen)
        seen = [one for part in parts for one in part]
        if not seen:
            raise RuntimeError(
                f'{type(self).__name__} has seen no normal image: train it '
                'for an epoch before the reference'
            )
        self.learn(seen)
        self.seen = []
        own = [self.judge(self._inputs(data))[0].cpu() for data in batches]
        scores = torch.cat(
            [one for part in all_gather_object(own) for one in part]
        )
        self.normal_scores = scores.to(self.unused.device)
        self.train(mode)
        return len(scores)

    def _inputs(self, data: dict) -> Tensor:
        """Return the normalised images of a batch."""
        return self.data_preprocessor(data, False)['inputs']

    def threshold(self) -> Tensor:
        """Return what a share ``false_alarms`` of normal images exceeds."""
        return self.normal_scores.quantile(1 - self.false_alarms)

    def check_learnt(self, buffer: Tensor) -> None:
        """Raise RuntimeError if a buffer that must be filled is empty."""
        if not buffer.numel():
            raise RuntimeError(
                f'{type(self).__name__} has learnt nothing: train it with '
                "dict(type='mmocc.AnomalyReferenceHook') in custom_hooks, or "
                'load its checkpoint'
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        # Only the checkpoint knows the sizes of what was learnt.
        for name, buffer in self.named_buffers(recurse=False):
            stored = state_dict.get(f'{prefix}{name}')
            if stored is not None and stored.shape != buffer.shape:
                setattr(self, name, buffer.new_zeros(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


def smooth_maps(maps: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Return maps (N, h, w) at a size (H, W), bilinear, and blurred.

    ``sigma`` is that of the Gaussian in pixels of the result; 0: no blur.
    """
    maps = F.interpolate(maps[:, None], size, mode='bilinear')
    if sigma > 0:
        # The blur reflects at borders, as far as the image reaches.
        reach = min(round(4 * sigma), min(size) - 1)
        maps = gaussian_blur(maps, [2 * reach + 1] * 2, [sigma] * 2)
    return maps[:, 0]
