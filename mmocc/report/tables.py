"""The numbers of the occlusion report as text, and its files."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmocc.occlusion.occlude_objects import TOO_SMALL
from mmocc.report.answers import CORRUPT, CUT_OFF, NO_PIXEL
from mmocc.report.summary import ENDS
from mmocc.utils.files import some

TITLES = dict(  # by what is measured
    accuracy='What does occlusion cost?',
    agreement='What does occlusion change? Agreement with the clean answer',
    ap='What does occlusion cost a detector?',
)
MEASURES = dict(
    accuracy='Top-1 accuracy in percent.',
    agreement='Agreement with the own answer to the clean image, in percent: '
    'the images have no labels. It tells how stable answers are, not how '
    'often they are right, and is 100 in L0.',
    ap='Average precision (AP) of COCO, of boxes, in percent: mean over IoU '
    'from 0.50 to 0.95 and over classes.',
)
HEADS = dict(accuracy='accuracy, %', agreement='agreement, %', ap='AP, %')
AXES = dict(
    accuracy='top-1 accuracy, %',
    agreement='agreement with the clean answer, %',
    ap='objects found, %',
)
REASON_WORDS = {  # why an image has no answer
    TOO_SMALL: 'too few pixels for the level',
    CUT_OFF: 'the pipeline cuts the object off',
    CORRUPT: 'the file cannot be read',
    NO_PIXEL: 'the mask or box has no pixel',
}


def shown_ends(report: dict) -> list[str]:
    """Return the means that stand at the end of a report's tables."""
    means = next(iter(report['models'].values()))['means']
    return [end for end in ENDS if end in means]


def measured(report: dict) -> str:
    """Return what a report measures, ``accuracy`` or ``agreement``."""
    return report.get('measure', 'accuracy')


def page_title(report: dict) -> str:
    """Return the title of a report, with the names of its models."""
    names = list(report['models'])
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return f'{TITLES[measured(report)]} {", ".join(names[:3])}{more}'


def markdown_table(report: dict) -> str:
    """Return a Markdown table: a row for each model, a column for each cell.

    Rows of differences from the first model follow, with 95 % intervals.
    """
    models, ends = report['models'], shown_ends(report)
    names = list(next(iter(models.values()))['cells'])
    head = 'model' if measured(report) == 'accuracy' else HEADS['agreement']
    rows = [[head, *names, *ends]]
    rows.append(['---'] + ['---:'] * (len(rows[0]) - 1))
    for model, summary in models.items():
        cells = [summary['cells'][c] for c in names]
        texts = [with_spread(shown(c['accuracy']), c) for c in cells]
        texts += [with_interval(summary['means'][end]) for end in ends]
        rows.append([model, *texts])
    for model, summary in models.items():
        if versus := summary.get('difference'):
            cells = [versus[c] for c in names]
            texts = [
                with_spread(shown(c['difference'], '+.1f'), c) for c in cells
            ]
            texts += [with_interval(versus[end]) for end in ends]
            rows.append([f'{model} - {report["baseline"]}', *texts])
    return as_markdown(rows)


