"""How well a detector finds anomalous objects, missed ones included."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from sklearn.metrics import roc_auc_score

from mmocc.evaluation.anomaly_pages import (
    anomaly_truth,
    background_difference,
    paste_maps,
)
from mmocc.evaluation.anomaly_values import (
    PixelCounts,
    add_counts,
    count_pixels,
    mean_or_none,
    object_values,
    pixel_values,
    rank_metric,
)
from mmocc.registry import METRICS
from mmocc.utils.object_matching import match_objects

PREFIX = 'score_'


@METRICS.register_module()
class ObjectAnomalyMetric(BaseMetric):
    """AUROC and AP of objects, of images and of pixels, for each score.

    For models whose ``pred_instances`` have a ``score_NAME`` each
    (``mmocc.DEA``), on data whose samples tell what is anomalous
    (:mod:`mmocc.datasets.ornament_pages`). An object's score is that of its
    detection (:func:`mmocc.utils.object_matching.match_objects`). All values
    are in [0, 1] if nothing else is stated; those that are not defined are
    left out, with a warning:

    * ``detected_normal``, ``detected_anomaly``: share of objects that have a
      detection.
    * ``unmatched``: detections of nothing, for each image.
    * ``NAME_auroc``, ``NAME_ap``: over detected objects.
    * ``NAME_auroc_all``, ``NAME_ap_all``: over all objects; missed ones,
      anomalous or not, score below all others.
    * ``NAME_recall``: share of all anomalous objects above the score that
      ``false_alarms`` of the detected normal objects exceed.
    * ``NAME_image_auroc``: an image scores as its most anomalous detection of
      at least ``image_confidence``; one without any, below all others.
    * ``pearson_normal``, ``pearson_normal_std``, ``pearson_anomaly``,
      ``pearson_anomaly_std``, ``separation``: mean and standard deviation of
      the correlation, as in the paper's table II, and its
      |difference of means| / larger deviation.
    * ``pixel_auroc``, ``aupro``, ``pixel_f1_max``: of a map of the page, on
      which each object's absolute difference from its redrawing is pasted.

    Args:
        iou_thr: IoU from which a detection is of an object.
        min_confidence: Detections below do not count: the paper's P.
        image_confidence: Confidence from which a detection counts for its
            image: at low thresholds, each image has detections of nothing,
            which are anomalous.
        false_alarms: Share of normal objects for ``NAME_recall``.
        pixel: Whether to judge pixels as well.
        background: Shade of blank paper, 0 to 1. Where nothing was redrawn,
            the map is then |page - background|, so that missed objects appear
            in it, as in the paper. None: it is 0 there.
        figure: Image file for the separation figure, if any.
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: Prefix of the names.

    Raises:
        ValueError: While running, if predictions have no scores, or
            ``figure`` is set without Pearson's.
    """

    default_prefix = 'anomaly'

    def __init__(
        self,
        iou_thr: float = 0.5,
        min_confidence: float = 0.0,
        image_confidence: float = 0.0,
        false_alarms: float = 0.05,
        pixel: bool = True,
        background: float | None = None,
        figure: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thr = iou_thr
        self.min_confidence = min_confidence
        self.image_confidence = image_confidence
        self.false_alarms = false_alarms
        self.pixel = pixel
        self.background = background
        self.figure = figure

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the scores of a batch's objects."""
        for place, sample in enumerate(data_samples):
            detections = sample['pred_instances']
            keep = detections['scores'] >= self.min_confidence
            detections = {k: value[keep] for k, value in detections.items()}
            record = self._objects(sample, detections)
            if self.pixel:
                inputs = data_batch['inputs'][place]
                record['pixels'] = self._pixels(sample, detections, inputs)
            self.results.append(record)

    def _objects(self, sample: dict, detections: dict) -> dict:
        """Return each object's scores, NaN if missed, and the image's."""
        names = [n for n in detections if n.startswith(PREFIX)]
        if not names:
            raise ValueError(
                'mmocc.ObjectAnomalyMetric needs detections with score_NAME '
                f'fields, got {sorted(detections)}; use mmocc.DEA as model'
            )
        table = torch.stack([detections[n].float() for n in names], 1)
        table = table.cpu().numpy()
        truth = anomaly_truth(sample)
        match = match_objects(
            detections['bboxes'],
            detections['scores'],
            truth.boxes,
            self.iou_thr,
        ).numpy()
        scores = np.full((len(match), len(names)), np.nan)
        scores[match >= 0] = table[match[match >= 0]]
        anomalous = truth.anomaly.cpu().numpy()
        sure = detections['scores'] >= self.image_confidence
        return dict(
            names=[name.removeprefix(PREFIX) for name in names],
            scores=scores,
            anomalous=anomalous,
            image=table[sure.cpu().numpy()].max(0, initial=-np.inf),
            anomalous_image=bool(anomalous.any()),
            unmatched=len(table) - int((match >= 0).sum()),
        )

    def _pixels(
        self, sample: dict, detections: dict, inputs: torch.Tensor
    ) -> PixelCounts:
        """Return the counts of an image's anomaly map."""
        truth = sample['gt_sem_seg']['sem_seg'][0].cpu().numpy()
        base = np.zeros(truth.shape, np.float32)
        if self.background is not None:
            base = background_difference(inputs, truth.shape, self.background)
        arrays = (
            detections[name].float().cpu().numpy()
            for name in ('errors', 'bboxes', 'scores')
        )
        return count_pixels(paste_maps(base, *arrays), truth)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the metrics of all images."""
        names = results[0]['names']
        scores, anomalous, image, anomalous_image = (
            np.concatenate([np.atleast_1d(r[key]) for r in results])
            for key in ('scores', 'anomalous', 'image', 'anomalous_image')
        )
        image = image.reshape(len(results), -1)
        detected = ~np.isnan(scores).any(axis=1)
        values = dict(
            detected_normal=mean_or_none(detected[~anomalous]),
            detected_anomaly=mean_or_none(detected[anomalous]),
            unmatched=mean_or_none([r['unmatched'] for r in results]),
        )
        for column, name in enumerate(names):
            one = object_values(
                scores[:, column], anomalous, self.false_alarms
            )
            one['image_auroc'] = rank_metric(
                roc_auc_score, anomalous_image, image[:, column]
            )
            values |= {f'{name}_{key}': value for key, value in one.items()}
        if 'pearson' in names:
            alike = 1 - scores[:, names.index('pearson')]
            values |= self._separate(alike, anomalous)
        elif self.figure:
            raise ValueError(
                f'the separation figure needs the score pearson; of {names}, '
                'model.judge.scores has none'
            )
        if self.pixel:
            # BaseMetric has made plain tuples of them.
            counts = [PixelCounts(*r['pixels']) for r in results]
            values |= pixel_values(add_counts(counts))
        undefined = [name for name, value in values.items() if value is None]
        if undefined:
            print_log(
                f'mmocc.ObjectAnomalyMetric: {", ".join(undefined)} are not '
                f'defined for {int(anomalous.sum())} anomalous of '
                f'{len(anomalous)} objects, {int(detected.sum())} of them '
                f'detected, in {len(results)} images, '
                f'{int(anomalous_image.sum())} of them with anomalous ones',
                logger='current',
                level=logging.WARNING,
            )
        return {k: v for k, v in values.items() if v is not None}

    def _separate(self, alike: np.ndarray, anomalous: np.ndarray) -> dict:
        """Return means and deviations of correlations; draw the figure."""
        known = ~np.isnan(alike)
        groups = dict(
            normal=alike[known & ~anomalous], anomaly=alike[known & anomalous]
        )
        if self.figure:
            plot_separation(*groups.values(), self.figure)
        values = {f'pearson_{k}': mean_or_none(v) for k, v in groups.items()}
        if not all(map(len, groups.values())):
            return values
        stds = {f'pearson_{k}_std': float(v.std()) for k, v in groups.items()}
        apart = abs(values['pearson_normal'] - values['pearson_anomaly'])
        separation = apart / max(*stds.values(), 1e-12)
        return values | stds | dict(separation=separation)


def plot_separation(
    dictionary: np.ndarray, outside: np.ndarray, path: str | Path
) -> None:
    """Draw table II and the histogram of HAL hal-03409930 for correlations.

    Args:
        dictionary: (n,) correlations of objects of the dictionary.
        outside: (m,) those of objects outside of it.
        path: Image file to write; folders are made.
    """
    # A run that draws nothing does not need matplotlib.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout='constrained')
    FigureCanvasAgg(figure)
    bars, points = figure.subplots(1, 2, width_ratios=(3, 2))
    edges = np.linspace(-1, 1, 41)
    groups = dict(
        dictionary=(dictionary, 'tab:blue'), outside=(outside, 'tab:red')
    )
    rng = np.random.default_rng(0)
    for place, (name, (values, colour)) in enumerate(groups.items()):
        if not len(values):
            continue
        mean, spread = values.mean(), values.std()
        bars.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            color=colour,
            alpha=0.6,
            label=f'{name}: {mean:.2f} ± {spread:.2f} ({len(values)})',
        )
        bars.axvline(mean, color=colour, linestyle='--', linewidth=1.2)
        bars.axvspan(mean - spread, mean + spread, color=colour, alpha=0.12)
        jittered = place + rng.uniform(-0.3, 0.3, len(values))
        points.scatter(jittered, values, s=6, color=colour, alpha=0.5)
        points.errorbar(place, mean, spread, color='black', capsize=6)
    bars.set_xlabel("Pearson's correlation of picture and redrawing")
    bars.set_ylabel('share of objects')
    bars.legend(fontsize=8, loc='upper left')
    points.set_xticks([0, 1], list(groups))
    points.set_xlim(-0.6, 1.6)
    points.set_ylim(-1.05, 1.05)
    points.set_ylabel('correlation')
    points.grid(axis='y', alpha=0.3)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
