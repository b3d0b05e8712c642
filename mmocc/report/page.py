"""The occlusion report as one HTML page without outside resources."""

import base64
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import cv2
import jinja2
import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.plots import plot_accuracy, plot_reliability
from mmocc.report.tables import CellAnswers, shown_ends, with_interval

TEMPLATES = Path(__file__).parent / 'templates'
SIDE = 160  # pixels of an example's longer side
REGION_WORDS = dict(
    mask='its mask',
    box='its box',
    image='the whole image, since the data have neither box nor mask',
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
    """Return a (H, W, 3) uint8 BGR image as an address, enlarged if small."""
    scale = SIDE / max(image.shape[:2])
    way = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=way)
    done, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise ValueError(f'cannot encode an image of shape {image.shape}')
    return data_uri(data.tobytes(), 'image/jpeg')


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
    image = packed['inputs'].permute(1, 2, 0).numpy()
    sample = packed['data_samples']
    label = int(sample.gt_label)
    by_model = {}
    for name, cells in answers.items():
        for place in np.flatnonzero(cells[cell].index == index)[:1]:
            pred = int(cells[cell].pred[place])
            sure = 100 * float(cells[cell].confidence[place])
            text = f'{classes[pred]} {sure:.0f} %'
            by_model[name] = dict(text=text, right=pred == label)
    return dict(
        image=image_uri(np.ascontiguousarray(image)),
        truth=classes[label],
        share=100 * sample.get('occlusion_share', 0.0),
        answers=by_model,
    )


def class_rows(report: dict) -> list[dict]:
    """Return for each class its clean and its mean occluded accuracy."""
    models = [
        {cell: numbers['per_class'] for cell, numbers in m['cells'].items()}
        for m in report['models'].values()
    ]
    names = dict.fromkeys(
        n for m in models for cell in m.values() for n in cell
    )
    rows = []
    for name in names:
        values: list[float | None] = []
        for cells in models:
            hard = [
                c[name] for k, c in cells.items() if k != CLEAN and name in c
            ]
            values.append(cells.get(CLEAN, {}).get(name))
            values.append(float(np.mean(hard)) if hard else None)
        rows.append(dict(name=name, numbers=values))
    return rows


def left_out(report: dict) -> str:
    """Return in words which images had no answer, and why."""
    first = next(iter(report['models'].values()))
    parts = [
        f'{cell}: {count} {reason}'
        for cell, numbers in first['cells'].items()
        for reason, count in numbers['left_out'].items()
    ]
    return '; '.join(parts) or 'none'


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
    title: str = 'What does occlusion cost?',
) -> None:
    """Write the page.

    A row of ``examples`` has a ``cell`` and ``shots``, each a
    :func:`make_example`.
    """
    models = report['models'].values()
    first = next(iter(models))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template('occlusion_report.html').render(
        title=title,
        report=report,
        cells=list(first['cells']),
        ends=shown_ends(report),
        levels=list(first['reliability']),
        plots=dict(
            accuracy=plot_uri(plot_accuracy, report),
            reliability=plot_uri(plot_reliability, report),
        ),
        flags=any(model['flags'] for model in models),
        classes=class_rows(report),
        examples=examples,
        images=max(cell['images'] for cell in first['cells'].values()),
        left_out=left_out(report),
        regions=region_words(report),
        with_interval=with_interval,
        tuple=tuple,
    )
    Path(path).write_text(page)
