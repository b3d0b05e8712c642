"""The answers of classifiers in each cell.

An occlusion depends on (seed, image, kind, level) only, so that every model
sees the same ones, whatever the number of workers or processes, the batch size
and the order of the images. Of each image, only a few numbers are kept.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmocc.datasets.channel_order import to_rgb_of
from mmocc.occlusion import (
    CLEAN,
    CutOffError,
    EmptyRegionError,
    UnreachableLevelError,
)
from mmocc.occlusion.occlude_objects import TOO_SMALL
from mmocc.report.answers import (
    CORRUPT,
    CUT_OFF,
    NO_PIXEL,
    THUMBNAIL,
    Answers,
    Fault,
    UnreadableError,
)
from mmocc.report.cells import make_occlude, occlude_dataset
from mmocc.utils import ranks

if TYPE_CHECKING:
    from mmengine.config import Config

REASONS: dict[type[Exception], str] = {
    UnreachableLevelError: TOO_SMALL,
    CutOffError: CUT_OFF,
    EmptyRegionError: NO_PIXEL,
    UnreadableError: CORRUPT,
}
# What is known of an image, whatever a model answers, and its type.
KNOWN = dict(
    label=np.int64,
    share=np.float32,
    identity=str,
    photo=str,
    thumbnail=np.uint8,
)
CLEAR = np.zeros((THUMBNAIL, THUMBNAIL), np.uint8)  # nothing is hidden


class CheckedDataset(Dataset):
    """Give each sample with its index, or the reason why there is none.

    ``every`` takes only every n-th sample; its occlusion stays the same.
    """

    def __init__(self, dataset: Any, every: int = 1) -> None:
        self.dataset = dataset
        self.places = range(0, len(dataset), every)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.places)

    def __getitem__(self, item: int) -> tuple[int, dict] | Fault:
        """Return (index, packed sample), or a fault.

        What the pipeline raises for an image that can be read is raised.
        """
        index = self.places[item]
        try:
            return index, self.dataset[index]
        except Exception as error:
            for kind, reason in REASONS.items():
                if isinstance(error, kind):
                    return Fault(index, reason, str(error))
            path = self._unreadable(index)
            if path is None:
                raise
            return Fault(index, CORRUPT, f'{path}: {error}')

    def _unreadable(self, index: int) -> str | None:
        """Return the path of a sample's image if it cannot be read."""
        info: dict = getattr(self.dataset, 'get_data_info', lambda _: {})(
            index
        )
        path = info.get('img_path')
        if path is None:
            return None
        return None if can_read(path) else str(path)


def can_read(path: str | Path) -> bool:
    """Return whether a picture can be read, as mmcv's loader reads it."""
    try:
        if '://' in str(path):
            import mmcv

            return mmcv.imread(path) is not None
        data = np.fromfile(path, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR) is not None
    except Exception:
        return False


def collate_checked(
    batch: list, collate: Callable
) -> tuple[list[int], Any, list[Fault]]:
    """Collate the samples of a batch and keep its faults apart.

    Returns indices, the host's batch (None if all are at fault), faults.
    """
    faults = [item for item in batch if isinstance(item, Fault)]
    good = [item for item in batch if not isinstance(item, Fault)]
    indices = [index for index, _ in good]
    packed = collate([sample for _, sample in good]) if good else None
    return indices, packed, faults


def collate_function(cfg: 'Config') -> Callable:
    """Return the function by which a config's test loader makes batches."""
    collate = cfg.test_dataloader.get('collate_fn')
    if callable(collate):
        return collate
    from mmengine.registry import FUNCTIONS

    from mmocc.utils.config_types import find_class

    collate = dict(collate or dict(type='pseudo_collate'))
    kind = find_class(collate.pop('type'), FUNCTIONS)
    return partial(kind, **collate)


def cell_loader(
    cfg: 'Config', dataset: Any, cell: str, every: int = 1, **occlude_args: Any
) -> DataLoader:
    """Return the loader of one cell: :func:`collate_checked` batches.

    ``every`` takes only every n-th image, with the same occlusion;
    ``occlude_args`` are those of ``mmocc.Occlude``.
    """
    loader = cfg.test_dataloader
    occlude = make_occlude(cell, **occlude_args)
    dataset = occlude_dataset(dataset, occlude, cell, to_rgb_of(cfg))
    checked = CheckedDataset(dataset, every)
    return DataLoader(
        checked,
        batch_size=loader.get('batch_size', 1),
        sampler=ranks.sampler(checked),
        num_workers=loader.get('num_workers', 0),
        collate_fn=partial(collate_checked, collate=collate_function(cfg)),
        pin_memory=torch.cuda.is_available(),
    )


@torch.no_grad()
def predict(
    models: dict[str, Any], loader: Iterable, amp: bool = False
) -> dict[str, Answers]:
    """Return each model's answers to the same batches, from all processes.

    The ``models`` are in eval mode and have the same test data: an image is
    loaded and occluded once for all. ``loader`` is a :func:`cell_loader`.
    ``amp`` predicts in autocast: float16 on a GPU, bfloat16 on a CPU.

    Raises:
        ValueError: If an image has not just one label, or a score is NaN.
    """
    images: list[dict] = []
    tops: dict[str, list[tuple]] = {name: [] for name in models}
    proper = dict.fromkeys(models, True)
    faults: list[Fault] = []
    for indices, batch, bad in loader:
        faults += bad
        if batch is None:
            continue
        for name, model in models.items():
            device = next(model.parameters()).device.type
            with torch.autocast(device, enabled=amp):
                samples = model.test_step(batch)
            scores = _scores(samples, name)
            proper[name] &= are_probabilities(scores, 1e-2 if amp else 1e-3)
            labels = torch.tensor([_label(sample) for sample in samples])
            tops[name] += top_answers(scores, labels)
        images += map(_known, indices, samples)
    part = dict(images=images, tops=tops, proper=proper, faults=faults)
    return _merge(list(models), ranks.gather(part))


