"""Average precision of detectors by occluder kind and level.

For any mmdet config: the test set, the model and the ``test_evaluator`` are
the config's own; only the images change. In ``L0`` nothing is touched, so that
it is what ``tools/test.py`` gives. In the other cells each annotated object is
hidden by :class:`mmocc.OccludeObjects`, right behind the loading of the image.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from mmocc.datasets.transforms.occlude_objects import OccludeObjects
from mmocc.occlusion import CLEAN
from mmocc.report.cells import make_occlude
from mmocc.report.detector_cells import occlude_objects_of
from mmocc.report.object_counts import ObjectCounts


def det_cell_loader(
    cfg: Config, cell: str, every: int = 1, **occlude_args: Any
) -> DataLoader:
    """Build a config's test dataloader with the occlusion of one cell.

    Args:
        cfg: A host config with ``test_dataloader``.
        cell: Name from :func:`mmocc.occlusion.cell_names`.
        every: Take only every n-th image; its occlusion stays the same.
        **occlude_args: Further arguments of ``mmocc.OccludeObjects``.

    Raises:
        ValueError: If the cell is unknown, a bank is missing, or the test
            pipeline has no place for the occlusion.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    occlude_args.setdefault('seed', 0)
    occlude = make_occlude(cell, OccludeObjects, **occlude_args)
    loader = copy.deepcopy(cfg.test_dataloader)
    dataset = DATASETS.build(loader.pop('dataset'))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    if occlude is not None:
        dataset = occlude_objects_of(dataset, occlude)
    if every > 1:
        dataset = Subset(dataset, range(0, len(dataset), every))
    return Runner.build_dataloader(dict(loader, dataset=dataset))


@torch.no_grad()
def run_det_cell(
    model: nn.Module,
    cfg: Config,
    cell: str,
    amp: bool = False,
    every: int = 1,
    **occlude_args: Any,
) -> dict[str, float]:
    """Return what a config's ``test_evaluator`` gives in one cell.

    With a launcher, each process takes its part of the images, and all return
    the result.

    Args:
        model: A detector in eval mode.
        cfg: Its config, with ``test_dataloader`` and ``test_evaluator``.
        cell: Name from :func:`mmocc.occlusion.cell_names`.
        amp: Predict in autocast: float16 on a GPU, bfloat16 on a CPU.
        every: Take only every n-th image, and its objects.
        **occlude_args: Further arguments of ``mmocc.OccludeObjects``:
            ``texture_bank``, ``object_bank``, ``texture_size``, ``region``,
            ``seed``.

    Returns:
        The evaluator's metrics by name, such as ``coco/bbox_mAP`` in [0, 1];
        and except for ``L0`` the counts of
        :class:`~mmocc.report.object_counts.ObjectCounts`.

    Raises:
        ValueError: As :func:`det_cell_loader`; or if the evaluator gives no
            metric.
    """
    loader = det_cell_loader(cfg, cell, every, **occlude_args)
    metrics = copy.deepcopy(cfg.test_evaluator)
    metrics = list(metrics) if isinstance(metrics, list) else [metrics]
    if cell != CLEAN:
        metrics.append(ObjectCounts())
    return evaluate(model, loader, metrics, amp)


def evaluate(
    model: nn.Module,
    loader: DataLoader,
    metrics: Sequence[dict | BaseMetric],
    amp: bool = False,
) -> dict[str, float]:
    """Run a model over a test set and return what the metrics say.

    Args:
        model: In eval mode.
        loader: Its test data.
        metrics: Configs of metrics, or built ones. COCO's metric says nothing
            where no object at all was found; its AP is then given as 0.
        amp: Predict in autocast.

    Raises:
        ValueError: If no metric gives a result.
    """
    evaluator = Evaluator(list(metrics))
    dataset = loader.dataset
    if isinstance(dataset, Subset):
        _restrict(evaluator, dataset)
        evaluator.dataset_meta = dataset.dataset.metainfo
    else:
        evaluator.dataset_meta = dataset.metainfo
    device = next(model.parameters()).device.type
    for batch in loader:
        samples = _predict(model, batch, device, amp)
        evaluator.process(data_samples=samples, data_batch=batch)
    found = evaluator.evaluate(len(dataset))
    for metric in evaluator.metrics:
        _fill_empty(metric, found)
    if not any(name for name in found if not name.startswith('occlusion/')):
        raise ValueError(
            'the test_evaluator gives no metric; remove format_only=True from '
            'it, and let it read the annotations of the test set'
        )
    return {name: _plain(value) for name, value in found.items()}


def _predict(
    model: nn.Module, batch: dict, device: str, amp: bool
) -> Sequence:
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
    if amp:
        _as_float32(samples)
    return samples


def _fill_empty(metric: BaseMetric, found: dict) -> None:
    """Add the zeros that mmdet's COCO metric leaves out without detections."""
    kinds = getattr(metric, 'metrics', None)
    if kinds is None or getattr(metric, 'format_only', False):
        return
    if any(name.startswith(f'{metric.prefix}/') for name in found):
        return
    for kind in kinds:
        for item in metric.metric_items or ('mAP', 'mAP_50', 'mAP_75'):
            found[f'{metric.prefix}/{kind}_{item}'] = 0.0


def _restrict(evaluator: Evaluator, subset: Subset) -> None:
    """Make COCO's metrics expect predictions for a subset's images only."""
    ids = None
    for metric in evaluator.metrics:
        if hasattr(metric, 'img_ids'):
            ids = ids or [_img_id(subset.dataset, i) for i in subset.indices]
            metric.img_ids = ids


def _img_id(dataset: Dataset, index: int) -> Any:
    """Return the id of an image without loading it."""
    return dataset.get_data_info(index)['img_id']


def _as_float32(samples: Sequence) -> None:
    """Cast predictions, which metrics turn into arrays, in place."""
    for sample in samples:
        instances = sample.get('pred_instances', {})
        for name, value in instances.items():
            if torch.is_tensor(value) and value.is_floating_point():
                instances.set_field(value.float(), name)


def _plain(value: Any) -> Any:
    """Return a NumPy or torch number as Python's."""
    return value.item() if hasattr(value, 'item') else value
