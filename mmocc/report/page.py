"""The occlusion report as one HTML page without outside resources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from mmocc.occlusion import CLEAN
from mmocc.report.page_compare import compare_parts
from mmocc.report.page_parts import class_rows, heat_maps, wide_rows
from mmocc.report.page_words import (
    chance_words,
    difference_lines,
    headlines,
)
from mmocc.report.plots_svg import frame, reliability_panels, share_panels
from mmocc.report.statistics import cell_groups
from mmocc.report.summary import ENDS
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

TEMPLATES = Path(__file__).parent / 'templates'
REGION_WORDS = dict(
    mask='its mask',
    box='its box',
    image='the whole image, since the data have neither box nor mask',
    stated='what the data set itself takes for it',
)
NOUNS = dict(accuracy='accuracy', agreement='agreement', ap='AP')


def region_words(report: dict) -> str:
    """Return in words what counted as the object."""
    regions = dict.fromkeys(
        region
        for model in report['models'].values()
        for cell, numbers in model['cells'].items()
        for region in (numbers.get('regions', ()) if cell != CLEAN else ())
    )
    words = ' or '.join(REGION_WORDS[region] for region in regions)
    return f'here: {words or "nothing hidden"}'


def render(template: str, path: str | Path, **values: Any) -> None:
    """Write a page of a template; a name that it lacks is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(template).render(**values)
    Path(path).write_text(page, encoding='utf-8')


def common_parts(
    report: dict,
    examples: Sequence[dict],
    title: str,
    old: tuple[str, dict] | None,
) -> dict[str, Any]:
    """Return what pages of classifiers and detectors both show."""
    models = report['models']
    names = {name: number for number, name in enumerate(models)}
    words = MEASURES[measured(report)]
    return dict(
        title=title,
        report=report,
        measure=measured(report),
        noun=NOUNS[measured(report)],
        measure_words=words,
        headlines=headlines(report),
        differences=difference_lines(report),
        several=len(models) > 1,
        names=names,
        cells=list(next(iter(models.values()))['cells']),
        ends=shown_ends(report),
        maps=heat_maps(report),
        wide=wide_rows(report),
        frame=frame(),
        share=share_panels(report),
        shots=examples,
        filters=filters(examples),
        remarks=[t for t in remarks(report) if t != words],
        compared=compare_parts(report, old) if old else None,
        shown=shown,
        with_interval=with_interval,
    )


def filters(examples: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what pictures can be chosen by: kinds, levels, classes."""
    levels = {shot['level']: None for shot in examples}
    kinds = {shot['kind']: None for shot in examples if shot['kind']}
    truths = {truth for shot in examples for truth in shot['truths']}
    return dict(
        kinds=list(kinds), levels=sorted(levels), classes=sorted(truths)
    )


def write_report(
    report: dict,
    examples: Sequence[dict],
    path: str | Path,
    title: str = TITLES['accuracy'],
    old: tuple[str, dict] | None = None,
) -> None:
    """Write the page of classifiers.

    Args:
        report: As of ``summarise``.
        examples: What ``make_example`` gives, in order.
        path: Of the page.
        title: Of the page.
        old: Name and numbers of an earlier report, to be shown beside.
    """
    models = report['models'].values()
    cells = list(next(iter(models))['cells'])
    chance = report.get('chance')
    render(
        'occlusion_report.html',
        path,
        **common_parts(report, examples, title, old),
        chance=None if chance is None else chance_words(chance),
        levels=[lv for lv in cell_groups(cells) if lv not in ENDS],
        reliability=reliability_panels(report),
        flags=any(model['flags'] for model in models),
        classes=class_rows(report),
        images=image_rows(report),
        more=measure_rows(report),
        paired=not any('not_paired' in model for model in models),
        regions=region_words(report),
    )
