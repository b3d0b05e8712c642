"""Accuracy of classifiers by occluder kind and level.

The 13 cells of the occluded-vehicle tables: L0 (clean), and each kind at L1,
L2 and L3. An occlusion depends on (seed, sample, kind, level) only, so that
every model sees the same ones.
"""

import copy
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint
from torch import nn
from torch.utils.data import DataLoader

from mmocc.occlusion import KINDS, LEVELS

CLEAN = 'L0'
HARD_LEVELS = tuple(level for level in LEVELS if level != CLEAN)


def cell_names(
    kinds: Sequence[str] = KINDS, levels: Sequence[str] = HARD_LEVELS
) -> list[str]:
    """Return the names of a table's cells: ``L0``, ``L1 white``, ..."""
    return [CLEAN, *(f'{lv} {kind}' for lv in levels for kind in kinds)]


def insert_occlude(pipeline: list[dict], occlude: dict) -> list[dict]:
    """Return a test pipeline with an occlusion before the packing step.

    That is after loading and all geometric steps: the place where the object
    is seen just as the model will see it.

    Raises:
        ValueError: If the pipeline has no ``Pack...`` transform.
    """
    for place, step in enumerate(pipeline):
        if step['type'].rpartition('.')[2].startswith('Pack'):
            return [*pipeline[:place], occlude, *pipeline[place:]]
    names = [step['type'] for step in pipeline]
    raise ValueError(
        'no place for the occlusion: looked for a transform named Pack... '
        f'(PackInputs, PackDetInputs) in the test pipeline {names}'
    )


def cell_loader(
    cfg: Config, cell: str, every: int = 1, **occlude_args
) -> DataLoader:
    """Build a config's test dataloader with the occlusion of one cell.

    Args:
        cfg: A host config with ``test_dataloader``.
        cell: Name from :func:`cell_names`.
        every: Take only every n-th image of the test set.
        **occlude_args: Further arguments of ``mmocc.Occlude``.
    """
    loader = copy.deepcopy(cfg.test_dataloader)
    if cell != CLEAN:
        level, kind = cell.split()
        occlude = dict(
            type='mmocc.Occlude', kind=kind, level=level, **occlude_args
        )
        loader.dataset.pipeline = insert_occlude(
            loader.dataset.pipeline, occlude
        )
    built = Runner.build_dataloader(loader)
    if every > 1:
        built.dataset.get_subset_(list(range(0, len(built.dataset), every)))
    return built


def load_model(cfg: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """Build a config's model and load a checkpoint that must fill it.

    Raises:
        ValueError: If the checkpoint lacks a tensor of the model.
        RuntimeError: If a tensor has another shape (PyTorch's message).
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    model_cfg = copy.deepcopy(cfg.model)
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


@torch.no_grad()
def run_cell(
    models: dict[str, nn.Module],
    cfg: Config,
    cell: str,
    amp: bool = False,
    **occlude_args,
) -> dict[str, dict[str, float | int]]:
    """Return each model's top-1 accuracy in one cell, on the same batches.

    Args:
        models: Models by name, in eval mode, all with the test data of
            ``cfg``; each image is loaded and occluded once for all of them.
        cfg: The config whose ``test_dataloader`` is used.
        cell: Name from :func:`cell_names`.
        amp: Predict in autocast: float16 on a GPU, bfloat16 on a CPU.
        **occlude_args: Further arguments of ``mmocc.Occlude``.

    Returns:
        ``accuracy`` in percent and number of ``images`` by model name.
    """
    hits = {name: [] for name in models}
    for batch in cell_loader(cfg, cell, **occlude_args):
        for name, model in models.items():
            device = next(model.parameters()).device.type
            with torch.autocast(device, enabled=amp):
                samples = model.test_step(batch)
            hits[name] += [
                int(sample.pred_score.argmax()) == int(sample.gt_label)
                for sample in samples
            ]
    return {
        name: dict(accuracy=100 * float(np.mean(hit)), images=len(hit))
        for name, hit in hits.items()
    }


def summary(cells: dict[str, dict]) -> dict[str, float]:
    """Return the means that tables report, in percent.

    Args:
        cells: Result of :func:`run_cell` by cell name.

    Returns:
        ``mean`` over all cells as in the papers, ``L0``, the mean of each
        other level over kinds, and ``L1-L3``, the mean over occluded cells.
    """
    acc = {name: cell['accuracy'] for name, cell in cells.items()}
    means = {'mean': float(np.mean(list(acc.values()))), CLEAN: acc[CLEAN]}
    for level in HARD_LEVELS:
        values = [v for k, v in acc.items() if k.startswith(level)]
        if values:
            means[level] = float(np.mean(values))
    hard = [v for k, v in acc.items() if k != CLEAN]
    if hard:
        means['L1-L3'] = float(np.mean(hard))
    return means


def markdown_table(models: dict[str, dict[str, dict]]) -> str:
    """Return a Markdown table: a row for each model, a column for each cell.

    Args:
        models: Cells by model name.
    """
    names = list(next(iter(models.values())))
    heads = ['model', *names, 'mean', 'L1-L3']
    rows = [heads, ['---'] + ['---:'] * (len(heads) - 1)]
    for model, cells in models.items():
        means = summary(cells)
        values = [cells[name]['accuracy'] for name in names]
        values += [means['mean'], means.get('L1-L3', float('nan'))]
        rows.append([model, *(f'{value:.1f}' for value in values)])
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def write_results(
    models: dict[str, dict[str, dict]], meta: dict, out_dir: str | Path
) -> None:
    """Write ``occlusion.json``, ``.csv`` and ``.md`` into a folder.

    Args:
        models: Cells by model name.
        meta: How the numbers were made: command, seed, device, ...
        out_dir: Made if absent.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    full = {
        name: dict(cells=cells, **summary(cells))
        for name, cells in models.items()
    }
    (out_dir / 'occlusion.json').write_text(
        json.dumps(dict(meta=meta, models=full), indent=2) + '\n'
    )
    with (out_dir / 'occlusion.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['model', 'cell', 'accuracy', 'images'])
        for name, cells in models.items():
            for cell, result in cells.items():
                row = [f'{result["accuracy"]:.4f}', result['images']]
                writer.writerow([name, cell, *row])
    (out_dir / 'occlusion.md').write_text(markdown_table(models) + '\n')
