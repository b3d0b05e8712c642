"""The occlusion report as one HTML page without outside resources."""

import base64
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import cv2
import jinja2
import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.answers import Answers
from mmocc.report.plots import (
    plot_accuracy,
    plot_reliability,
)
from mmocc.report.tables import with_interval

TEMPLATES = Path(__file__).parent / 'templates'
SIDE = 160  # pixels of an example's longer side


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
    answers: dict[str, dict[str, Answers]],
    classes: Sequence[str],
) -> dict:
    """Return what the page shows of one image.

    Args:
        packed: The packed sample, as the models got it.
        index: Its place in the test set.
        cell: The cell.
        answers: Answers by model and cell; a model without one is left out.
        classes: Class names.
    """
    image = packed['inputs'].permute(1, 2, 0).numpy()
    sample = packed['data_samples']
    said = {}
    for name, cells in answers.items():
        place = np.flatnonzero(cells[cell].index == index)
        if len(place):
            pred = int(cells[cell].pred[place[0]])
            sure = 100 * float(cells[cell].confidence[place[0]])
            said[name] = dict(
                text=f'{classes[pred]} {sure:.0f} %',
                right=pred == int(sample.gt_label),
            )
    return dict(
        image=image_uri(np.ascontiguousarray(image)),
        truth=classes[int(sample.gt_label)],
        share=100 * sample.get('occlusion_share', 0.0),
        answers=said,
    )


def class_rows(report: dict) -> list[dict]:
    """Return for each class its clean and its mean occluded accuracy."""
    names = {}
    for model in report['models'].values():
        for cell in model['cells'].values():
            names.update(dict.fromkeys(cell['per_class']))
    rows = []
    for name in names:
        values = []
        for model in report['models'].values():
            by_cell = {c: r['per_class'] for c, r in model['cells'].items()}
            values.append(by_cell.get(CLEAN, {}).get(name))
            hard = [
                found[name]
                for cell, found in by_cell.items()
                if cell != CLEAN and name in found
            ]
            values.append(float(np.mean(hard)) if hard else None)
        rows.append(dict(name=name, numbers=values))
    return rows


def left_out(report: dict) -> str:
    """Return in words which images had no answer, and why."""
    found = []
    first = next(iter(report['models'].values()))
    for cell, result in first['cells'].items():
        for reason, count in result['left_out'].items():
            found.append(f'{cell}: {count} {reason}')
    return '; '.join(found) or 'none'


def region_words(report: dict) -> str:
    """Return in words what counted as the object."""
    counts = {}
    for model in report['models'].values():
        for cell, result in model['cells'].items():
            for region in result['regions'] if cell != CLEAN else ():
                counts[region] = True
    words = dict(
        mask='its mask',
        box='its box',
        image='the whole image, since the data have neither box nor mask',
    )
    return 'here: ' + (
        ' or '.join(words[region] for region in counts) or 'nothing hidden'
    )


def write_report(
    report: dict,
    examples: list[dict],
    path: str | Path,
    title: str = 'What does occlusion cost?',
) -> None:
    """Write the page.

    Args:
        report: From :func:`mmocc.report.tables.summarise`.
        examples: For each row ``cell`` and ``shots``, a list of
            :func:`make_example`.
        path: HTML file to write.
        title: Headline.
    """
    first = next(iter(report['models'].values()))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template('occlusion_report.html').render(
        title=title,
        report={**report, 'models': _with_difference(report['models'])},
        cells=list(first['cells']),
        ends=[end for end in ('mean', 'L1-L3') if end in first['means']],
        levels=list(first['reliability']),
        plots=dict(
            accuracy=plot_uri(plot_accuracy, report),
            reliability=plot_uri(plot_reliability, report),
        ),
        flags=any(model['flags'] for model in report['models'].values()),
        classes=class_rows(report),
        examples=examples,
        images=max(cell['images'] for cell in first['cells'].values()),
        left_out=left_out(report),
        regions=region_words(report),
        with_interval=with_interval,
        tuple=tuple,
    )
    Path(path).write_text(page)


def _with_difference(models: dict) -> dict:
    """Give every model the key, so that strict templates can ask for it."""
    return {
        name: {'difference': None, **model} for name, model in models.items()
    }
