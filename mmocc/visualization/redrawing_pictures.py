"""Page, redrawn page and anomaly map, side by side."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mmocc.evaluation.anomaly_pages import anomaly_truth, paste_maps
from mmocc.visualization.colours import Scale, overlay_heat
from mmocc.visualization.localization_pictures import as_array
from mmocc.visualization.sheet import Panel


@dataclass
class Rule:
    """Which detections are drawn, and which of them are anomalous.

    Attributes:
        min_confidence: Detections below are not drawn: the paper's P.
        threshold: Anomaly score above which an object is anomalous; None for
            the model's own decision (``is_anomaly``), or 0.5 if it has none.
        background: Shade of the redrawn page's paper, 0 to 1.
        most: Error that is drawn in the darkest red, on all pages; None for 1,
            the largest of a redrawing, or twice the threshold of a baseline.
    """

    min_confidence: float = 0.02
    threshold: float | None = None
    background: float = 1.0
    most: float | None = None

    def __str__(self) -> str:
        how = "the model's own threshold"
        if self.threshold is not None:
            how = f'anomaly score above {self.threshold:g}'
        return f'anomalous: {how}; confidence from {self.min_confidence:g}'


@dataclass
class Objects:
    """The ``n`` judged objects of a page."""

    boxes: np.ndarray  # (n, 4) xyxy in pixels of the page
    recons: np.ndarray | None  # (n, s, s, 1 or 3) in [0, 1]; None: baseline
    errors: np.ndarray  # (n, s, s), in [0, 1] if redrawn
    confidence: np.ndarray  # (n,)
    scores: np.ndarray  # (n,) of the anomaly
    anomalous: np.ndarray  # (n,) bool


def read_objects(sample: Any, rule: Rule) -> Objects:
    """Return the objects of a predicted data sample.

    Raises:
        ValueError: If they were not judged.
    """
    objects = sample.pred_instances
    if 'errors' not in objects:
        raise ValueError(
            f'{sample.get("img_path", "a sample")}: its detections have no '
            '"errors"; use mmocc.DEA or a baseline as model'
        )
    objects = objects[objects.scores >= rule.min_confidence]
    scores = as_array(objects.anomaly_scores)
    recons = None
    if 'recons' in objects:
        recons = as_array(objects.recons).transpose(0, 2, 3, 1)
    anomalous = scores > (0.5 if rule.threshold is None else rule.threshold)
    if rule.threshold is None and 'is_anomaly' in objects:
        anomalous = as_array(objects.is_anomaly) > 0
    return Objects(
        as_array(objects.bboxes),
        recons,
        as_array(objects.errors),
        as_array(objects.scores),
        scores,
        anomalous,
    )


def redraw_page(
    objects: Objects, size: tuple[int, int], background: float = 1.0
) -> np.ndarray:
    """Return the redrawn page (H, W, 3) uint8 RGB, blank without objects."""
    if objects.recons is None:
        raise ValueError('a baseline redraws nothing')
    paper = np.full((*size, 3), background, np.float32)
    recons = np.broadcast_to(objects.recons, (*objects.recons.shape[:3], 3))
    page = paste_maps(
        paper, np.ascontiguousarray(recons), objects.boxes, objects.confidence
    )
    return (255 * page.clip(0, 1) + 0.5).astype(np.uint8)


def error_map(objects: Objects, size: tuple[int, int]) -> np.ndarray:
    """Return the error of a page's redrawing, (H, W) float32.

    It is 0 where nothing was redrawn.
    """
    base = np.zeros(size, np.float32)
    return paste_maps(base, objects.errors, objects.boxes, objects.confidence)


def overlay_errors(
    image: np.ndarray, objects: Objects, most: float = 1.0
) -> np.ndarray:
    """Return the page (H, W, 3) uint8 RGB under the error of its redrawing.

    Blue is 0, also where nothing was redrawn; dark red is ``most`` and more.
    """
    heat = error_map(objects, image.shape[:2])
    pale = cv2.addWeighted(image, 0.5, np.full_like(image, 255), 0.5, 0)
    return overlay_heat(pale, heat, 0.0, most, alpha=0.6)


def reconstruction_row(
    image: np.ndarray, name: str, sample: Any, rule: Rule
) -> list[Panel]:
    """Return the panels of one page: itself, redrawn, and anomaly map.

    ``image`` is the page, (H, W, 3) uint8 RGB, ``sample`` its predicted data
    sample. True anomalies are marked too, if it tells them.
    """
    objects = read_objects(sample, rule)
    anomalous = objects.anomalous
    boxes = {
        'redrawn object': objects.boxes[~anomalous],
        'object that cannot be redrawn': objects.boxes[anomalous],
    }
    caption = f'{int(anomalous.sum())} of {len(anomalous)} objects anomalous'
    if len(objects.scores):
        caption += f', anomaly scores to {objects.scores.max():.2f}'
    truth = {'true anomaly': true_anomalies(sample)}
    size = image.shape[:2]
    defects = true_defects(sample, size)
    most, what = rule.most or 1.0, 'mean absolute error'
    above: dict[str, np.ndarray] = {}
    middle = []
    if objects.recons is None:
        title = 'anomaly map'
        limit = sample.get('threshold')
        most, what = rule.most or 2 * (limit or 0.5), 'anomaly score'
        if limit is not None:
            above = {'above the threshold': error_map(objects, size) > limit}
    else:
        title = '|page - redrawn|'
        redrawn = redraw_page(objects, size, rule.background)
        middle = [Panel(redrawn, 'redrawn', boxes=boxes)]
    errors = Panel(
        overlay_errors(image, objects, most),
        title,
        boxes=truth,
        masks=defects | above,
        scale=Scale(0.0, most, what),
    )
    page = Panel(image, name, caption, truth | boxes, masks=defects)
    return [page, *middle, errors]


def true_anomalies(sample: Any) -> np.ndarray:
    """Return the (n, 4) boxes of anomalous objects, n = 0 if unknown."""
    try:
        truth = anomaly_truth(sample)
    except KeyError:
        return np.zeros((0, 4), np.float32)
    return as_array(truth.boxes[truth.anomaly])


def true_defects(sample: Any, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the mask of a page's defects, for a panel of size (H, W).

    It is empty if there is none, or if it only repeats the boxes.
    """
    if 'gt_sem_seg' not in sample:
        return {}
    mask = sample.gt_sem_seg.sem_seg.cpu().numpy().squeeze(0) != 0
    if mask.shape != tuple(size) or not mask.any():
        return {}
    boxed = np.zeros(size, bool)
    for x1, y1, x2, y2 in true_anomalies(sample).round().astype(int):
        boxed[max(y1, 0) : y2, max(x1, 0) : x2] = True
    return {} if (mask == boxed).all() else {'defect': mask}