def measure_rows(report: dict) -> list[list[str]]:
    """Return retention, area, top-5, ..., a row for each model.

    Those of ``L1-L3`` are means over cells. The first row has the names.
    """
    keys = dict(top5=('top-5, %', '.1f'))
    keys['negative_log_likelihood'] = ('NLL', '.3f')
    keys['aurc'] = ('AURC, %', '.1f')
    ends = ('L0', 'L1-L3')
    rows = [['model', 'retention, %', 'area, %']]
    rows[0] += [f'{name} {end}' for name, _ in keys.values() for end in ends]
    for model, summary in report['models'].items():
        row = [model, shown(summary['retention']), shown(summary['area'])]
        for key, (_, form) in keys.items():
            values = {c: v[key] for c, v in summary['cells'].items()}
            clean = values.pop('L0', None)
            row += [shown(clean, form), shown(_mean(values.values()), form)]
        rows.append(row)
    return rows


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of numbers, None if there is none or one is None."""
    known = list(values)
    if not known or None in known:
        return None
    return sum(v for v in known if v is not None) / len(known)


def image_rows(report: dict) -> list[list[str]]:
    """Return how many images each number is of, and why others are not.

    A row for each model, and for each of its reasons to leave images out; the
    first one has the names of the columns.
    """
    ends = shown_ends(report)
    names = list(next(iter(report['models'].values()))['cells'])
    rows = [['images', *names, *ends]]
    for model, summary in report['models'].items():
        cells = [summary['cells'][name] for name in names]
        used = [cell['images'] for cell in cells]
        used += [summary['means'][end]['images'] for end in ends]
        rows.append([model, *map(str, used)])
        for reason in dict.fromkeys(r for c in cells for r in c['left_out']):
            counts = [str(cell['left_out'].get(reason, 0)) for cell in cells]
            words = f'{model}, left out: {REASON_WORDS.get(reason, reason)}'
            rows.append([words, *counts, *[''] * len(ends)])
    return rows


def remarks(report: dict) -> list[str]:
    """Return what a reader must know of the models, in sentences."""
    texts = []
    if measured(report) != 'accuracy':
        texts.append(MEASURES[measured(report)])
    if seeds := report.get('seeds'):
        texts.append(
            f'Each image was occluded with {len(seeds)} seeds '
            f'({", ".join(map(str, seeds))}): numbers are means over them, '
            'and ± is their standard deviation over the seeds, in points.'
        )
    shared: dict[int, list[str]] = {}
    for model, summary in report['models'].items():
        if reason := summary.get('not_paired'):
            texts.append(
                f'{model} is not compared with {report["baseline"]}: {reason}.'
            )
        if not summary['probabilities']:
            texts.append(
                f'The scores of {model} are not probabilities (of an image, '
                'they are outside 0 to 1 or their sum is not 1): they are not '
                'used as confidence, and there is no calibration error.'
            )
        if unusable := summary.get('unusable'):
            texts.append(
                f'{len(unusable)} image(s) of {model} cannot be used, and '
                f'are left out: {some(unusable)}.'
            )
        if not summary['named']:
            texts.append(
                f'Images of {model} have neither a path nor an id: each is '
                'known by its place in the test set alone, and so are its '
                'occlusions.'
            )
        if summary['photos'] < summary['images']:
            shared.setdefault(summary['photos'], []).append(model)
    for photos, names in shared.items():
        texts.append(
            f'The images of {", ".join(names)} are objects of {photos} '
            'photos. Objects of one photo count as dependent.'
        )
    return texts


def as_markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of texts as a Markdown table."""
    safe = ([cell.replace('|', '\\|') for cell in row] for row in rows)
    return '\n'.join(f'| {" | ".join(row)} |' for row in safe)


def shown(value: float | None, form: str = '.1f') -> str:
    """Return a number as text, a dash for None."""
    return '-' if value is None else format(value, form)


def with_interval(numbers: dict[str, Any]) -> str:
    """Return ``61.2 (60.1-62.3)``, or ``+3.1 (+2.0 to +4.2)``."""
    value = numbers.get('difference', numbers.get('accuracy'))
    low, high = numbers['interval']
    if value is None:
        return '-'
    if 'difference' in numbers:
        text = f'{value:+.1f} ({low:+.1f} to {high:+.1f})'
    else:
        text = f'{value:.1f} ({low:.1f}-{high:.1f})'
    return with_spread(text, numbers)


def with_spread(text: str, numbers: dict[str, Any]) -> str:
    """Return a text with the spread over seeds after it, if there is one."""
    spread = numbers.get('spread')
    return text if spread is None else f'{text} ±{spread:.1f}'


def finite(node: Any) -> Any:
    """Return a copy with None for each number that JSON does not know."""
    if isinstance(node, dict):
        return {str(key): finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [finite(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node


def write_json(report: dict, path: Path) -> None:
    """Write a report; ``null`` stands for what is not a finite number."""
    text = json.dumps(finite(report), indent=1, allow_nan=False)
    path.write_text(text + '\n', encoding='utf-8')


def write_tables(report: dict, out_dir: str | Path) -> None:
    """Write ``occlusion.json``, ``.csv`` and ``.md`` into a folder."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_json(report, out_dir / 'occlusion.json')
    heads, *rows = image_rows(report)
    images = as_markdown([heads, ['---'] + ['---:'] * len(heads[1:]), *rows])
    heads, *rows = measure_rows(report)
    more = as_markdown([heads, ['---'] + ['---:'] * len(heads[1:]), *rows])
    parts = [markdown_table(report), more, images, *remarks(report)]
    (out_dir / 'occlusion.md').write_text(
        '\n\n'.join(parts) + '\n', encoding='utf-8'
    )
    with (out_dir / 'occlusion.csv').open(
        'w', newline='', encoding='utf-8'
    ) as file:
        writer = csv.writer(file)
        heads = ['accuracy', 'images', 'confidence', 'calibration_error']
        shown_heads = [measured(report), *heads[1:]]
        writer.writerow(
            ['model', 'cell', *shown_heads, 'low', 'high', 'left_out']
        )
        for model, summary in report['models'].items():
            for cell, numbers in summary['cells'].items():
                row = [numbers[head] for head in heads]
                row += [
                    *numbers['interval'],
                    sum(numbers['left_out'].values()),
                ]
                writer.writerow([model, cell, *row])
