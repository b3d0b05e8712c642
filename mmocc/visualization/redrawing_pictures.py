"""Page, redrawn page and anomaly map, side by side."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmengine.visualization.utils import convert_overlay_heatmap

from mmocc.evaluation.anomaly_truth import anomaly_truth
from mmocc.evaluation.pasting import paste_maps
from mmocc.visualization.localization_pictures import as_array
from mmocc.visualization.sheet import Panel


@dataclass
class Rule:
    """Which detections are drawn, and which of them are called odd.

    Attributes:
        min_confidence: Those below are not drawn: the paper's P.
        threshold: Anomaly score above which an object is odd; None for what
            the model says itself (``is_anomaly``), or 0.5 if it does not.
        background: Shade of the redrawn page's paper, 0 to 1.
    """

    min_confidence: float = 0.02
    threshold: float | None = None
    background: float = 1.0

    def __str__(self) -> str:
        how = "the model's own threshold"
        if self.threshold is not None:
            how = f'anomaly score above {self.threshold:g}'
        return f'odd: {how}; confidence from {self.min_confidence:g}'


@dataclass
class Objects:
    """Redrawn objects of a page, of ``n``.

    Attributes:
        boxes: (n, 4) xyxy in pixels of the page.
        recons: (n, s, s, 1 or 3) in [0, 1].
        errors: (n, s, s) in [0, 1].
        confidence: (n,).
        scores: (n,) anomaly scores.
        odd: (n,) bool.
    """

    boxes: np.ndarray
    recons: np.ndarray
    errors: np.ndarray
    confidence: np.ndarray
    scores: np.ndarray
    odd: np.ndarray


def read_objects(sample: Any, rule: Rule) -> Objects:
    """Return the objects of a predicted data sample.

    Raises:
        ValueError: If they were not redrawn.
    """
    found = sample.pred_instances
    if 'recons' not in found:
        raise ValueError(
            f'{sample.get("img_path", "a sample")}: its detections have no '
            '"recons"; use mmocc.DEA as model'
        )
    found = found[found.scores >= rule.min_confidence]
    scores = as_array(found.anomaly_scores)
    odd = scores > (0.5 if rule.threshold is None else rule.threshold)
    if rule.threshold is None and 'is_anomaly' in found:
        odd = as_array(found.is_anomaly) > 0
    return Objects(
        as_array(found.bboxes),
        as_array(found.recons).transpose(0, 2, 3, 1),
        as_array(found.errors),
        as_array(found.scores),
        scores,
        odd,
    )


def redraw_page(
    objects: Objects, size: tuple[int, int], background: float = 1.0
) -> np.ndarray:
    """Return the page as it was redrawn, blank where no object was seen.

    Args:
        objects: What was redrawn.
        size: (H, W) of the page.
        background: Shade of the paper, 0 to 1.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    paper = np.full((*size, 3), background, np.float32)
    recons = np.broadcast_to(objects.recons, (*objects.recons.shape[:3], 3))
    page = paste_maps(
        paper, np.ascontiguousarray(recons), objects.boxes, objects.confidence
    )
    return (255 * page.clip(0, 1) + 0.5).astype(np.uint8)


def overlay_errors(image: np.ndarray, objects: Objects) -> np.ndarray:
    """Lay the difference of page and redrawing over the page.

    Blue is 0, and what was not redrawn; red is 1.

    Args:
        image: The page, (H, W, 3) uint8 RGB.
        objects: What was redrawn.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    base = np.zeros(image.shape[:2], np.float32)
    heat = paste_maps(base, objects.errors, objects.boxes, objects.confidence)
    pale = cv2.addWeighted(image, 0.5, np.full_like(image, 255), 0.5, 0)
    return convert_overlay_heatmap(heat.clip(0, 1), pale, alpha=0.6)


def reconstruction_row(
    image: np.ndarray, title: str, sample: Any, rule: Rule
) -> list[Panel]:
    """Return the panels of one page: itself, redrawn, and anomaly map.

    Args:
        image: The page, (H, W, 3) uint8 RGB.
        title: What it is.
        sample: Its predicted data sample, boxes in pixels of the image. If it
            tells which objects are odd, these are marked as well.
        rule: What is drawn.
    """
    objects = read_objects(sample, rule)
    truth = true_anomalies(sample)
    boxes = {
        'redrawn object': objects.boxes[~objects.odd],
        'object that cannot be redrawn': objects.boxes[objects.odd],
    }
    caption = f'{int(objects.odd.sum())} of {len(objects.odd)} objects odd'
    if len(objects.scores):
        caption += f', anomaly scores to {objects.scores.max():.2f}'
    marked = {'true anomaly': truth} | boxes
    return [
        Panel(image, title, caption, marked),
        Panel(
            redraw_page(objects, image.shape[:2], rule.background),
            'redrawn',
            boxes=boxes,
        ),
        Panel(
            overlay_errors(image, objects),
            '|page - redrawn|',
            boxes={'true anomaly': truth},
        ),
    ]


def true_anomalies(sample: Any) -> np.ndarray:
    """Return the (n, 4) boxes of a sample's odd objects, n = 0 if unknown."""
    try:
        truth = anomaly_truth(sample)
    except KeyError:
        return np.zeros((0, 4), np.float32)
    return as_array(truth.boxes[truth.anomaly])
