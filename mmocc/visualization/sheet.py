"""Sheets of pictures: rows of titled panels with boxes, as one image.

matplotlib's figures are drawn without pyplot, so that nothing here changes
the backend of a program that also opens windows.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mmcv
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from mmengine.visualization.utils import img_from_canvas

LINES = {
    'ground truth': ('lime', '-'),
    'predicted box': ('red', (0, (4, 1.5))),
    'box of the map': ('red', (0, (4, 1.5))),
    'object': ('cyan', '-'),
    'redrawn object': ('limegreen', '-'),
    'object that cannot be redrawn': ('red', '-'),
    'true anomaly': ('orange', (0, (2, 2))),
}
RATIOS = (0.4, 2.0)  # a panel is between so flat and so tall
LETTERS = 15  # in an inch, at the size that is written


@dataclass
class Panel:
    """A picture of a sheet.

    Attributes:
        image: (H, W, 3) uint8 RGB, or None for an empty place.
        title: Text above; wrapped.
        caption: Text below; wrapped.
        boxes: Boxes (n, 4) xyxy in pixels of the image, by what they are: a
            key of :data:`LINES`.
        colour: Colour of the caption.
    """

    image: np.ndarray | None
    title: str = ''
    caption: str = ''
    boxes: Mapping[str, np.ndarray] = field(default_factory=dict)
    colour: str = 'black'


def draw_sheet(
    rows: Sequence[Sequence[Panel]],
    heading: str = '',
    width: float = 2.2,
    dpi: int = 110,
) -> np.ndarray:
    """Draw panels in rows.

    Small images are enlarged without blur, large ones reduced; all panels of
    a sheet are of one width. What the boxes are stands below, if there are
    any.

    Args:
        rows: Panels of each row; rows may differ in length.
        heading: Text above all.
        width: Width of a panel in inches.
        dpi: Pixels in an inch.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: If there is no panel.
    """
    if not any(rows):
        raise ValueError('a sheet needs at least one panel')
    columns = max(len(row) for row in rows)
    heights = [_height(row) * width for row in rows]
    texts = [0.19 * _text_lines(row, width) + 0.1 for row in rows]
    boxed = any(len(b) for row in rows for p in row for b in p.boxes.values())
    figure = Figure(
        figsize=(
            max(columns * (width + 0.08), 3),
            sum(heights) + sum(texts) + 0.15 + 0.2 * (bool(heading) + boxed),
        ),
        dpi=dpi,
        layout='constrained',
    )
    canvas = FigureCanvasAgg(figure)
    places = figure.subplots(
        len(rows), columns, squeeze=False, height_ratios=heights
    )
    for axes, row in zip(places, rows, strict=True):
        for place, panel in zip(
            axes, [*row, *[Panel(None)] * (columns - len(row))], strict=True
        ):
            _draw_panel(place, panel, width)
    if heading:
        letters = int(columns * (width + 0.08) * 0.85 * LETTERS)
        lines = [textwrap.fill(line, letters) for line in heading.splitlines()]
        figure.suptitle('\n'.join(lines), fontsize=10)
    _draw_legend(figure, rows)
    return img_from_canvas(canvas)


def write_image(image: np.ndarray, path: str | Path) -> None:
    """Write an RGB image; folders are made.

    Args:
        image: (H, W, 3) uint8 RGB.
        path: File to write.

    Raises:
        OSError: If it cannot be written.
    """
    if not mmcv.imwrite(np.ascontiguousarray(image[..., ::-1]), str(path)):
        raise OSError(f'cannot write {path}')


def show_image(image: np.ndarray, title: str) -> None:
    """Show an RGB image in a window, until that is closed.

    Args:
        image: (H, W, 3) uint8 RGB.
        title: Title of the window.

    Raises:
        RuntimeError: If matplotlib found no display to open a window on.
    """
    from matplotlib import pyplot as plt

    if plt.get_backend().lower() == 'agg':
        raise RuntimeError(
            'there is no display to show the picture on: write it to a file'
        )
    height, width = image.shape[:2]
    figure = plt.figure(title, figsize=(width / 100, height / 100))
    figure.add_axes((0, 0, 1, 1), frameon=False).imshow(image)
    plt.show()


def _height(row: Sequence[Panel]) -> float:
    """Return height / width of the tallest panel of a row, within limits."""
    shapes = [p.image.shape[:2] for p in row if p.image is not None]
    ratios = [h / w for h, w in shapes]
    return float(np.clip(max(ratios, default=1.0), *RATIOS))


def _wrap(text: str, width: float) -> list[str]:
    """Break a text of one or more lines to the width of a panel."""
    lines = []
    for line in text.splitlines():
        lines += textwrap.wrap(
            line, int(width * LETTERS), max_lines=2, placeholder=' ...'
        )
    return lines


def _text_lines(row: Sequence[Panel], width: float) -> int:
    """Return how many lines of text a row needs above and below."""
    return sum(
        max((len(_wrap(getattr(p, name), width)) for p in row), default=0)
        for name in ('title', 'caption')
    )


def _draw_panel(axes: Axes, panel: Panel, width: float) -> None:
    """Draw one picture with its text and boxes."""
    axes.set_xticks([])
    axes.set_yticks([])
    if panel.image is None:
        axes.axis('off')
        return
    height, wide = panel.image.shape[:2]
    # Box coordinates are those of pixel edges: 0 and W are the borders.
    way = 'nearest' if max(height, wide) < width * 110 else 'antialiased'
    axes.imshow(panel.image, extent=(0, wide, height, 0), interpolation=way)
    axes.set_title('\n'.join(_wrap(panel.title, width)), fontsize=8)
    axes.set_xlabel(
        '\n'.join(_wrap(panel.caption, width)), fontsize=8, color=panel.colour
    )
    for kind, boxes in panel.boxes.items():
        colour, dashes = LINES[kind]
        for x1, y1, x2, y2 in np.asarray(boxes, float).reshape(-1, 4):
            edge = Rectangle(
                (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour
            )
            edge.set(linewidth=1.8, linestyle=dashes)
            outline = patheffects.withStroke(linewidth=3, foreground='black')
            edge.set_path_effects([outline])
            axes.add_patch(edge)


def _draw_legend(figure: Figure, rows: Sequence[Sequence[Panel]]) -> None:
    """Say below the panels what their boxes are."""
    used = {
        kind
        for row in rows
        for panel in row
        for kind, boxes in panel.boxes.items()
        if len(boxes)
    }
    marks = [
        Line2D([], [], color=LINES[k][0], linestyle=LINES[k][1], lw=2)
        for k in LINES
        if k in used
    ]
    if marks:
        figure.legend(
            marks,
            [kind for kind in LINES if kind in used],
            loc='outside lower center',
            ncols=len(marks),
            fontsize=8,
            frameon=False,
        )
