"""The occlusion benchmark: the answers of classifiers in each cell.

The 13 cells of the occluded-vehicle tables: L0 (clean), and each occluder
kind at L1, L2 and L3. An occlusion depends on (seed, sample, kind, level)
only, so that every model sees the same ones, whatever the number of workers
or processes and the batch size. What is kept of an image are a few numbers:
memory does not grow with the images.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object
from mmengine.registry import (
    DATASETS,
    FUNCTIONS,
    MODELS,
    init_default_scope,
)
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mmocc.occlusion import UnreachableLevelError
from mmocc.report.answers import CORRUPT, TOO_SMALL, Answers, Fault
from mmocc.report.cells import make_occlude, occlude_dataset


class CheckedDataset(Dataset):
    """Give each sample with its index, or say why there is none.

    Args:
        dataset: A test set.
        every: Take only every n-th sample; its occlusion stays the same.
    """

    def __init__(self, dataset: Dataset, every: int = 1) -> None:
        self.dataset = dataset
        self.places = range(0, len(dataset), every)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.places)

    def __getitem__(self, item: int) -> tuple[int, dict] | Fault:
        """Return (index, packed sample), or a fault.

        Raises:
            Exception: Whatever the pipeline raised for an image that can be
                read.
        """
        index = self.places[item]
        try:
            return index, self.dataset[index]
        except UnreachableLevelError as error:
            return Fault(index, TOO_SMALL, str(error))
        except Exception as error:
            message = self._unreadable(index)
            if message is None:
                raise
            return Fault(index, CORRUPT, f'{message}: {error}')

    def _unreadable(self, index: int) -> str | None:
        """Return the path of a sample's image if it cannot be read."""
        info = getattr(self.dataset, 'get_data_info', lambda _: {})(index)
        path = info.get('img_path')
        if path is None:
            return None
        try:
            return None if mmcv.imread(path) is not None else str(path)
        except Exception:
            return str(path)


def collate_checked(batch: list, collate: Callable) -> tuple:
    """Collate the samples of a batch and keep its faults apart.

    Returns:
        Indices, the host's batch (None if every sample is at fault), faults.
    """
    faults = [item for item in batch if isinstance(item, Fault)]
    good = [item for item in batch if not isinstance(item, Fault)]
    indices = [index for index, _ in good]
    packed = collate([sample for _, sample in good]) if good else None
    return indices, packed, faults


