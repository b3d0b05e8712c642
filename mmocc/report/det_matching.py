"""Which boxes find which objects, and the average precision of it.

pycocotools matches boxes and objects once, photo by photo. The precision is
then accumulated with a weight for each photo: weights of 1 give COCO's AP
exactly, and those of a bootstrap give its spread over photos.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmocc.report.detection_store import Detections

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
FAR = 1e10  # the area of no object
DRAWS = 300


@dataclass
class ClassMatches:
    """Boxes of one class, the surest first, and the objects that count."""

    owner: np.ndarray  # (D,) photos
    hits: np.ndarray  # (IoUs, D) bool, the box finds an object
    misses: np.ndarray  # (IoUs, D) bool, it finds none; else it is ignored
    scores: np.ndarray  # (D,)
    objects: np.ndarray  # (P,) objects of each photo


@dataclass
class Matches:
    """All classes, and each object by itself."""

    classes: list[ClassMatches]
    # (G,) score of the box that finds an object at IoU 0.5; -inf: none does
    found: np.ndarray


def match(found: Detections, classes: int) -> Matches:
    """Return which boxes find which objects, by COCO's rules.

    Objects that are ignored count as crowds. Classes are numbers below
    ``classes``.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = _as_coco(found, classes)
        truth.createIndex()
        boxes = _as_results(found)
        if not len(boxes):
            return _nothing(found, classes)
        run = COCOeval(truth, truth.loadRes(boxes), 'bbox')
        run.params.areaRng, run.params.areaRngLbl = [[0, FAR]], ['all']
        run.params.iouThrs, run.params.imgIds = IOUS, _photo_ids(found)
        run.evaluate()
    photos = len(found.photo)
    seen = np.full(len(found.object_owner), -np.inf)
    made = []
    for place in range(classes):
        items = run.evalImgs[place * photos : (place + 1) * photos]
        made.append(_class_matches(items, photos))
        for item in filter(None, items):
            _note_found(item, found.scores, seen)
    return Matches(made, seen)


def _photo_ids(found: Detections) -> list[int]:
    """Return the numbers of photos, from 1 on."""
    return list(range(1, len(found.photo) + 1))


def _as_coco(found: Detections, classes: int) -> dict[str, Any]:
    """Return the objects in COCO's form; objects count from 1."""
    sides = found.objects[:, 2:] - found.objects[:, :2]
    boxes = np.hstack([found.objects[:, :2], sides]).astype(float)
    annotations = [
        dict(
            id=number + 1,
            image_id=int(found.object_owner[number]) + 1,
            category_id=int(found.object_labels[number]),
            bbox=box.tolist(),
            area=float(box[2] * box[3]),
            iscrowd=int(found.ignored[number]),
        )
        for number, box in enumerate(boxes)
        if found.object_labels[number] >= 0
    ]
    return dict(
        images=[dict(id=number) for number in _photo_ids(found)],
        annotations=annotations,
        categories=[dict(id=label) for label in range(classes)],
    )


def _as_results(found: Detections) -> np.ndarray:
    """Return the boxes as (D, 7): image, x, y, w, h, score, class."""
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    columns = (
        found.owner[:, None] + 1,
        found.boxes[:, :2],
        sides,
        found.scores[:, None],
        found.labels[:, None],
    )
    return np.hstack(columns).astype(np.float64)


def _nothing(found: Detections, classes: int) -> Matches:
    """Return the matches of a detector that has found no box at all."""
    photos, none = len(found.photo), np.zeros((len(IOUS), 0), bool)
    made = []
    for label in range(classes):
        own = (found.object_labels == label) & ~found.ignored
        counts = np.bincount(found.object_owner[own], minlength=photos)
        empty = np.zeros(0)
        made.append(ClassMatches(empty.astype(int), none, none, empty, counts))
    return Matches(made, np.full(len(found.object_owner), -np.inf))


