"""The first lines of a report: what occlusion costs, in sentences."""

from collections.abc import Sequence

from mmocc.occlusion import HARD_LEVELS
from mmocc.report.cost import ALL_HARD
from mmocc.report.tables import measured, shown

UNITS = dict(
    accuracy='points',
    agreement='points of agreement',
    ap='points of AP',
)
MINUS = '\N{MINUS SIGN}'


def headlines(report: dict) -> list[dict[str, str]]:
    """Return what occlusion costs each model: its ``model`` and ``text``."""
    return [
        dict(model=name, text=cost_words(report, name))
        for name in report['models']
    ]


def cost_words(report: dict, name: str) -> str:
    """Return what occlusion costs one model, with its interval.

    Models of an older report, without ``costs``, get their means alone.
    """
    model = report['models'][name]
    costs = model.get('costs') or {}
    group = main_group(costs)
    cost = costs.get(group)
    if cost is None:
        return _means_words(report, model)
    return (
        f'{_loss_words(report, cost)} at {levels_words(report)}'
        f'{_chance_words(report, model)}'
    )


def main_group(groups: Sequence[str] | dict) -> str:
    """Return the group of levels that a headline is about."""
    names = list(groups)
    return ALL_HARD if ALL_HARD in names or not names else names[-1]


def levels_words(report: dict) -> str:
    """Return the occluded levels of a report in words, such as L1-L3."""
    cells = next(iter(report['models'].values()))['cells']
    found = dict.fromkeys(cell.partition(' ')[0] for cell in cells)
    levels = [level for level in HARD_LEVELS if level in found]
    if len(levels) == len(HARD_LEVELS):
        return ALL_HARD
    others = [level for level in found if level != 'L0']
    return ' and '.join(levels or others)


def _loss_words(report: dict, cost: dict) -> str:
    """Return ``loses 19.3 of 43.0 points (18.1 to 20.6)``."""
    unit, loss = UNITS[measured(report)], cost['loss']
    low, high = cost['interval']
    size = f'{abs(loss):.1f}'
    if loss >= 0:
        text = f'loses {size} of {cost["clean"]:.1f} {unit}'
    else:
        text = f'gains {size} on {cost["clean"]:.1f} {unit}'
        low, high = (-high, -low) if low is not None else (low, high)
    if low is None:
        return text
    return f'{text} ({_signed(low)} to {_signed(high)})'


def _signed(value: float) -> str:
    """Return a number that has a sign only below zero."""
    text = f'{abs(value):.1f}'
    return f'{MINUS}{text}' if value < 0 and float(text) else text


def _chance_words(report: dict, model: dict) -> str:
    """Return from which level on answers cannot be told from guesses."""
    chance = report.get('chance')
    if chance is None:
        return '.'
    for level in HARD_LEVELS:
        mean = model['means'].get(level)
        if mean is None or mean['accuracy'] is None:
            continue
        low = mean['interval'][0]
        if low is not None and low <= chance:
            return f'; at {level} near chance ({chance_words(chance)}).'
    return '.'


def chance_words(chance: float) -> str:
    """Return chance in percent with the digits that it needs."""
    return f'{chance:.3g} %'


def _means_words(report: dict, model: dict) -> str:
    """Return the accuracy alone, where no cost is known."""
    name = main_group(model['means'])
    mean = model['means'].get(name)
    if mean is None:
        name, mean = next(iter(model['means'].items()))
    what = dict(accuracy='is right in', agreement='agrees in', ap='has AP')
    value = shown(mean['accuracy'])
    words = '' if name == 'mean' else f' at {name}'
    return f'{what[measured(report)]} {value} %{words}.'


def difference_lines(report: dict) -> list[dict[str, str]]:
    """Return how each other model compares with the first.

    ``model``, its ``base``, the ``text`` between them, the ``end`` of the
    line, and whether it is ``good`` or ``bad``.
    """
    lines = []
    for name, model in report['models'].items():
        versus = model.get('difference')
        if not versus:
            continue
        group = ALL_HARD if ALL_HARD in versus else list(versus)[-1]
        gap = versus[group]
        if gap['difference'] is None:
            continue
        words = levels_words(report) if group == ALL_HARD else group
        clean = versus.get('L0')
        end = f'at {words} ({_range(gap)})'
        if clean and clean['difference'] is not None and group != 'L0':
            shift = f'{_plus(clean["difference"])} ({_range(clean)})'
            end += f'; clean: {shift}'
        text, kind = _gap_words(gap, UNITS[measured(report)])
        lines.append(
            dict(
                model=name,
                base=report['baseline'],
                text=text,
                end=f'{end}.',
                kind=kind,
            )
        )
    return lines


def _gap_words(gap: dict, unit: str) -> tuple[str, str]:
    """Return the words between two models' names, and their colour."""
    value, (low, high) = gap['difference'], gap['interval']
    if low is None or low <= 0 <= high:
        return f'is not told apart ({_plus(value)} {unit}) from', ''
    if value > 0:
        return f'is {value:.1f} {unit} better than', 'good'
    return f'is {-value:.1f} {unit} worse than', 'bad'


def _range(gap: dict) -> str:
    """Return the interval of a difference."""
    low, high = gap['interval']
    return '-' if low is None else f'{_plus(low)} to {_plus(high)}'


def _plus(value: float) -> str:
    """Return a number with its sign."""
    text = f'{value:+.1f}'
    return text.replace('-', MINUS)