@torch.no_grad()
def count_outputs(model: Any, cfg: 'Config', dataset: Any) -> int | None:
    """Return how many scores a classifier gives, from one image.

    None if no image of the test set can be read.

    Raises:
        ValueError: If the image has not just one label.
    """
    clean = occlude_dataset(dataset, None, CLEAN, to_rgb_of(cfg))
    checked = CheckedDataset(clean)
    for item in map(checked.__getitem__, range(len(checked))):
        if not isinstance(item, Fault):
            [sample] = model.test_step(collate_function(cfg)([item[1]]))
            _label(sample)
            return sample.pred_score.numel()
    return None


def _scores(samples: Sequence[Any], model: str) -> Tensor:
    """Return the samples' scores, (N, classes) in float32, without NaN."""
    scores = torch.stack([sample.pred_score for sample in samples]).float()
    lost = scores.isnan().any(dim=1)
    if lost.any():
        path = samples[int(lost.int().argmax())].get('img_path', 'an image')
        raise ValueError(
            f'{path}: the scores of model {model!r} are NaN; look at its '
            'weights, and leave --amp off'
        )
    return scores


def top_answers(
    scores: Tensor, labels: Tensor
) -> list[tuple[int, float, int, float]]:
    """Return what is kept of the scores (N, classes) of N images.

    It is the answer and its score; how many classes have a higher score than
    the true one, and its score: -1 and NaN where ``labels`` (N,) has none.
    """
    confidence, pred = scores.max(dim=1)
    labels = labels.to(scores.device)
    known = (labels >= 0) & (labels < scores.shape[1])
    truth = scores.gather(1, (labels * known)[:, None])
    rank = (scores > truth).sum(dim=1).where(known, -1)
    truth = truth[:, 0].where(known, float('nan'))
    parts = (pred, confidence, rank, truth)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def are_probabilities(scores: Tensor, tolerance: float = 1e-3) -> bool:
    """Return whether rows of scores (N, classes) are >= 0 and sum to 1."""
    sums = scores.sum(dim=1)
    return bool((scores >= 0).all() and ((sums - 1).abs() <= tolerance).all())


def _known(index: int, sample: Any) -> dict[str, Any]:
    """Return what is known of an image, whatever a model answers."""
    identity = sample.get('occlusion_identity', f'index:{index}')
    return dict(
        index=index,
        label=_label(sample),
        share=sample.get('occlusion_share', 0.0),
        identity=identity,
        photo=sample.get('occlusion_photo', identity),
        thumbnail=sample.get('occlusion_thumbnail', CLEAR),
        region=sample.get('occlusion_region', 'image'),
    )


def _label(sample: Any) -> int:
    """Return the true class of a sample that must have just one."""
    if len(sample.gt_label) != 1:
        raise ValueError(
            f'{sample.get("img_path", "an image")}: the occlusion benchmark '
            'is for single-label classifiers, but the image has '
            f'{len(sample.gt_label)} labels'
        )
    return int(sample.gt_label)


def _merge(names: list[str], parts: list[dict]) -> dict[str, Answers]:
    """Join the results of all processes, each image once, in order."""
    images = [image for part in parts for image in part['images']]
    # Samplers repeat some images so that every process has as many.
    index, first = np.unique(
        np.array([image['index'] for image in images], np.int64),
        return_index=True,
    )
    images = [images[row] for row in first]
    faults = {f.index: f for part in parts for f in part['faults']}
    known: dict[str, Any] = {
        name: np.array([image[name] for image in images], dtype)
        for name, dtype in KNOWN.items()
    }
    merged = {}
    for name in names:
        tops = [top for part in parts for top in part['tops'][name]]
        tops = [tops[row] for row in first]
        merged[name] = Answers(
            index=index,
            pred=np.array([top[0] for top in tops], np.int64),
            confidence=np.array([top[1] for top in tops], np.float32),
            rank=np.array([top[2] for top in tops], np.int64),
            truth=np.array([top[3] for top in tops], np.float32),
            probabilities=all(part['proper'][name] for part in parts),
            regions=dict(Counter(image['region'] for image in images)),
            faults=[faults[i] for i in sorted(faults)],
            **known,
        )
    return merged


def check_same_classes(classes: dict[str, Sequence[str] | None]) -> None:
    """Raise ValueError if two models' test sets have different classes.

    None where a model's classes are not known.
    """
    known = {m: list(names) for m, names in classes.items() if names}
    for model, names in known.items():
        first = next(iter(known))
        if names != known[first]:
            different = sorted(set(names) ^ set(known[first]))[:5]
            raise ValueError(
                f'{model!r} and {first!r} have different class lists '
                f'({len(names)} and {len(known[first])} classes; different: '
                f'{", ".join(different) or "their order"}); '
                'compare only models of the same classes'
            )
