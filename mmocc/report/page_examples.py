"""The pictures of the report: first those that a model has lost."""

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from torch.utils.data import Dataset

from mmocc.datasets.channel_order import to_rgb_of
from mmocc.datasets.picture_layout import to_bgr
from mmocc.occlusion import CLEAN
from mmocc.report.answers import Answers
from mmocc.report.cells import make_occlude, occlude_dataset
from mmocc.report.job import Job
from mmocc.report.seeds import CellAnswers
from mmocc.utils.class_labels import class_labels

SIDE = 160  # pixels of an example's longer side
QUALITY = 82  # of its JPEG
# What became of a model's answer: right when clean and wrong here; right
# here; or wrong here and not right when clean.
LOST, KEPT, WRONG = 'lost', 'kept', 'wrong'


def data_uri(data: bytes, kind: str) -> str:
    """Return a file as an address that holds all of it."""
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def image_uri(image: np.ndarray, side: int = SIDE) -> str:
    """Return a (H, W, C) uint8 BGR image as an address.

    Its longer side becomes ``side`` pixels; small images are enlarged.
    """
    scale = side / max(image.shape[:2])
    way = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    height, width = (max(round(scale * n), 1) for n in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=way)
    settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, data = cv2.imencode('.jpg', image, settings)
    if not done:
        raise ValueError(f'cannot encode an image of shape {image.shape}')
    return data_uri(data.tobytes(), 'image/jpeg')


def shown_image(image: np.ndarray, order: str) -> np.ndarray:
    """Return a model's input (H, W, C) as uint8 (H, W, 3), BGR.

    Where the pipeline has normalised it, its range of values is stretched to
    0 to 255.
    """
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (image - low) * (255 / max(high - low, 1e-9))
        image = image.round().astype(np.uint8)
    return np.ascontiguousarray(to_bgr(image, order))


def make_example(
    packed: dict,
    index: int,
    cell: str,
    answers: dict[str, CellAnswers],
    classes: Sequence[str],
) -> dict:
    """Return what the page shows of one image.

    ``packed`` is the sample as the models got it, ``index`` its place in the
    test set. A model without an answer to it is left out.
    """
    sample = packed['data_samples']
    order = sample.get('channel_order', 'bgr')
    image = shown_image(packed['inputs'].permute(1, 2, 0).numpy(), order)
    label = int(sample.gt_label)
    names = class_labels(classes)
    by_model = {}
    for name, cells in answers.items():
        given = cells[cell]
        for place in np.flatnonzero(given.index == index)[:1]:
            by_model[name] = _answer(cells, cell, int(place), names)
    truth = names[label] if label >= 0 else 'no label'
    level, _, kind = cell.partition(' ')
    height, width = image.shape[:2]
    return dict(
        image=image_uri(image),
        ratio=round(width / height, 4),
        truth=truth,
        truths=[truth],
        share=100 * sample.get('occlusion_share', 0.0),
        cell=cell,
        level=level,
        kind=kind,
        answers=by_model,
        states=[answer['state'] for answer in by_model.values()],
    )


def _answer(
    cells: CellAnswers, cell: str, place: int, names: Sequence[str]
) -> dict:
    """Return one answer in words, with that to the clean image before it."""
    given = cells[cell]
    clean = cells.get(CLEAN)
    before, was_right = None, False
    if cell != CLEAN and clean is not None:
        spots = np.flatnonzero(clean.keys == given.keys[place])
        if spots.size:
            before = _words(clean, int(spots[0]), names)
            was_right = bool(clean.hits[spots[0]])
    right = bool(given.hits[place])
    return dict(
        text=_words(given, place, names),
        before=before,
        right=right,
        state=KEPT if right else LOST if was_right else WRONG,
    )


def _words(answers: Answers, place: int, names: Sequence[str]) -> str:
    """Return the answer to one image, with its confidence if there is one."""
    text = names[int(answers.pred[place])]
    if answers.probabilities:
        text += f' {100 * float(answers.confidence[place]):.0f} %'
    return text


def lost_keys(cells: CellAnswers, cell: str) -> set[str]:
    """Return the images that are right when clean and wrong in a cell."""
    if cell == CLEAN or CLEAN not in cells:
        return set()
    clean, given = cells[CLEAN], cells[cell]
    was_right = set(clean.keys[clean.hits].tolist())
    return was_right & set(given.keys[~given.hits].tolist())


def choose_places(
    lost: np.ndarray, number: int
) -> tuple[list[int], list[int]]:
    """Return which images to show of a cell: lost ones, then others.

    Both are spread over the test set, since that is often in order of
    classes.

    Args:
        lost: (N,) bool, which images some model has lost.
        number: Images to show.
    """

    def spread(rows: np.ndarray, count: int) -> list[int]:
        picks = np.linspace(0, len(rows) - 1, min(count, len(rows)))
        return rows[picks.astype(int)].tolist()

    first = spread(np.flatnonzero(lost), number)
    return first, spread(np.flatnonzero(~lost), number - len(first))


def choose_examples(
    jobs: list[Job],
    dataset: Dataset,
    classes: Sequence[str],
    number: int,
    occlude: dict,
) -> list[dict[str, Any]]:
    """Return the images to show, up to ``number`` of each cell.

    Those that a model has lost come first, from the lowest level on.
    """
    shots: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    answers = {job.name: job.cells for job in jobs}
    to_rgb = to_rgb_of(jobs[0].cfg)
    for cell in jobs[0].cells:
        given = jobs[0].cells[cell]
        keys = given.keys.tolist()
        lost = {k for a in answers.values() for k in lost_keys(a, cell)}
        chosen = choose_places(np.array([k in lost for k in keys]), number)
        hide = make_occlude(cell, **occlude)
        occluded = occlude_dataset(dataset, hide, cell, to_rgb)
        for places, part in zip(chosen, (shots, others), strict=True):
            part += [
                make_example(occluded[pick], pick, cell, answers, classes)
                for pick in given.index[places].tolist()
            ]
    return shots + others
