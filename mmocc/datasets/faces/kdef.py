"""Reads KDEF: what its file names tell, and the list of a published split."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mmocc.datasets.faces.listing import Face, list_folder, some
from mmocc.datasets.lists import read_lines
from mmocc.utils.expressions import FER2013_LABELS, KDEF_CODES

SESSIONS = ('A', 'B')
VIEWS = ('FL', 'HL', 'S', 'HR', 'FR')  # full left to full right profile
_ID = re.compile(
    r'(?P<session>[AB])(?P<sex>[FM])(?P<number>\d\d)'
    rf'(?P<code>{"|".join(KDEF_CODES)})(?P<view>{"|".join(VIEWS)})$'
)


class KDEFName(NamedTuple):
    """What the name of a picture tells.

    Attributes:
        session: ``A`` or ``B``.
        subject: Sex and number, such as ``F01``.
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS`.
        view: One of :data:`VIEWS`.
    """

    session: str
    subject: str
    expression: str
    view: str

    def __str__(self) -> str:
        code = next(k for k, v in KDEF_CODES.items() if v == self.expression)
        return f'{self.session}{self.subject}{code}{self.view}'

    @property
    def number(self) -> int:
        """Number of the subject among those of its sex, from 1."""
        return int(self.subject[1:])


def parse_name(stem: str) -> KDEFName | None:
    """Return what a name tells, or None if it is not one of KDEF's.

    Args:
        stem: Name without its ending, such as ``AF01ANFL``; what stands
            before, as in ``train_align-AF01ANFL``, is passed over, and case
            does not matter.
    """
    match = _ID.search(stem.upper())
    if match is None:
        return None
    subject = match['sex'] + match['number']
    expression = KDEF_CODES[match['code']]
    return KDEFName(match['session'], subject, expression, match['view'])


def read_folder(root: Path) -> tuple[list[tuple[Path, KDEFName]], list[Path]]:
    """Return all pictures below a folder, and those of other names.

    Raises:
        FileNotFoundError: None has a name of KDEF's.
    """
    paths = list_folder(root, deep=True)
    named = [(path, parse_name(path.stem)) for path in paths]
    found = [(path, name) for path, name in named if name is not None]
    if not found:
        raise FileNotFoundError(
            f'{root}: no picture with a name of KDEF (such as AF01ANFL.JPG) '
            'in it or below it; correct data_root'
        )
    return found, [path for path, name in named if name is None]


def as_face(path: Path, name: KDEFName) -> Face:
    """Return the entry of a picture."""
    extra = dict(subject=name.subject, session=name.session, view=name.view)
    return Face(path.parent, path.name, name.expression, extra)


def read_list(path: Path) -> dict[str, list[KDEFName]]:
    """Read a list such as the Latent-OFER release has, by split.

    Lines are ``train_align-AF01ANFL.JPG 1``: split, name, and the expression
    as FER2013 counts, but from 1: 1 Anger, 2 Disgust, 3 Fear, 4 Happiness, 5
    Sadness, 6 Surprise, 7 Neutral.

    Args:
        path: The list.

    Raises:
        ValueError: A line is wrong, its label is not what its name tells, or
            a subject stands in two splits.
    """

    def parse(line: str) -> tuple[str, KDEFName]:
        file, label = line.split()
        stem, split = Path(file).stem, file.split('_')[0]
        name = parse_name(stem)
        if name is None or split not in ('train', 'test'):
            raise ValueError('no split or no name of KDEF')
        if FER2013_LABELS.get(int(label) - 1) != name.expression:
            raise ValueError(f'the name tells {name.expression}')
        return split, name

    parts: dict[str, list[KDEFName]] = dict(train=[], test=[])
    form = 'SPLIT_align-NAME.JPG LABEL, with labels as FER2013 has them + 1'
    for split, name in read_lines(path, parse, form):
        parts[split].append(name)
    both = _subjects(parts['train']) & _subjects(parts['test'])
    if both:
        raise ValueError(
            f'{path}: {some(sorted(both))} in both train and test; the '
            'splits must not share subjects'
        )
    return parts


def _subjects(names: Iterable[KDEFName]) -> set[str]:
    """Return all subjects."""
    return {name.subject for name in names}