def _class_matches(items: Sequence[dict | None], photos: int) -> ClassMatches:
    """Return what pycocotools says of one class in all photos."""
    counts = np.zeros(photos, int)
    owner: list[np.ndarray] = [np.zeros(0, int)]
    scores: list[np.ndarray] = [np.zeros(0)]
    hits: list[np.ndarray] = [np.zeros((len(IOUS), 0), bool)]
    misses: list[np.ndarray] = [np.zeros((len(IOUS), 0), bool)]
    for item in filter(None, items):
        photo = item['image_id'] - 1
        counts[photo] = (np.asarray(item['gtIgnore']) == 0).sum()
        taken = np.asarray(item['dtMatches']).reshape(len(IOUS), -1) > 0
        ignored = np.asarray(item['dtIgnore']).reshape(len(IOUS), -1) > 0
        scores.append(np.asarray(item['dtScores'], float))
        owner.append(np.full(len(scores[-1]), photo))
        hits.append(taken & ~ignored)
        misses.append(~taken & ~ignored)
    score = np.concatenate(scores)
    order = np.argsort(-score, kind='mergesort')
    return ClassMatches(
        np.concatenate(owner)[order],
        np.concatenate(hits, axis=1)[:, order],
        np.concatenate(misses, axis=1)[:, order],
        score[order],
        counts,
    )


def _note_found(item: dict, scores: np.ndarray, seen: np.ndarray) -> None:
    """Note the score of the box that finds each object of a photo."""
    boxes = np.asarray(item['gtMatches'])[0].astype(int)
    for number, box in zip(item['gtIds'], boxes, strict=True):
        if box > 0:  # loadRes counts boxes from 1 on
            seen[number - 1] = scores[box - 1]


def draw_weights(photos: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return how often each photo counts: once, then as a bootstrap draws.

    (1 + draws, photos) int; the same for the same number of photos.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(photos, [1 / photos] * photos, size=draws)
    return np.vstack([np.ones((1, photos), int), drawn])


def average_precision(
    classes: Sequence[ClassMatches], weights: np.ndarray
) -> np.ndarray:
    """Return COCO's AP of each IoU, for each row of weights.

    Args:
        classes: Matches by class.
        weights: (B, P), how often each photo counts.

    Returns:
        (B, IoUs) in [0, 1], means over the classes with an object; NaN where
        no class has one.
    """
    values = np.full((len(classes), len(weights), len(IOUS)), np.nan)
    for place, matches in enumerate(classes):
        if not matches.objects.any():
            continue
        objects = weights @ matches.objects
        weight = weights[:, matches.owner]
        for number in range(len(IOUS)):
            values[place, :, number] = _one_precision(
                matches.hits[number], matches.misses[number], weight, objects
            )
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(
        total, count, out=np.full(total.shape, np.nan), where=count > 0
    )


def _one_precision(
    hits: np.ndarray, misses: np.ndarray, weight: np.ndarray, objects: Any
) -> np.ndarray:
    """Return the AP of one class at one IoU, for each row of weights.

    The precision at 101 recalls is the best one at this recall or a higher
    one; it is looked at where a box hits, as it falls everywhere else.
    """
    right = np.cumsum(weight * hits, axis=1)[:, hits]
    wrong = np.cumsum(weight * misses, axis=1)[:, hits]
    precision = right / (right + wrong + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.hstack([best, np.zeros((len(best), 1))])
    values = np.full(len(weight), np.nan)
    for row in np.flatnonzero(objects):
        recall = right[row] / objects[row]
        places = np.searchsorted(recall, RECALLS, side='left')
        values[row] = best[row, places].mean()
    return values


def best_score(classes: Sequence[ClassMatches]) -> float:
    """Return the score from which on a box counts: where F1 is highest.

    It is in the middle between the last box that counts and the next one, or
    0. F1 is at an IoU of 0.5, of all classes together.
    """
    scores = np.concatenate([c.scores for c in classes])
    hits = np.concatenate([c.hits[0] for c in classes])
    misses = np.concatenate([c.misses[0] for c in classes])
    if not hits.any():
        return 0.0
    order = np.argsort(-scores, kind='mergesort')
    right, wrong = np.cumsum(hits[order]), np.cumsum(misses[order])
    objects = sum(int(c.objects.sum()) for c in classes)
    last = int((2 * right / (right + wrong + objects)).argmax())
    ranked = np.append(scores[order], 0.0)
    return float((ranked[last] + ranked[last + 1]) / 2)
