"""Line plots as SVG that follow the width and the colours of the page.

Colours and text are classes of the page's style sheet; here are only places,
in the units of a panel.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mmocc.report.tables import AXES, measured

WIDTH, HEIGHT = 320, 230  # units of a panel
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 10, 40  # units around its axes
STYLES = 6  # of lines; more repeat


def place_x(value: float) -> float:
    """Return where a percentage is, from left to right."""
    return round(LEFT + value / 100 * (WIDTH - LEFT - RIGHT), 1)


def place_y(value: float) -> float:
    """Return where a percentage is, from bottom to top."""
    return round(HEIGHT - BOTTOM - value / 100 * (HEIGHT - TOP - BOTTOM), 1)


def line(
    points: Iterable[tuple[float, float, Any]],
    style: int,
) -> dict[str, Any]:
    """Return a line, its points, and the band of its intervals.

    Args:
        points: x, y and the interval of y, in percent.
        style: Number of the line's style.
    """
    known = list(points)
    middle = [(place_x(x), place_y(y)) for x, y, _ in known]
    band = ''
    if len(known) > 1 and all(
        ends and ends[0] is not None for *_, ends in known
    ):
        upper = [(place_x(x), place_y(ends[1])) for x, _, ends in known]
        lower = [(place_x(x), place_y(ends[0])) for x, _, ends in known]
        band = _joined([*upper, *reversed(lower)])
    return dict(
        path=_joined(middle), dots=middle, band=band, style=style % STYLES
    )


def _joined(points: Iterable[tuple[float, float]]) -> str:
    """Return points as SVG has them."""
    return ' '.join(f'{x:g},{y:g}' for x, y in points)


def panel(
    title: str,
    lines: Sequence[dict],
    x_label: str,
    y_label: str,
    guide: float | None = None,
    diagonal: bool = False,
) -> dict[str, Any]:
    """Return a panel whose two axes are percentages.

    ``guide`` is the height of a dotted line, ``diagonal`` one from 0 to 100.
    """
    return dict(
        title=title,
        lines=list(lines),
        x_label=x_label,
        y_label=y_label,
        guide=None if guide is None else place_y(guide),
        diagonal=diagonal,
    )


def frame() -> dict[str, Any]:
    """Return what all panels share: size, axes and ticks."""
    ticks = (0, 25, 50, 75, 100)
    return dict(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x=[(tick, place_x(tick)) for tick in ticks],
        y=[(tick, place_y(tick)) for tick in ticks],
    )


def share_panels(report: dict) -> list[dict]:
    """Return accuracy against the hidden share: all kinds, then each."""
    models = report['models']
    kinds = dict.fromkeys(
        kind for model in models.values() for kind in model.get('curves', ())
    )
    panels = []
    for kind in kinds:
        lines = []
        for style, model in enumerate(models.values()):
            curve = model.get('curves', {}).get(kind)
            if curve:
                lines.append(line(_with_clean(model, curve), style))
        panels.append(
            panel(
                kind,
                lines,
                'hidden share of the object, %',
                AXES[measured(report)],
                report.get('chance'),
            )
        )
    return panels


def _with_clean(
    model: dict, curve: list[dict]
) -> list[tuple[float, float, Sequence[float | None]]]:
    """Return the points of a curve, after that of the clean images."""
    points = [(p['share'], p['accuracy'], p['interval']) for p in curve]
    clean = model.get('clean_point') or model['cells'].get('L0')
    if clean is None or clean['accuracy'] is None:
        return points
    return [(0.0, clean['accuracy'], clean['interval']), *points]


def reliability_panels(report: dict) -> list[dict]:
    """Return confidence against accuracy, a panel for each level."""
    models = report['models']
    levels = dict.fromkeys(
        level
        for model in models.values()
        for level in model.get('reliability', ())
    )
    panels = []
    for level in levels:
        lines = []
        for style, model in enumerate(models.values()):
            curve = model['reliability'].get(level)
            if curve is None:
                continue
            pairs = zip(curve['confidence'], curve['accuracy'], strict=True)
            known = [(x, y, None) for x, y in pairs if None not in (x, y)]
            lines.append(line(known, style))
        panels.append(
            panel(
                level,
                lines,
                'confidence, %',
                AXES[measured(report)],
                diagonal=True,
            )
        )
    return panels
