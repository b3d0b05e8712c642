"""What the data sets of faces have in common."""

from abc import abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmocc.datasets.faces.listing import (
    Face,
    ImageIndex,
    drop_repeated,
    locate,
    some,
)
from mmocc.utils.expressions import EXPRESSIONS


class FaceDataset(BaseDataset):
    """Pictures of faces with an expression each.

    Labels are places in ``classes``: RAF-DB's order, whatever the order of
    the set's own labels, so that sets can be joined and models exchanged. A
    sample has ``img_path``, ``gt_label``, and what else the set tells:
    ``subject`` (str), ``landmarks`` ((5, 2) list of x and y in pixels of the
    file: the picture's left and right eye, tip of the nose, left and right
    corner of the mouth).

    Args:
        data_root: Folder of the set.
        allow_missing: Leave entries out whose picture is missing, and say
            so in the log; otherwise they are an error.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``classes``
            (another order, or with Contempt), ``pipeline`` and so on.

    Raises:
        FileNotFoundError: Lists or pictures are missing.
        ValueError: A label is unknown, an expression is not among the
            classes, an entry is repeated with another label, or nothing is
            left.
    """

    METAINFO = {'classes': EXPRESSIONS}

    def __init__(
        self, data_root: str, allow_missing: bool = False, **kwargs: Any
    ) -> None:
        self.root = Path(data_root).expanduser()
        self.allow_missing = allow_missing
        super().__init__(ann_file='', **kwargs)

    @abstractmethod
    def read_faces(self) -> list[Face]:
        """Return the entries of the wanted part of the set."""

    def load_data_list(self) -> list[dict]:
        """Read the entries, find their pictures, and log what was done."""
        faces, repeats = drop_repeated(self.read_faces())
        wanted = [face for face in faces if face.expression is not None]
        found, missing = locate(wanted, ImageIndex())
        if missing and not self.allow_missing:
            raise FileNotFoundError(
                f'{type(self).__name__}: {len(missing)} of {len(wanted)} '
                f'pictures are missing: {some(f.name for f in missing)}; '
                'complete the folder, or give allow_missing=True'
            )
        samples = [
            dict(
                img_path=str(path),
                gt_label=self._label(face),
                **face.extra,
            )
            for face, path in found
        ]
        left_out = {
            'repeated': repeats,
            'of other classes': [f for f in faces if f.expression is None],
            'missing': missing,
        }
        self._report(samples, left_out)
        return samples

    def _label(self, face: Face) -> int:
        """Return the place of an entry's expression among the classes."""
        classes = self.metainfo['classes']
        if face.expression not in classes:
            raise ValueError(
                f'{face.name} shows {face.expression!r}, which is not among '
                f'the classes {", ".join(classes)}; give `classes` with it, '
                'or leave it out by a class_map'
            )
        return classes.index(face.expression)

    def _report(
        self, samples: list[dict], left_out: dict[str, list[Face]]
    ) -> None:
        """Log the number of samples by class, and what was left out."""
        told = '; '.join(
            f'{len(faces)} {why} left out ({some(f.name for f in faces)})'
            for why, faces in left_out.items()
            if faces
        )
        name = f'{type(self).__name__} ({self.root})'
        if not samples:
            raise ValueError(f'{name}: no picture is left. {told}')
        classes = self.metainfo['classes']
        counts = Counter(classes[s['gt_label']] for s in samples)
        parts = ', '.join(f'{c} {counts[c]}' for c in classes)
        print_log(
            f'{name}: {len(samples)} faces: {parts}'
            f'{"; " if told else ""}{told}',
            logger='current',
        )

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        return [f'Root: \t{self.root}']
