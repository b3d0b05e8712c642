"""Photos of the detectors' report, with the objects found and missed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmocc.datasets.identity import note_identity
from mmocc.datasets.transforms.occlude_objects import OccludeObjects
from mmocc.occlusion import CLEAN
from mmocc.report.cells import (
    OccludeLoaded,
    change_pipelines,
    insert_after_loading,
    make_occlude,
)
from mmocc.report.det_summary import Measured
from mmocc.report.detection_store import Detections
from mmocc.report.page_examples import (
    KEPT,
    LOST,
    WRONG,
    choose_places,
    image_uri,
    shown_image,
)
from mmocc.utils.class_labels import class_labels

SIDE = 280  # pixels of a photo's longer side
# What became of an object: found; missed here, but found when clean; missed.
FOUND, GONE, MISSED = 'found', 'gone', 'missed'


class GivePicture:
    """Last step of a pipeline that ends after the occlusion."""

    def __call__(self, results: dict) -> dict:
        """Return the photo (H, W, C), and which one it is."""
        return dict(
            img=np.clip(results['img'], 0, 255).astype(np.uint8),
            order=results['channel_order'],
            photo=note_identity(results),
        )


def until_occlusion(
    transforms: Sequence[Callable], occlude: Callable | None
) -> list[Callable]:
    """Return a test pipeline that ends with the occluded photo."""
    steps = insert_after_loading(transforms, occlude)
    kinds = [isinstance(step, OccludeLoaded) for step in steps]
    return [*steps[: kinds.index(True) + 1], GivePicture()]


def object_states(
    found: np.ndarray, clean: np.ndarray | None, ignored: np.ndarray
) -> list[str | None]:
    """Return what became of each object; None for one that does not count.

    Args:
        found: (G,) bool, found in this cell.
        clean: (G,) bool, found when clean; None in the clean cell itself.
        ignored: (G,) bool.
    """
    states: list[str | None] = []
    for place, seen in enumerate(found):
        before = clean is not None and bool(clean[place])
        state = FOUND if seen else GONE if before else MISSED
        states.append(None if ignored[place] else state)
    return states


def choose_det_examples(
    dataset: Any,
    models: Mapping[str, Mapping[str, Detections]],
    measured: Mapping[str, Measured],
    classes: Sequence[str],
    number: int,
    occlude: dict,
    every: int = 1,
) -> list[dict[str, Any]]:
    """Return the photos to show, up to ``number`` of each cell.

    Those in which a detector has lost an object come first.

    Args:
        dataset: The test set of all models.
        models: What each has found, by cell, in the order of the test set.
        measured: Of each model.
        classes: Names of the classes.
        number: Photos of a cell.
        occlude: Arguments of ``mmocc.OccludeObjects`` with the bank built.
        every: Only every n-th photo was tested.
    """
    shots: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for cell, first in next(iter(models.values())).items():
        lost = np.zeros(len(first.photo), bool)
        for name, cells in models.items():
            gone = _gone(cells, measured[name], cell)
            lost[cells[cell].object_owner[gone]] = True
        hide = make_occlude(cell, OccludeObjects, **occlude)
        change = partial(until_occlusion, occlude=hide)
        pictures = change_pipelines(dataset, change)
        chosen = choose_places(lost, number)
        for places, part in zip(chosen, (shots, others), strict=True):
            for photo in places:
                picture = pictures[photo * every]
                if picture['photo'] == first.photo[photo]:
                    part.append(
                        make_det_example(
                            picture, photo, cell, models, measured, classes
                        )
                    )
    return shots + others


def _gone(
    cells: Mapping[str, Detections], own: Measured, cell: str
) -> np.ndarray:
    """Return (G,) bool, which objects are found when clean and not here."""
    if cell == CLEAN or CLEAN not in cells:
        return np.zeros(len(own.found[cell]), bool)
    return own.found[CLEAN] & ~own.found[cell] & ~cells[cell].ignored


def make_det_example(
    picture: dict,
    photo: int,
    cell: str,
    models: Mapping[str, Mapping[str, Detections]],
    measured: Mapping[str, Measured],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return what the page shows of one photo."""
    image = shown_image(picture['img'], picture['order'])
    first = next(iter(models.values()))[cell].pick(photo)
    names = class_labels(classes)
    labels = [int(label) for label in first.object_labels]
    truths = dict.fromkeys(names[label] for label in labels if label >= 0)
    level, _, kind = cell.partition(' ')
    answers = {
        name: _boxes(cells, measured[name], photo, cell, names)
        for name, cells in models.items()
    }
    height, width = image.shape[:2]
    return dict(
        image=image_uri(image, SIDE),
        width=width,
        height=height,
        ratio=round(width / height, 4),
        name=str(picture['photo']).rsplit('/', 1)[-1],
        truths=list(truths),
        cell=cell,
        level=level,
        kind=kind,
        answers=answers,
    )


def _boxes(
    cells: Mapping[str, Detections],
    own: Measured,
    photo: int,
    cell: str,
    names: Sequence[str],
) -> dict[str, Any]:
    """Return the objects of a photo, and what became of each."""
    rows = cells[cell].object_owner == photo
    part = cells[cell].pick(photo)
    clean = None
    if cell != CLEAN and CLEAN in cells:
        clean = own.found[CLEAN][rows]
    states = object_states(own.found[cell][rows], clean, part.ignored)
    boxes = []
    for box, label, state in zip(
        part.objects.tolist(), part.object_labels, states, strict=True
    ):
        if state is not None:
            x1, y1, x2, y2 = (round(value, 1) for value in box)
            boxes.append(
                dict(
                    x=x1,
                    y=y1,
                    width=round(x2 - x1, 1),
                    height=round(y2 - y1, 1),
                    name=names[label] if label >= 0 else 'no class',
                    state=state,
                )
            )
    counts = {s: states.count(s) for s in (FOUND, GONE, MISSED)}
    text = f'finds {counts[FOUND]} of {len(boxes)} objects'
    if clean is not None:
        text += f' ({int(clean[~part.ignored].sum())} when clean)'
    state = LOST if counts[GONE] else WRONG if counts[MISSED] else KEPT
    return dict(boxes=boxes, text=text, state=state, right=state == KEPT)
