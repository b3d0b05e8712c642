"""The occlusion report as one HTML page without outside resources."""

import base64
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import cv2
import jinja2
import numpy as np

from mmocc.datasets.picture_layout import to_bgr
from mmocc.occlusion import CLEAN
from mmocc.report.plots import plot_accuracy, plot_reliability
from mmocc.report.statistics import cell_groups
from mmocc.report.summary import ENDS, CellAnswers
from mmocc.report.tables import (
    MEASURES,
    TITLES,
    image_rows,
    measure_rows,
    measured,
    remarks,
    shown,
    shown_ends,
    with_interval,
)
from mmocc.utils.class_labels import class_labels

TEMPLATES = Path(__file__).parent / 'templates'
SIDE = 160  # pixels of an example's longer side
REGION_WORDS = dict(
    mask='its mask',
    box='its box',
    image='the whole image, since the data have neither box nor mask',
    stated='what the data set itself takes for it',
)


def data_uri(data: bytes, kind: str) -> str:
    """Return a file as an address that holds all of it."""
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def plot_uri(plot: Callable, report: dict) -> str:
    """Return a plot as an address."""
    buffer = BytesIO()
    plot(report, buffer)
    return data_uri(buffer.getvalue(), 'image/png')


def image_uri(image: np.ndarray) -> str:
    """Return a (H, W, C) uint8 BGR image as an address, enlarged if small."""
    scale = SIDE / max(image.shape[:2])
    way = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    height, width = (max(round(scale * n), 1) for n in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=way)
    done, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 88])
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
            pred = int(given.pred[place])
            text = names[pred]
            if given.probabilities:
                text += f' {100 * float(given.confidence[place]):.0f} %'
            right = pred == int(given.label[place])
            by_model[name] = dict(text=text, right=right)
    return dict(
        image=image_uri(image),
        truth=names[label] if label >= 0 else 'no label',
        share=100 * sample.get('occlusion_share', 0.0),
        answers=by_model,
    )


def class_rows(report: dict) -> list[dict]:
    """Return for each class its clean and its mean occluded accuracy.

    Classes are known by number; one without an image has no row.
    """
    models = [
        {cell: numbers['per_class'] for cell, numbers in m['cells'].items()}
        for m in report['models'].values()
    ]
    rows = []
    for label, name in enumerate(class_labels(report['classes'])):
        values: list[float | None] = []
        for cells in models:
            found = {cell: v.get(str(label)) for cell, v in cells.items()}
            clean = found.pop(CLEAN, None)
            hard = [value for value in found.values() if value is not None]
            values += [clean, float(np.mean(hard)) if hard else None]
        if any(value is not None for value in values):
            rows.append(dict(name=name, numbers=values))
    return rows


def region_words(report: dict) -> str:
    """Return in words what counted as the object."""
    regions = dict.fromkeys(
        region
        for model in report['models'].values()
        for cell, numbers in model['cells'].items()
        for region in (numbers['regions'] if cell != CLEAN else ())
    )
    words = ' or '.join(REGION_WORDS[region] for region in regions)
    return f'here: {words or "nothing hidden"}'


def write_report(
    report: dict,
    examples: list[dict],
    path: str | Path,
    title: str = TITLES['accuracy'],
) -> None:
    """Write the page.

    A row of ``examples`` has a ``cell`` and ``shots``, each a
    :func:`make_example`.
    """
    models = report['models'].values()
    cells = list(next(iter(models))['cells'])
    levels = [level for level in cell_groups(cells) if level not in ENDS]
    sure = any(model['reliability'] for model in models)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template('occlusion_report.html').render(
        title=title,
        measure=measured(report),
        measure_words=MEASURES[measured(report)],
        report=report,
        cells=cells,
        ends=shown_ends(report),
        levels=levels,
        plots=dict(
            accuracy=plot_uri(plot_accuracy, report),
            reliability=plot_uri(plot_reliability, report) if sure else None,
        ),
        flags=any(model['flags'] for model in models),
        classes=class_rows(report),
        examples=examples,
        images=image_rows(report),
        more=measure_rows(report),
        remarks=remarks(report),
        paired=not any('not_paired' in model for model in models),
        regions=region_words(report),
        shown=shown,
        with_interval=with_interval,
    )
    Path(path).write_text(page, encoding='utf-8')
