"""Average precision of detectors by occluder kind and level.

The test set, the model and the ``test_evaluator`` are a config's own; only
the images change. ``L0`` is what ``tools/test.py`` gives; in the other cells
:class:`mmocc.OccludeObjects` hides objects right after the image is loaded.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Subset

from mmocc.datasets.transforms.occlude_objects import IGNORED, OccludeObjects
from mmocc.occlusion import CLEAN
from mmocc.occlusion.occlude_objects import BELOW, INSIDE, TOO_SMALL
from mmocc.report.cells import (
    change_pipelines,
    insert_after_loading,
    make_occlude,
)
from mmocc.report.detections import KeepDetections
from mmocc.report.progress import ReportProgress
from mmocc.utils.config_types import scope_of


def det_cell_loader(
    cfg: Config, cell: str, every: int = 1, **occlude_args: Any
) -> DataLoader:
    """Build a config's test dataloader with the occlusion of one cell.

    ``every`` takes only every n-th image, with the same occlusion;
    ``occlude_args`` are those of ``mmocc.OccludeObjects``, by default seed 0.

    Raises:
        ValueError: If the cell is unknown, a bank is missing, or the test
            pipeline has no place for the occlusion.
    """
    occlude_args.setdefault('seed', 0)
    dataset = build_det_dataset(cfg)
    occlude = make_occlude(cell, OccludeObjects, **occlude_args)
    change = partial(insert_after_loading, occlude=occlude)
    try:
        dataset = change_pipelines(dataset, change)
    except ValueError:
        if occlude is not None:
            raise
        # A plain test needs no place; its objects are not noted.
    if every > 1:
        dataset = Subset(dataset, range(0, len(dataset), every))
    loader = dict(copy.deepcopy(cfg.test_dataloader), dataset=dataset)
    return Runner.build_dataloader(loader)


def build_det_dataset(cfg: Config) -> Any:
    """Build the test set of a detector's config."""
    init_default_scope(scope_of(cfg, 'mmdet'))
    dataset = DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


@torch.no_grad()
def run_det_cell(
    model: nn.Module,
    cfg: Config,
    cell: str,
    amp: bool = False,
    every: int = 1,
    progress: ReportProgress | None = None,
    keep: KeepDetections | None = None,
    **occlude_args: Any,
) -> dict[str, float]:
    """Return what a config's ``test_evaluator`` gives in one cell.

    Arguments are those of :func:`det_cell_loader`; ``amp`` predicts in
    autocast: float16 on a GPU, bfloat16 on a CPU. With a launcher, each
    process takes its part of the images, and all return the result.
    ``progress`` moves on by 1; ``keep`` gets the detections of each photo.

    Returns:
        Metrics by name, such as ``coco/bbox_mAP`` in [0, 1]; and except for
        ``L0`` the counts of :class:`ObjectCounts`.

    Raises:
        ValueError: As :func:`det_cell_loader`; or if there is no metric.
    """
    loader = det_cell_loader(cfg, cell, every, **occlude_args)
    metrics: list[Any] = copy.deepcopy(evaluators(cfg))
    if cell != CLEAN:
        metrics.append(ObjectCounts())
    if keep is not None:
        metrics.append(keep)
    batches = progress.track(loader, cell, 1) if progress else None
    return evaluate(model, loader, metrics, amp, batches)


def evaluators(cfg: Config) -> list[Any]:
    """Return the configs of a config's test metrics, one or several."""
    metrics = cfg.test_evaluator
    return list(metrics) if isinstance(metrics, list) else [metrics]


