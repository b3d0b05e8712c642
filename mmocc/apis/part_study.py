"""From a folder of parts to a table: DEA beside its baselines.

Each method is trained and tested on each category by itself; its config, its
checkpoint and its log are in ``OUT/CATEGORY/METHOD-SEED``.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import nn

from mmocc.datasets.anomaly.find_layout import PartFolder
from mmocc.datasets.anomaly.layouts import LAYOUTS
from mmocc.utils import cli
from mmocc.utils.find_config import find_config

METHODS = {  # config: name
    'mean_image': 'mean image',
    'pca': 'PCA',
    'padim': 'PaDiM',
    'patchcore': 'PatchCore',
    'dea': 'DEA',
    'dea_features': 'DEA, features',  # beyond the paper
}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SHARE, HELD = 0.2, 4  # of the good training images, to hold back
PREFIX = 'parts/'  # of mmocc.ImageAnomalyMetric


def method_config(
    method: str,
    folder: PartFolder,
    category: str,
    boxes: str = 'image',
    false_alarms: float = 0.05,
    epochs: int | None = None,
    seed: int = 0,
) -> Config:
    """Return the config of a method for one category.

    Args:
        method: A key of :data:`METHODS`.
        folder: The data.
        category: One of its categories.
        boxes: As of ``mmocc.AnomalyImages``.
        false_alarms: Share of the held-back good images above the threshold.
        epochs: Of DEA; None for the config's.
        seed: Of all that is random.
    """
    cfg = Config.fromfile(find_config(f'dea/{method}_mvtec.py'))
    object.__setattr__(cfg, '_format_python_code', False)
    held = 0.0 if folder.has_validation else held_share(folder, category)
    for name in LOADERS:
        cfg[name].dataset.update(
            data_root=str(folder.root),
            layout=folder.layout,
            boxes=boxes,
            metainfo=dict(classes=(category,)),
        )
        cfg[name].dataset.held_back = held
    if folder.has_validation:
        cfg.val_dataloader.dataset.split = 'validation'
    cfg.randomness = dict(seed=seed)
    if method in ('padim', 'patchcore'):
        cfg.model.seed = seed
    if is_trained(method):
        cfg.model.judge.false_alarms = false_alarms
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            cfg.param_scheduler[0].T_max = epochs
    else:
        cfg.model.false_alarms = false_alarms
    cfg.default_hooks.checkpoint.interval = cfg.train_cfg.max_epochs
    return cfg


def held_share(folder: PartFolder, category: str) -> float:
    """Return which share of the good training images is held back.

    A fifth, and at least four images.

    Raises:
        ValueError: There are fewer than eight.
    """
    images = LAYOUTS[folder.layout](folder.root, 'train', [category])
    if len(images) < 2 * HELD:
        raise ValueError(
            f'{folder.root}: {len(images)} good training images of '
            f'{category!r} are too few: give {2 * HELD} or more'
        )
    return max(SHARE, HELD / len(images))


def run(cfg: Config, work_dir: Path) -> dict[str, float]:
    """Train and test a config; return its metrics.

    Besides those of ``mmocc.ImageAnomalyMetric``: ``fit_s``, seconds of the
    training, ``test_ms``, milliseconds for each image of the test with its
    metrics, and ``model_mb``, the size of weights and of what was learnt.
    """
    cfg.work_dir, cfg.launcher = str(work_dir), 'none'
    cfg.experiment_name = '_'.join(work_dir.parts[-2:])
    cli.fill_dataloaders(cfg, LOADERS)
    runner = cli.build_runner(cfg)
    started = time.perf_counter()
    runner.train()
    trained = time.perf_counter()
    metrics = runner.test()
    done = time.perf_counter()
    values = {k.removeprefix(PREFIX): v for k, v in metrics.items()}
    images = len(runner.test_dataloader.dataset)
    return values | dict(
        fit_s=trained - started,
        test_ms=1000 * (done - trained) / images,
        model_mb=size_of(runner.model) / 2**20,
    )


def size_of(model: nn.Module) -> int:
    """Return the bytes of a model's parameters and buffers."""
    model = model.module if is_model_wrapper(model) else model
    return sum(
        x.numel() * x.element_size() for x in model.state_dict().values()
    )


def study(
    folder: PartFolder,
    out: Path,
    methods: Sequence[str] = tuple(METHODS),
    categories: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Yield the values of each category, method and seed as they are done.

    What ``OUT/.../result.json`` has already is not computed again: it is for
    the same ``options``, those of :func:`method_config`.

    Raises:
        ValueError: A category is none of the folder's.
    """
    chosen = tuple(categories or folder.categories)
    unknown = [name for name in chosen if name not in folder.categories]
    if unknown:
        raise ValueError(
            f'{folder.root}: no category {unknown[0]!r}; there are '
            f'{", ".join(folder.categories)}'
        )
    for category in chosen:
        for method in methods:
            for seed in seeds if is_random(method) else seeds[:1]:
                work = out / category / f'{method}-{seed}'
                job = dict(category=category, method=method, seed=seed)
                asked = dict(job, root=str(folder.root), **options)
                if not is_trained(method):
                    asked['epochs'] = None  # they look once
                yield _once(work, asked, folder)


def _once(
    work: Path, asked: dict[str, Any], folder: PartFolder
) -> dict[str, Any]:
    """Return a result, computed unless its file is there."""
    path = work / 'result.json'
    if path.is_file():
        result = json.loads(path.read_text(encoding='utf-8'))
        if result['asked'] == asked:
            return result
    options = {k: v for k, v in asked.items() if k != 'root'}
    cfg = method_config(folder=folder, **options)
    result = dict(asked=asked, values=run(cfg, work))
    path.write_text(json.dumps(result, indent=1), encoding='utf-8')
    return result


def is_trained(method: str) -> bool:
    """Return whether a method has epochs: DEA, in each form."""
    return method.startswith('dea')


def is_random(method: str) -> bool:
    """Return whether a method gives other values with another seed."""
    return method not in ('mean_image', 'pca')
