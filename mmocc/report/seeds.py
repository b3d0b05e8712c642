"""Several draws of occluders: their answers together, and their spread.

An image that is occluded with several seeds is several answers to one photo,
as objects of one photo are: intervals know that such answers are dependent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmocc.report.answers import ARRAYS, Answers

CellAnswers = dict[str, Answers]


def seeds_problem(seeds: Any) -> str | None:
    """Return what is wrong with seeds of occluders, if anything is."""
    fine = isinstance(seeds, Sequence) and not isinstance(seeds, str)
    if not fine or not seeds:
        return f'must be a list of whole numbers, got {seeds!r}'
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            return f'must be whole numbers of at least 0, got {seed!r}'
    if len(set(seeds)) < len(seeds):
        return f'must be different, got {list(seeds)}'
    return None


def seed_words(seeds: Sequence[int]) -> int | str:
    """Return the only seed, or several in words."""
    return ', '.join(map(str, seeds)) if len(seeds) > 1 else seeds[0]


def pool(by_seed: Mapping[int, CellAnswers]) -> CellAnswers:
    """Return a model's answers with all seeds as one set for each cell.

    From the second seed on, an image's identity has the seed; its photo stays.
    The same answers to the clean images stand for each seed.
    """
    first = next(iter(by_seed.values()))
    return {
        cell: _joined({seed: cells[cell] for seed, cells in by_seed.items()})
        for cell in first
    }


def _joined(parts: Mapping[int, Answers]) -> Answers:
    """Return the answers of several seeds in a cell as one set."""
    first, *others = (
        part if not place else _renamed(part, seed)
        for place, (seed, part) in enumerate(parts.items())
    )
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in (first, *others)])
        for name in ARRAYS
    }
    return Answers(
        **arrays,
        probabilities=all(part.probabilities for part in parts.values()),
        regions=first.regions,
        faults=[f for part in parts.values() for f in part.faults],
    )


def _renamed(answers: Answers, seed: int) -> Answers:
    """Return answers whose identities name a seed."""
    names = [f'{name} (seed {seed})' for name in answers.keys.tolist()]
    return replace(answers, identity=np.array(names, str))


def add_spread(
    numbers: Mapping[str, dict],
    by_seed: Mapping[int, Mapping[str, dict]],
    key: str = 'accuracy',
) -> None:
    """Add to each cell or mean its value by seed, and their spread.

    ``seeds`` are the values by seed, ``spread`` is their standard deviation
    (of a sample), both in points; None where a seed has no value.

    Args:
        numbers: By cell or mean, changed in place.
        by_seed: The same of each seed alone.
        key: Of the value.
    """
    for name, entry in numbers.items():
        values = {str(s): part[name][key] for s, part in by_seed.items()}
        known = [value for value in values.values() if value is not None]
        whole = len(known) == len(values)
        spread = round(float(np.std(known, ddof=1)), 4) if whole else None
        entry |= dict(seeds=values, spread=spread)