class ObjectCounts(BaseMetric):
    """Count the objects inside the level, and those that are not.

    Reads what ``mmocc.OccludeObjects`` stored as metainfo. Gives, under
    ``occlusion/``, the number of ``objects`` that count for the metrics; of
    these, those ``inside`` the level, ``below`` it and ``too_small`` for it,
    and ``mean_share``, their mean hidden share; and of ``ignored`` ones.
    """

    default_prefix = 'occlusion'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the shares and states of each sample's objects."""
        for sample in data_samples:
            pair = (sample['occlusion_shares'], sample['occlusion_status'])
            self.results.append(pair)

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Return the counts and the mean share (NaN without objects)."""
        objects = [o for pair in results for o in zip(*pair, strict=True)]
        states = Counter(state for _, state in objects)
        counts = {name: states[name] for name in (INSIDE, BELOW, TOO_SMALL)}
        hidden = [
            float(share)
            for share, state in objects
            if state != IGNORED and not np.isnan(share)
        ]
        return dict(
            objects=sum(counts.values()),
            **counts,
            ignored=states[IGNORED],
            mean_share=float(np.mean(hidden)) if hidden else float('nan'),
        )


def evaluate(
    model: nn.Module,
    loader: DataLoader,
    metrics: Sequence[dict | BaseMetric],
    amp: bool = False,
    batches: Iterable | None = None,
) -> dict[str, float]:
    """Run a model over a test set and return the metrics' results.

    ``batches`` are the loader's, if they are counted. ``metrics`` are configs
    or built ones; COCO's AP without any detection is 0. It raises ValueError
    if no metric gives a result.
    """
    evaluator = Evaluator(list(metrics))
    dataset: Any = loader.dataset
    source = dataset
    if isinstance(dataset, Subset):
        _restrict(evaluator, dataset)
        source = dataset.dataset
    evaluator.dataset_meta = source.metainfo
    device = next(model.parameters()).device.type
    for batch in loader if batches is None else batches:
        samples = _predict(model, batch, device, amp)
        evaluator.process(data_samples=samples, data_batch=batch)
    results = evaluator.evaluate(len(dataset))
    for metric in evaluator.metrics:
        _fill_empty(metric, results)
    if all(name.startswith('occlusion/') for name in results):
        raise ValueError(
            'the test_evaluator gives no metric; remove format_only=True from '
            'it, and let it read the annotations of the test set'
        )
    return {  # numbers of NumPy and torch as Python's
        name: value.item() if hasattr(value, 'item') else value
        for name, value in results.items()
    }


def _predict(model: Any, batch: dict, device: str, amp: bool) -> Sequence:
    """Return a batch's samples with predictions, in float32."""
    with torch.autocast(device, enabled=amp):
        try:
            samples = model.test_step(batch)
        except RuntimeError as error:
            if device == 'cpu' and amp and 'BFloat16' in str(error):
                raise RuntimeError(
                    'mmcv has no bfloat16 for this detector on a CPU (NMS '
                    'does not): leave amp off, or use a GPU'
                ) from error
            raise
    for sample in samples if amp else ():
        instances = sample.get('pred_instances', {})
        for name, value in instances.items():
            if torch.is_tensor(value) and value.is_floating_point():
                instances.set_field(value.float(), name)
    return samples


def _fill_empty(metric: BaseMetric, results: dict) -> None:
    """Add the zeros that mmdet's COCO metric leaves out without detections."""
    kinds = getattr(metric, 'metrics', None)
    if kinds is None or getattr(metric, 'format_only', False):
        return
    if any(name.startswith(f'{metric.prefix}/') for name in results):
        return
    for kind in kinds:
        for item in metric.metric_items or ('mAP', 'mAP_50', 'mAP_75'):
            results[f'{metric.prefix}/{kind}_{item}'] = 0.0


def _restrict(evaluator: Evaluator, subset: Subset) -> None:
    """Make COCO's metrics expect predictions for a subset's images only."""
    dataset: Any = subset.dataset
    metrics = [m for m in evaluator.metrics if hasattr(m, 'img_ids')]
    if metrics:
        infos = (dataset.get_data_info(index) for index in subset.indices)
        ids = [info['img_id'] for info in infos]
        for metric in metrics:
            metric.img_ids = ids
