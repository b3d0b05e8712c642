"""Sheets of pictures: rows of titled panels with boxes, as one image.

They are drawn without pyplot: the program's backend does not change.
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

from mmocc.visualization.colours import Scale, heat_colours

LINES = {
    'ground truth': ('lime', '-'),
    'predicted box': ('red', (0, (4, 1.5))),
    'box of the map': ('red', (0, (4, 1.5))),
    'object': ('cyan', '-'),
    'redrawn object': ('limegreen', '-'),
    'object that cannot be redrawn': ('red', '-'),
    'true anomaly': ('orange', (0, (2, 2))),
    'defect': ('magenta', '-'),
    'above the threshold': ('gold', '-'),
}
RATIOS = (0.4, 2.0)  # limits of a panel's height / width
LETTERS = 15  # in an inch of text
DPI = 110
ROWS = 8  # of a sheet that are laid out together


@dataclass
class Panel:
    """A picture of a sheet.

    Attributes:
        image: (H, W, 3) uint8 RGB, or None for an empty place.
        title: Text above; wrapped.
        caption: Text below; wrapped.
        boxes: Boxes (n, 4) xyxy in pixels, by a key of :data:`LINES`.
        colour: Colour of the caption.
        masks: Masks (H, W), 1 = inside, by a key of :data:`LINES`; their
            outlines are drawn.
        scale: What the colours of the picture mean, if it shows a map.
    """

    image: np.ndarray | None
    title: str = ''
    caption: str = ''
    boxes: Mapping[str, np.ndarray] = field(default_factory=dict)
    colour: str = 'black'
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    scale: Scale | None = None


def draw_sheet(
    rows: Sequence[Sequence[Panel]], heading: str = '', width: float = 2.2
) -> np.ndarray:
    """Draw panels in rows, and a legend below that explains their boxes.

    Small images are enlarged without blur, large ones are reduced. Rows may
    differ in length; ``width`` is a panel's in inches. Returns (H, W, 3) uint8
    RGB; ValueError without a panel.
    """
    if not any(rows):
        raise ValueError('a sheet needs at least one panel')
    columns = max(len(row) for row in rows)
    panels = [panel for row in rows for panel in row]
    kinds = [
        kind for kind in LINES if any(_shows(panel, kind) for panel in panels)
    ]
    # The time to lay out a figure grows faster than its number of rows.
    parts = []
    for start in range(0, len(rows), ROWS):
        last = start + ROWS >= len(rows)
        part = _draw_rows(
            rows[start : start + ROWS],
            columns,
            '' if start else heading,
            kinds if last else [],
            width,
        )
        parts.append(part)
    return np.concatenate(parts)


def _draw_rows(
    rows: Sequence[Sequence[Panel]],
    columns: int,
    heading: str,
    kinds: Sequence[str],
    width: float,
) -> np.ndarray:
    """Draw a part of a sheet: a few rows, all sheets as wide."""
    heights = [_height(row) * width for row in rows]
    texts = [0.19 * _text_lines(row, width) + 0.1 for row in rows]
    extra = 0.15 + 0.2 * (bool(heading) + bool(kinds))
    size = max(columns * (width + 0.08), 3), sum(heights) + sum(texts) + extra
    figure = Figure(figsize=size, dpi=DPI, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(rows), columns, squeeze=False, height_ratios=heights
    )
    for axes, row in zip(grid, rows, strict=True):
        filled = [*row, *[Panel(None)] * (columns - len(row))]
        for place, panel in zip(axes, filled, strict=True):
            _draw_panel(place, panel, width)
    if heading:
        letters = int(columns * (width + 0.08) * 0.85 * LETTERS)
        lines = [textwrap.fill(line, letters) for line in heading.splitlines()]
        figure.suptitle('\n'.join(lines), fontsize=10)
    if kinds:
        _draw_legend(figure, kinds)
    return img_from_canvas(canvas)


def write_image(image: np.ndarray, path: str | Path) -> None:
    """Write (H, W, 3) uint8 RGB to a file, or raise OSError."""
    if not mmcv.imwrite(np.ascontiguousarray(image[..., ::-1]), str(path)):
        raise OSError(f'cannot write {path}')


def show_image(image: np.ndarray, title: str) -> None:
    """Show (H, W, 3) uint8 RGB in a window; RuntimeError without a display."""
    from matplotlib import pyplot as plt

    if plt.get_backend().lower() == 'agg':
        raise RuntimeError(
            'there is no display to show the picture on: write it to a file'
        )
    height, width = image.shape[:2]
    figure = plt.figure(title, figsize=(width / 100, height / 100))
    figure.add_axes((0, 0, 1, 1), frameon=False).imshow(image)
    plt.show()


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return an image (H, W) or (H, W, 1 or 3), grey or BGR, as uint8 RGB."""
    image = np.clip(np.round(image), 0, 255).astype(np.uint8)
    image = image if image.ndim == 3 else image[..., None]
    image = image.repeat(3, axis=2) if image.shape[2] == 1 else image
    return np.ascontiguousarray(image[..., ::-1])


