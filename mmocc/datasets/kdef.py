"""KDEF: 70 people, seven expressions, five views, two sessions."""

from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log

from mmocc.datasets.face_dataset import FaceDataset
from mmocc.datasets.faces.kdef import (
    SESSIONS,
    VIEWS,
    KDEFName,
    as_face,
    read_folder,
    read_list,
)
from mmocc.datasets.faces.listing import Face, some
from mmocc.datasets.lists import check_choice
from mmocc.registry import DATASETS


@DATASETS.register_module()
class KDEF(FaceDataset):
    """Karolinska Directed Emotional Faces, split by subjects.

    Everything is told by the pictures' names, wherever below ``data_root``
    they are, whatever the case of their ending. Without ``ann_file`` the test
    split is the women and men numbered 1 to 7 (14 subjects) and the train
    split the other 56: the split of the list that came with the Latent-OFER
    code, which has session A only (1,953 and 488 pictures; 9 of 2,450 are
    lacking).

    A sample also has ``subject`` (``'F01'``), ``session`` and ``view``.

    Args:
        data_root: Folder of KDEF.
        split: ``train``, ``test``, or ``all``.
        sessions: Those to take; ``('A',)`` is what the list has.
        views: Those to take, of FL, HL, S, HR and FR (S is from the front).
        test_numbers: Numbers of the subjects, of each sex, for the test.
        ann_file: List to take instead, within ``data_root``; see
            :func:`mmocc.datasets.faces.kdef.read_list`. Sessions and views
            choose from it too, ``test_numbers`` is not used.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: An argument has no such value.
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
            ValueError: Two pictures have the same name of KDEF's.
        """
        found, others = read_folder(self.root)
        if others:
            print_log(
                f'KDEF: {len(others)} pictures have no name of KDEF and are '
                f'left out: {some(map(str, others))}',
                logger='current',
            )
        paths = {}
        for path, name in found:
            if paths.setdefault(name, path) != path:
                raise ValueError(
                    f'{path} and {paths[name]} are the same picture; remove '
                    'one of them, or name the folder of one as data_root'
                )
        names = [
            name for name in self._split_names(paths) if self._wants(name)
        ]
        return [
            as_face(paths.get(name, self.root / f'{name}.JPG'), name)
            for name in names
        ]

    def _split_names(self, names: dict[KDEFName, Any]) -> list[KDEFName]:
        """Return the names of the split, by the list or by the subjects."""
        if self.list_file:
            parts = read_list(self.root / self.list_file)
            parts['all'] = parts['train'] + parts['test']
            return parts[self.split]
        if self.split == 'all':
            return list(names)
        test = self.split == 'test'
        return [n for n in names if (n.number in self.test_numbers) == test]

    def _wants(self, name: KDEFName) -> bool:
        """Return whether session and view are among those to take."""
        return name.session in self.sessions and name.view in self.views
