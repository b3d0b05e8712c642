"""What the inferencers answer, as pictures and words for the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmocc.app.photos import Pixels
from mmocc.visualization.localization_pictures import class_name
from mmocc.visualization.ofer_pictures import ofer_row
from mmocc.visualization.redrawing_pictures import reconstruction_row
from mmocc.visualization.sheet import Panel, draw_sheet

WIDTH = 4.0  # of a picture, in inches
ROWS = 50  # of the table of objects


class Shown(NamedTuple):
    """An answer for the page.

    Attributes:
        pictures: (H, W, 3) uint8 RGB, titles and captions in them.
        words: In Markdown.
        scores: Probabilities by class, where there are any.
    """

    pictures: Sequence[Pixels]
    words: str
    scores: Mapping[str, float]


def ask_dea(infer: Any, page: Pixels) -> Shown:
    """Return what ``DEAInferencer`` answers about a page.

    Its pictures are the page with its objects, the redrawn page, and the
    anomaly map; its words are a table of the objects, most anomalous first.
    """
    photo = infer.pipeline(page, 0, 'rgb')
    (sample,) = infer.forward([photo])
    answer = infer.describe(photo, sample)
    row = reconstruction_row(photo.image, 'page', sample, infer.rule)
    return Shown(pictures(row), table(answer), {})


def table(answer: Mapping[str, Any]) -> str:
    """Return the objects of a page in Markdown, most anomalous first."""
    bad, count = int(answer['anomalous'].sum()), len(answer['scores'])
    lines = [f'**{bad} of {count} objects anomalous**', '']
    if count:
        lines += [
            '| object | confidence | anomaly score | |',
            '|---|--:|--:|---|',
        ]
    order = np.argsort(-answer['anomaly_scores'], kind='stable')
    for place in order[:ROWS].tolist():
        label = str(answer['labels'][place])
        if 'classes' in answer:
            label = answer['classes'][place]
        lines.append(
            f'| {label} | {100 * answer["scores"][place]:.0f} % '
            f'| {answer["anomaly_scores"][place]:.3f} '
            f'| {"anomalous" if answer["anomalous"][place] else ""} |'
        )
    if count > ROWS:
        lines += ['', f'and {count - ROWS} more, less anomalous']
    return '\n'.join(lines)


def ask_ofer(infer: Any, face: Pixels) -> Shown:
    """Return what ``LatentOFERInferencer`` answers about a face.

    Its pictures are the face, the distances of its patches, those that are
    found occluded, the reconstructed face and the attention, as far as the
    model has them.
    """
    photo = infer.pipeline(face, 0, 'rgb')
    (sample,) = infer.forward([photo])
    answer = infer.describe(photo, sample)
    *row, _ = ofer_row(photo.packed['inputs'], 'face', sample, infer.classes)
    values = answer['pred_scores'].tolist()
    named = [class_name(label, infer.classes) for label in range(len(values))]
    words = f'**{named[answer["pred_label"]]}**'
    if 'mask' in answer:
        mask = answer['mask']
        words += f', {int(mask.sum())} of {mask.size} patches occluded'
    return Shown(pictures(row), words, dict(zip(named, values, strict=True)))


def pictures(row: Sequence[Panel]) -> list[Pixels]:
    """Draw the panels of a row, each alone, so that a small page fits them."""
    return [draw_sheet([[panel]], width=WIDTH) for panel in row]
