"""How well images and pixels of defective parts are found, by category."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from mmocc.evaluation.anomaly_pages import paste_maps
from mmocc.evaluation.anomaly_values import (
    PixelCounts,
    add_counts,
    aupimo,
    count_pixels,
    mean_or_none,
    pixel_values,
    rank_metric,
)
from mmocc.registry import METRICS

GOOD = 'good'
MEAN = 'mean'  # the name of the means over categories


@METRICS.register_module()
class ImageAnomalyMetric(BaseMetric):
    """AUROC, AP, F1, AUPRO and AUPIMO of images and pixels, by category.

    For ``mmocc.AnomalyImages`` and any model whose ``pred_instances`` have
    ``anomaly_scores`` and ``errors``: ``mmocc.DEA`` and the baselines. An
    image scores as its most anomalous detection. All values are in [0, 1]:

    * ``CATEGORY/image_auroc``, ``image_ap``, ``image_f1_max``: the last over
      all thresholds.
    * ``CATEGORY/pixel_auroc``, ``aupro``, ``pixel_f1_max``: of the map that
      the objects' errors make, in pixels of the original image. Defective
      images without a mask do not count here.
    * ``CATEGORY/aupimo``: the mean over defective images of
      :func:`mmocc.evaluation.anomaly_values.aupimo`.
    * ``CATEGORY/false_alarms``, ``found``: shares of the good and of the
      defective images above the model's own threshold, if it has one.
    * ``CATEGORY/KIND/...``: the same for one kind of defect and all good
      images; ``images`` is the number of that kind.
    * ``mean/...``: means over the categories, which are never pooled.

    What is not defined is left out.

    Args:
        image_confidence: Confidence from which a detection counts for its
            image; an image without any scores below all others.
        pixel: Whether to judge pixels as well.
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: Prefix of the names.

    Raises:
        ValueError: While running, if predictions have no ``anomaly_scores``,
            or samples do not tell their category and kind.
    """

    default_prefix = 'parts'

    def __init__(
        self,
        image_confidence: float = 0.0,
        pixel: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.image_confidence = image_confidence
        self.pixel = pixel

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the scores and the counted pixels of a batch."""
        for sample in data_samples:
            self.results.append(self._record(sample))

    def _record(self, sample: dict) -> dict[str, Any]:
        """Return what counts of one image."""
        objects = sample['pred_instances']
        if 'anomaly_scores' not in objects or 'kind' not in sample:
            lack = 'kind' if 'anomaly_scores' in objects else 'anomaly_scores'
            raise ValueError(
                f'mmocc.ImageAnomalyMetric: {sample.get("img_path")} has no '
                f'{lack!r}; use mmocc.DEA or a baseline as model, '
                'mmocc.AnomalyImages as data set and mmocc.PackAnomalyInputs '
                'in the test pipeline'
            )
        keep = (objects['scores'] >= self.image_confidence).cpu().numpy()
        scores = objects['anomaly_scores'].float().cpu().numpy()[keep]
        record = dict(
            category=sample['category'],
            kind=sample['kind'],
            score=float(scores.max()) if len(scores) else -np.inf,
        )
        if 'is_anomaly' in objects:
            flags = objects['is_anomaly'].cpu().numpy()[keep]
            record['alarm'] = bool(flags.any())
        if self.pixel and sample.get('marked', True):
            truth = sample['gt_sem_seg']['sem_seg'][0].cpu().numpy()
            record['pixels'] = count_pixels(page_map(objects, truth), truth)
        return record

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the metrics of all categories, and their means."""
        values: dict[str, float] = {}
        whole = []
        for category in sorted({one['category'] for one in results}):
            own = [one for one in results if one['category'] == category]
            whole.append(defined(category_values(own)))
            values |= {f'{category}/{k}': v for k, v in whole[-1].items()}
            for kind in sorted({one['kind'] for one in own} - {GOOD}):
                part = [one for one in own if one['kind'] in (GOOD, kind)]
                found = defined(category_values(part))
                found['images'] = sum(one['kind'] == kind for one in own)
                prefix = f'{category}/{kind}'
                values |= {f'{prefix}/{k}': v for k, v in found.items()}
        for name in sorted({name for one in whole for name in one}):
            numbers = [one[name] for one in whole if name in one]
            values[f'{MEAN}/{name}'] = float(np.mean(numbers))
        if not values:
            print_log(
                'mmocc.ImageAnomalyMetric: nothing is defined: the images are '
                'all good, or all defective',
                logger='current',
                level=logging.WARNING,
            )
        return values


def page_map(objects: dict, truth: np.ndarray) -> np.ndarray:
    """Return the map (H, W) that the errors of objects make, 0 elsewhere."""
    arrays = (
        objects[name].float().cpu().numpy()
        for name in ('errors', 'bboxes', 'scores')
    )
    return paste_maps(np.zeros(truth.shape, np.float32), *arrays)


def defined(values: dict[str, float | None]) -> dict[str, float]:
    """Return the values that are not None."""
    return {k: v for k, v in values.items() if v is not None}


def f1_max(anomalous: np.ndarray, scores: np.ndarray) -> float:
    """Return the highest F1 over all thresholds, in [0, 1]."""
    precision, recall, _ = precision_recall_curve(anomalous, scores)
    both = precision + recall
    ratios = 2 * precision * recall / np.maximum(both, 1e-12)
    return float(ratios.max())


def category_values(records: Sequence[dict]) -> dict[str, float | None]:
    """Return the values of the images of one category; None if undefined.

    Args:
        records: ``kind`` and ``score`` of each, ``alarm`` and ``pixels`` of
            those that have them.
    """
    anomalous = np.array([one['kind'] != GOOD for one in records])
    scores = np.array([one['score'] for one in records])
    metrics = dict(
        image_auroc=roc_auc_score,
        image_ap=average_precision_score,
        image_f1_max=f1_max,
    )
    values = {
        name: rank_metric(metric, anomalous, scores)
        for name, metric in metrics.items()
    }
    alarms = [one.get('alarm') for one in records]
    if None not in alarms:
        flags = np.array(alarms)
        values['false_alarms'] = mean_or_none(flags[~anomalous])
        values['found'] = mean_or_none(flags[anomalous])
    marked = [one for one in records if 'pixels' in one]
    counts = [PixelCounts(*one['pixels']) for one in marked]
    if counts:
        values |= pixel_values(add_counts(counts))
        pairs = [*zip(marked, counts, strict=True)]
        normal = [part for one, part in pairs if one['kind'] == GOOD]
        defective = [part for part in counts if part.regions]
        if normal and defective:
            values['aupimo'] = float(np.mean(aupimo(normal, defective)))
    return values
