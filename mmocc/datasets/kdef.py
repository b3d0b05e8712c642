"""KDEF: what its file names mean, and the list of a published split."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log

from mmocc.datasets.face_dataset import Face, FaceDataset
from mmocc.datasets.lists import check_choice, read_lines
from mmocc.registry import DATASETS
from mmocc.utils.expressions import FER2013_LABELS, KDEF_CODES
from mmocc.utils.files import expand, list_images, some

SESSIONS = ('A', 'B')
VIEWS = ('FL', 'HL', 'S', 'HR', 'FR')  # full left to full right profile
_ID = re.compile(
    r'(?P<session>[AB])(?P<sex>[FM])(?P<number>\d\d)'
    rf'(?P<code>{"|".join(KDEF_CODES)})(?P<view>{"|".join(VIEWS)})$'
)


class KDEFName(NamedTuple):
    """The contents of a picture's name.

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
    """Return the contents of a name, or None if it is not one of KDEF's.

    ``stem`` is the name without its ending, such as ``AF01ANFL``, in any case;
    it may have a beginning, as in ``train_align-AF01ANFL``.
    """
    match = _ID.search(stem.upper())
    if match is None:
        return None
    subject = match['sex'] + match['number']
    expression = KDEF_CODES[match['code']]
    return KDEFName(match['session'], subject, expression, match['view'])


def read_list(path: Path) -> dict[str, list[KDEFName]]:
    """Read a list like that of the Latent-OFER release, by split.

    Lines are ``train_align-AF01ANFL.JPG 1``: split, name, and the expression
    in FER2013's order, from 1 (Anger). ValueError if a line is wrong, its
    label contradicts its name, or a subject is in two splits.
    """

    def parse(line: str) -> tuple[str, KDEFName]:
        file, label = line.split()
        stem, split = Path(file).stem, file.split('_')[0]
        name = parse_name(stem)
        if name is None or split not in ('train', 'test'):
            raise ValueError('no split or no name of KDEF')
        if FER2013_LABELS.get(int(label) - 1) != name.expression:
            raise ValueError(f'the name means {name.expression}')
        return split, name

    parts: dict[str, list[KDEFName]] = dict(train=[], test=[])
    form = 'SPLIT_align-NAME.JPG LABEL, with labels as FER2013 has them + 1'
    for split, name in read_lines(path, parse, form):
        parts[split].append(name)
    train, test = ({n.subject for n in names} for names in parts.values())
    both = train & test
    if both:
        raise ValueError(
            f'{path}: {some(sorted(both))} in both train and test; the '
            'splits must not share subjects'
        )
    return parts


@DATASETS.register_module()
class KDEF(FaceDataset):
    """Karolinska Directed Emotional Faces, split by subjects.

    70 people, seven expressions, five views, two sessions: it reads all of
    this from the names of the pictures, anywhere below ``data_root``. Without
    ``ann_file`` the test split is the women and men with the numbers 1 to 7
    (14 subjects) and the train split the other 56: the split of the list in
    the Latent-OFER release, which has only session A (1,953 and 488 pictures;
    9 of 2,450 are missing).

    A sample also has ``subject`` (``'F01'``), ``session`` and ``view``.

    Args:
        data_root: Folder of KDEF.
        split: ``train``, ``test``, or ``all``.
        sessions: Some of A and B; the list has only A.
        views: Some of FL, HL, S, HR and FR (S is from the front).
        test_numbers: Numbers of the subjects, of each sex, for the test.
        ann_file: A list in ``data_root`` that gives the split instead of
            ``test_numbers``, see :func:`read_list`. Sessions and views choose
            from it too.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: The value of an argument is unknown.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        sessions: Sequence[str] = ('A',),
        views: Sequence[str] = VIEWS,
        test_numbers: Sequence[int] = tuple(range(1, 8)),
        ann_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('split', split, ('train', 'test', 'all'))
        for session in sessions:
            check_choice('session', session, SESSIONS)
        for view in views:
            check_choice('view', view, VIEWS)
        self.split, self.list_file = split, ann_file
        self.sessions, self.views = tuple(sessions), tuple(views)
        self.test_numbers = frozenset(test_numbers)
        super().__init__(data_root, **kwargs)

    def read_faces(self) -> list[Face]:
        """Return the entries of the split.

        Raises:
            FileNotFoundError: No picture has a name of KDEF's.
            ValueError: Two pictures have the same name.
        """
        paths: dict = {}
        others: list[str] = []
        for path in list_images(self.root, deep=True):
            name = parse_name(path.stem)
            if name is None:
                others.append(str(path))
            elif paths.setdefault(name, path) != path:
                raise ValueError(
                    f'{path} and {paths[name]} are the same picture; remove '
                    'one of them, or name the folder of one as data_root'
                )
        if not paths:
            raise FileNotFoundError(
                f'{self.root}: no picture with a name of KDEF (such as '
                'AF01ANFL.JPG) in it or below it; correct data_root'
            )
        if others:
            print_log(
                f'KDEF: {len(others)} pictures have no name of KDEF and are '
                f'left out: {some(others)}',
                logger='current',
            )
        return [
            _face(name, paths.get(name, self.root / f'{name}.JPG'))
            for name in self._split_names(paths)
            if name.session in self.sessions and name.view in self.views
        ]

    def _split_names(self, names: dict[KDEFName, Any]) -> list[KDEFName]:
        """Return the names of the split, by the list or by the subjects."""
        if self.list_file:
            parts = read_list(self.root / expand(self.list_file))
            parts['all'] = parts['train'] + parts['test']
            return parts[self.split]
        if self.split == 'all':
            return list(names)
        test = self.split == 'test'
        return [n for n in names if (n.number in self.test_numbers) == test]


def _face(name: KDEFName, path: Path) -> Face:
    """Return the entry of a picture."""
    extra = name._asdict()
    return Face(path.parent, path.name, extra.pop('expression'), extra)