def build_test_set(cfg: Config) -> Dataset:
    """Build the test set of a host's config."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def cell_loader(
    cfg: Config,
    dataset: Dataset,
    cell: str,
    every: int = 1,
    **occlude_args: Any,
) -> DataLoader:
    """Return the loader of one cell: :func:`collate_checked` batches.

    Args:
        cfg: A host's config with ``test_dataloader``.
        dataset: Its test set.
        cell: Name from :func:`mmocc.occlusion.cell_names`.
        every: Take only every n-th image.
        **occlude_args: Further arguments of ``mmocc.Occlude``.
    """
    loader = cfg.test_dataloader
    collate = loader.get('collate_fn') or dict(type='pseudo_collate')
    collate = partial(FUNCTIONS.get(collate['type']), **_less_type(collate))
    occlude = make_occlude(cell, **occlude_args)
    seen = CheckedDataset(occlude_dataset(dataset, occlude, cell), every)
    return DataLoader(
        seen,
        batch_size=loader.get('batch_size', 1),
        sampler=DefaultSampler(seen, shuffle=False),
        num_workers=loader.get('num_workers', 0),
        collate_fn=partial(collate_checked, collate=collate),
        pin_memory=torch.cuda.is_available(),
    )


def _less_type(cfg: dict) -> dict:
    return {key: value for key, value in cfg.items() if key != 'type'}


def load_model(cfg: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """Build a config's model and load a checkpoint that must fill it.

    Raises:
        ValueError: If the checkpoint lacks a tensor of the model.
        RuntimeError: If a tensor has another shape (PyTorch's message).
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    model_cfg = copy.deepcopy(cfg.model)  # hosts read it by attribute
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(model_cfg)
    loaded = _load_checkpoint(checkpoint, map_location='cpu')
    state = loaded.get('state_dict', loaded)
    missing = [
        key
        for key in model.load_state_dict(state, strict=False).missing_keys
        if not key.endswith(('num_batches_tracked', 'occluder.steps'))
    ]
    if missing:
        raise ValueError(
            f'{checkpoint} does not fit the model: {missing[0]} is missing '
            f'(and {len(missing) - 1} more)'
        )
    return model.to(device).eval()


def _top1(samples: Sequence) -> tuple[Tensor, Tensor]:
    """Return the scores and classes of the answers in a batch."""
    return torch.stack([s.pred_score for s in samples]).float().max(dim=1)


@torch.no_grad()
def predict(
    models: dict[str, nn.Module], loader: Iterator, amp: bool = False
) -> dict[str, Answers]:
    """Return each model's answers to the same batches, from all processes.

    Args:
        models: Models by name, in eval mode, with the same test data; each
            image is loaded and occluded once for all of them.
        loader: From :func:`cell_loader`.
        amp: Predict in autocast: float16 on a GPU, bfloat16 on a CPU.
    """
    shown = dict(index=[], label=[], share=[])
    said = {name: dict(confidence=[], pred=[]) for name in models}
    regions, faults = [], []
    for indices, batch, bad in loader:
        faults += bad
        if batch is None:
            continue
        for name, model in models.items():
            device = next(model.parameters()).device.type
            with torch.autocast(device, enabled=amp):
                samples = model.test_step(batch)
            score, pred = _top1(samples)
            said[name]['confidence'].append(score.cpu().numpy())
            said[name]['pred'].append(pred.cpu().numpy())
        shown['index'].append(indices)
        shown['label'].append([_label(sample) for sample in samples])
        shares = [sample.get('occlusion_share', 0.0) for sample in samples]
        shown['share'].append(shares)
        regions += [s.get('occlusion_region', 'image') for s in samples]
    mine = dict(regions=regions, faults=faults)
    for key, parts in shown.items():
        mine[key] = np.concatenate([*parts, []])
    for name, answer in said.items():
        for key, parts in answer.items():
            mine[name, key] = np.concatenate([*parts, []])
    return _merge(list(models), all_gather_object(mine))


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
    """Join what the processes found, each image once, in order."""
    joint = {
        key: np.concatenate([part[key] for part in parts])
        for key in parts[0]
        if key != 'faults'
    }
    # Samplers repeat some images so that every process has as many.
    index, first = np.unique(joint['index'], return_index=True)
    kinds, counts = np.unique(joint['regions'][first], return_counts=True)
    faults = {f.index: f for part in parts for f in part['faults']}
    return {
        name: Answers(
            index=index.astype(np.int64),
            label=joint['label'][first].astype(np.int64),
            pred=joint[name, 'pred'][first].astype(np.int64),
            confidence=joint[name, 'confidence'][first].astype(np.float32),
            share=joint['share'][first].astype(np.float32),
            regions=dict(zip(kinds.tolist(), counts.tolist(), strict=True)),
            faults=[faults[i] for i in sorted(faults)],
        )
        for name in names
    }


def check_same_classes(classes: dict[str, Sequence[str] | None]) -> None:
    """Raise ValueError if two models' test sets have different classes.

    Args:
        classes: Class names by model; None where they are not known.
    """
    known = {m: list(names) for m, names in classes.items() if names}
    for model, names in known.items():
        first = next(iter(known))
        if names != known[first]:
            odd = sorted(set(names) ^ set(known[first])) or 'their order'
            raise ValueError(
                f'{model!r} and {first!r} have different class lists '
                f'({len(names)} and {len(known[first])} classes; different: '
                f'{odd if isinstance(odd, str) else ", ".join(odd[:5])}); '
                'compare only models of the same classes'
            )
