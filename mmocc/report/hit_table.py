"""The answers of a model, side by side for each image.

Means over cells, their intervals and differences between models are all of
the images that have an answer in all of the cells: one population for a
number and its interval.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmocc.report.answers import Answers


@dataclass
class HitTable:
    """Hits and confidences of N images in C cells."""

    cells: list[str]  # the names of the C columns
    keys: list[str]  # the N images: their identities
    index: np.ndarray  # (N,) their places in the test set
    photos: np.ndarray  # (N,) int: equal for objects of one photo
    answered: np.ndarray  # (N, C) bool
    hits: np.ndarray  # (N, C) bool, False where there is no answer
    confidence: np.ndarray  # (N, C) float32, 0 where there is none

    @property
    def apart(self) -> bool:
        """Whether the cells are of separate images: none is in two of them."""
        return bool((self.answered.sum(axis=1) < 2).all())

    def pick(self, rows: np.ndarray) -> 'HitTable':
        """Return the table of some rows: their numbers, or an (N,) bool."""
        keys = np.array(self.keys, object)[rows].tolist()
        names = ('index', 'photos', 'answered', 'hits', 'confidence')
        arrays = {name: getattr(self, name)[rows] for name in names}
        return replace(self, keys=keys, **arrays)

    def of(self, cells: Sequence[str]) -> 'HitTable':
        """Return the images that have an answer in all of some cells."""
        columns = [self.cells.index(cell) for cell in cells]
        table = self.pick(np.all(self.answered[:, columns], axis=1))
        names = ('answered', 'hits', 'confidence')
        arrays = {name: getattr(table, name)[:, columns] for name in names}
        return replace(table, cells=list(cells), **arrays)


def hit_table(cells: dict[str, Answers]) -> HitTable:
    """Return a model's answers by cell as one table."""
    places: dict[str, int] = {}
    rows = [
        np.array([places.setdefault(k, len(places)) for k in keys], int)
        for keys in (answers.keys.tolist() for answers in cells.values())
    ]
    shape = (len(places), len(cells))
    table = HitTable(
        cells=list(cells),
        keys=list(places),
        index=np.zeros(len(places), int),
        photos=np.zeros(len(places), int),
        answered=np.zeros(shape, bool),
        hits=np.zeros(shape, bool),
        confidence=np.zeros(shape, np.float32),
    )
    photos: dict[str, int] = {}
    for column, (row, answers) in enumerate(
        zip(rows, cells.values(), strict=True)
    ):
        table.index[row] = answers.index
        table.photos[row] = number(answers.photo.tolist(), photos)
        table.answered[row, column] = True
        table.hits[row, column] = answers.hits
        table.confidence[row, column] = answers.confidence
    return table


def number(names: Iterable[str], known: dict[str, int]) -> list[int]:
    """Return a number for each name; ``known`` gets those of new ones."""
    return [known.setdefault(name, len(known)) for name in names]


def paired(ours: HitTable, base: HitTable) -> tuple[HitTable, HitTable]:
    """Return the rows of the images that both tables have, in one order."""
    places = {key: row for row, key in enumerate(base.keys)}
    mine = [row for row, key in enumerate(ours.keys) if key in places]
    theirs = [places[ours.keys[row]] for row in mine]
    return ours.pick(np.array(mine, int)), base.pick(np.array(theirs, int))
