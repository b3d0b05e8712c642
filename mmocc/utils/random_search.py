"""Random search over settings of a config: what to try, and what came out.

``tools/random_search.py`` runs the trials. No OpenMMLab import.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

KINDS = ('uniform', 'log', 'choice')
RESULT = 'result.json'
SCALARS = '*/vis_data/scalars.json'  # of mmengine, below a work directory


class Setting(NamedTuple):
    """What values a setting of a config may have.

    Attributes:
        kind: ``uniform``, ``log`` (the logarithm is uniform) or ``choice``.
        values: Two ends, or the values to choose from.
    """

    kind: str
    values: tuple[Any, ...]

    def at(self, place: float) -> Any:
        """Return the value at a place in [0, 1)."""
        if self.kind == 'choice':
            return self.values[int(place * len(self.values))]
        low, high = self.values
        if self.kind == 'uniform':
            return low + place * (high - low)
        return math.exp(
            math.log(low) + place * (math.log(high) - math.log(low))
        )


def parse_space(space: Mapping[str, Any], name: str) -> dict[str, Setting]:
    """Return the settings of a search space, as JSON has them.

    Args:
        space: By the setting's name in the config, such as
            ``{"optim_wrapper.optimizer.lr": {"log": [1e-5, 1]}}``.
        name: Of the file, for errors.

    Raises:
        ValueError: If a setting has no range or a wrong one.
    """
    if not isinstance(space, Mapping) or not space:
        raise ValueError(f'{name}: must be an object of settings')
    settings = {}
    for key, given in space.items():
        pairs = list(given.items()) if isinstance(given, Mapping) else []
        if len(pairs) != 1 or pairs[0][0] not in KINDS:
            raise ValueError(
                f'{name}: {key} is {given!r}; it must have one of '
                f'{", ".join(KINDS)}, such as {{"log": [1e-5, 1]}}'
            )
        ((kind, values),) = pairs
        if not isinstance(values, list) or not values:
            raise ValueError(f'{name}: {kind} of {key} must be a list')
        if kind != 'choice':
            numbers = len(values) == 2 and all(
                isinstance(v, int | float) and math.isfinite(v) for v in values
            )
            least = 0 if kind == 'log' else -math.inf
            if not numbers or not least < values[0] < values[1]:
                above = ' above 0' if kind == 'log' else ''
                raise ValueError(
                    f'{name}: {kind} of {key} is {values}; it must be the '
                    f'lower and the upper end{above}'
                )
        settings[key] = Setting(kind, tuple(values))
    return settings


def draw_trial(
    settings: Mapping[str, Setting], seed: int, trial: int
) -> dict[str, Any]:
    """Return the values of a trial; each trial can be drawn by itself."""
    places = np.random.default_rng([seed, trial]).random(len(settings))
    return {
        key: setting.at(float(place))
        for (key, setting), place in zip(settings.items(), places, strict=True)
    }


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Return values as ``--cfg-options`` takes them."""
    return [f'{key}={_written(value)}' for key, value in values.items()]


def _written(value: Any) -> str:
    """Write a value without white space; lists in brackets."""
    if isinstance(value, list | tuple):
        return f'[{",".join(map(_written, value))}]'
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def read_metric(folder: Path, metric: str, epoch: str = 'best') -> float:
    """Return the best (greatest) or the last value of a logged metric.

    Args:
        folder: Work directory of a run of mmengine; of several starts, all
            logs count.
        metric: Its name in the log, such as ``max_box_acc/v2``.
        epoch: ``best`` or ``last``.

    Raises:
        ValueError: If it was never logged; the error names what was.
    """
    values: list[float] = []
    names: set[str] = set()
    for file in sorted(folder.glob(SCALARS)):
        for line in file.read_text(encoding='utf-8').splitlines():
            logged = json.loads(line)
            names |= logged.keys()
            if metric in logged:
                values.append(float(logged[metric]))
    if not values:
        others = sorted(name for name in names if '/' in name)
        raise ValueError(
            f'{folder}: {metric} was not logged; logged were '
            f'{", ".join(others) or "no metrics"}'
        )
    finite = [value for value in values if math.isfinite(value)]
    if epoch == 'last' or not finite:
        return values[-1]
    return max(finite)


def ranking(folder: Path) -> list[dict[str, Any]]:
    """Return the trials that have a result, the best first.

    Trials without a finite score come last: a failure is a result, too.
    """
    results = [
        json.loads(file.read_text(encoding='utf-8'))
        for file in sorted(folder.glob(f'trial_*/{RESULT}'))
    ]

    def place(result: dict) -> tuple[bool, float]:
        score = result['score']
        bad = score is None or not math.isfinite(score)
        return bad, 0.0 if bad else -score

    return sorted(results, key=place)
