"""How well a detector tells odd objects, missed ones included."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from sklearn.metrics import roc_auc_score

from mmocc.evaluation.anomaly_truth import anomaly_truth
from mmocc.evaluation.anomaly_values import (
    background_difference,
    mean_or_none,
    object_values,
    pixel_values,
    rank_metric,
)
from mmocc.evaluation.pasting import paste_maps
from mmocc.evaluation.pixel_curves import PixelCounts, count_pixels
from mmocc.registry import METRICS
from mmocc.utils.object_matching import match_objects

PREFIX = 'score_'


@METRICS.register_module()
class ObjectAnomalyMetric(BaseMetric):
    """AUROC and AP of objects, of images and of pixels, for each score.

    For models that give ``pred_instances`` a ``score_NAME`` each
    (``mmocc.DEA``), on data whose samples tell what is odd
    (:mod:`mmocc.datasets.ornament_pages`). An object's score is that of the
    detection that speaks for it
    (:func:`mmocc.utils.object_matching.match_objects`). All values are
    in [0, 1] unless said otherwise:

    * ``detected_normal``, ``detected_anomaly``: share of objects that any
      detection speaks for: what is missed cannot be reported.
    * ``unmatched``: detections of nothing, for each image.
    * ``NAME_auroc``, ``NAME_ap``: over detected objects.
    * ``NAME_auroc_all``, ``NAME_ap_all``: over all objects, missed ones, odd
      or not, scoring below all others.
    * ``NAME_recall``: share of all odd objects above the score that
      ``false_alarms`` of the detected normal objects exceed.
    * ``NAME_image_auroc``: an image scores as its oddest detection of at
      least ``image_confidence``; one without any, below all others.
    * ``pearson_normal``, ``pearson_normal_std``, ``pearson_anomaly``,
      ``pearson_anomaly_std``, ``separation``: mean and standard deviation of
      the correlation, as in the paper's table II, and its
      |difference of means| / larger deviation.
    * ``pixel_auroc``, ``aupro``: of the page with each object's absolute
      difference from its redrawing laid over it.

    What is not defined (no odd object, say) is left out, with a warning.

    Args:
        iou_thr: IoU from which a detection is of an object.
        min_confidence: Detections below do not count: the paper's P.
        image_confidence: Confidence from which a detection may speak for
            its image. Detections of nothing are odd, and at the low
            thresholds at which AP is computed each image has some.
        false_alarms: Share of normal objects for ``NAME_recall``.
        pixel: Whether to judge pixels as well.
        background: Shade of blank paper, 0 to 1; the map is then
            |page - background| where nothing was redrawn, so that what was
            missed is seen as well, as in the paper. None leaves those pixels
            at 0.
        figure: Image file for the separation figure, if any.
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: What the names begin with.

    Raises:
        ValueError: While running, if predictions have no scores, or
            ``figure`` is asked for without Pearson's.
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
        """Keep what a batch says of its objects.

        Raises:
            ValueError: If predictions have no scores.
        """
        for place, sample in enumerate(data_samples):
            found = sample['pred_instances']
            keep = found['scores'] >= self.min_confidence
            found = {name: value[keep] for name, value in found.items()}
            record = self._objects(sample, found)
            if self.pixel:
                inputs = data_batch['inputs'][place]
                record['pixels'] = self._pixels(sample, found, inputs)
            self.results.append(record)

    def _objects(self, sample: dict, found: dict) -> dict:
        """Return each object's scores, NaN if missed, and the image's."""
        names = [n for n in found if n.startswith(PREFIX)]
        if not names:
            raise ValueError(
                'mmocc.ObjectAnomalyMetric needs detections with score_NAME '
                f'fields, got {sorted(found)}; use mmocc.DEA as model'
            )
        table = torch.stack([found[n].float() for n in names], 1).cpu().numpy()
        truth = anomaly_truth(sample)
        match = match_objects(
            found['bboxes'], found['scores'], truth.boxes, self.iou_thr
        ).numpy()
        scores = np.full((len(match), len(names)), np.nan)
        scores[match >= 0] = table[match[match >= 0]]
        odd = truth.anomaly.cpu().numpy()
        sure = (found['scores'] >= self.image_confidence).cpu().numpy()
        return dict(
            names=[name.removeprefix(PREFIX) for name in names],
            scores=scores,
            odd=odd,
            image=table[sure].max(0, initial=-np.inf),
            odd_image=bool(odd.any()),
            unmatched=len(table) - int((match >= 0).sum()),
        )

    def _pixels(
        self, sample: dict, found: dict, inputs: torch.Tensor
    ) -> PixelCounts:
        """Return the counts of an image's anomaly map."""
        truth = sample['gt_sem_seg']['sem_seg'][0].cpu().numpy()
        base = np.zeros(truth.shape, np.float32)
        if self.background is not None:
            base = background_difference(inputs, truth.shape, self.background)
        arrays = (
            found[name].float().cpu().numpy()
            for name in ('errors', 'bboxes', 'scores')
        )
        return count_pixels(paste_maps(base, *arrays), truth)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the metrics of all images."""
        names = results[0]['names']
        scores, odd, image, odd_image = (
            np.concatenate([np.atleast_1d(r[key]) for r in results])
            for key in ('scores', 'odd', 'image', 'odd_image')
        )
        image = image.reshape(len(results), -1)
        seen = ~np.isnan(scores).any(axis=1)
        values = dict(
            detected_normal=mean_or_none(seen[~odd]),
            detected_anomaly=mean_or_none(seen[odd]),
            unmatched=mean_or_none([r['unmatched'] for r in results]),
        )
        for column, name in enumerate(names):
            found = object_values(scores[:, column], odd, self.false_alarms)
            found['image_auroc'] = rank_metric(
                roc_auc_score, odd_image, image[:, column]
            )
            values |= {f'{name}_{key}': value for key, value in found.items()}
        if 'pearson' in names:
            values |= self._separate(
                1 - scores[:, names.index('pearson')], odd
            )
        elif self.figure:
            raise ValueError(
                f'the separation figure needs the score pearson; of {names}, '
                'model.judge.scores has none'
            )
        if self.pixel:
            # The base has made plain tuples of them.
            counts = (PixelCounts(*r['pixels']) for r in results)
            values |= pixel_values(reduce(add, counts))
        lost = [name for name, value in values.items() if value is None]
        if lost:
            print_log(
                f'mmocc.ObjectAnomalyMetric: {", ".join(lost)} are not '
                f'defined for {int(odd.sum())} odd of {len(odd)} objects, '
                f'{int(seen.sum())} of them detected, in {len(results)} '
                f'images, {int(odd_image.sum())} of them with odd ones',
                logger='current',
                level=30,
            )
        return {k: v for k, v in values.items() if v is not None}

    def _separate(self, alike: np.ndarray, odd: np.ndarray) -> dict:
        """Return means and deviations of correlations; draw the figure."""
        seen = ~np.isnan(alike)
        normal, strange = alike[seen & ~odd], alike[seen & odd]
        if self.figure:
            # matplotlib is not needed by a run that draws nothing.
            from mmocc.evaluation.separation_plot import plot_separation

            plot_separation(normal, strange, self.figure)
        values = dict(
            pearson_normal=mean_or_none(normal),
            pearson_anomaly=mean_or_none(strange),
        )
        if not len(normal) or not len(strange):
            return values
        stds = float(normal.std()), float(strange.std())
        apart = abs(values['pearson_normal'] - values['pearson_anomaly'])
        return values | dict(
            pearson_normal_std=stds[0],
            pearson_anomaly_std=stds[1],
            separation=apart / max(*stds, 1e-12),
        )