def _shows(panel: Panel, kind: str) -> bool:
    """Return whether a panel has a box or an outline of this kind."""
    mask = panel.masks.get(kind)
    outlined = mask is not None and bool(np.any(mask))
    return outlined or len(panel.boxes.get(kind, ())) > 0


def _height(row: Sequence[Panel]) -> float:
    """Return height / width of the tallest panel of a row, within limits."""
    shapes = [p.image.shape[:2] for p in row if p.image is not None]
    ratios = [h / w for h, w in shapes]
    return float(np.clip(max(ratios, default=1.0), *RATIOS))


def _wrap(text: str, width: float) -> list[str]:
    """Break a text of one or more lines to the width of a panel."""
    letters = int(width * LETTERS)
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            line, letters, max_lines=2, placeholder=' ...'
        )
    ]


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
    way = 'nearest' if max(height, wide) < width * DPI else 'antialiased'
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
    for kind, mask in panel.masks.items():
        _draw_outlines(axes, mask, kind)
    if panel.scale is not None:
        _draw_scale(axes, panel.scale)


def _draw_outlines(axes: Axes, mask: np.ndarray, kind: str) -> None:
    """Draw the outlines of a mask along the edges of its pixels."""
    colour, dashes = LINES[kind]
    # Between pixels, also at the border of the picture.
    padded = np.pad(np.asarray(mask) != 0, 1).astype(float)
    if not padded.any():
        return
    height, width = padded.shape
    lines = axes.contour(
        np.arange(width) - 0.5,
        np.arange(height) - 0.5,
        padded,
        [0.5],
        colors=colour,
        linewidths=1.4,
        linestyles=[dashes],
    )
    outline = patheffects.withStroke(linewidth=2.6, foreground='black')
    lines.set_path_effects([outline])


def _draw_scale(axes: Axes, scale: Scale) -> None:
    """Draw a bar of colours with its range at the right of a picture."""
    bar = axes.inset_axes((1.02, 0.0, 0.04, 1.0))
    ramp = np.linspace(scale.high, scale.low, 256)[:, None]
    bar.imshow(
        heat_colours(ramp, scale.low, scale.high),
        extent=(0, 1, scale.low, scale.high),
        aspect='auto',
    )
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.set_yticks(np.linspace(scale.low, scale.high, 3))
    bar.tick_params(labelsize=6, length=2, pad=1)
    bar.yaxis.set_label_position('right')
    bar.set_ylabel(scale.text, fontsize=7, labelpad=2)


def _draw_legend(figure: Figure, kinds: Sequence[str]) -> None:
    """Explain below the panels what their boxes are."""
    styles = [LINES[kind] for kind in kinds]
    figure.legend(
        [Line2D([], [], color=c, linestyle=dash, lw=2) for c, dash in styles],
        kinds,
        loc='outside lower center',
        ncols=len(kinds),
        fontsize=8,
        frameon=False,
    )
