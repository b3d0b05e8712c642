"""AffectNet with seven or eight expressions, in both releases."""

from typing import Any

from mmocc.datasets.face_dataset import FaceDataset
from mmocc.datasets.faces.affectnet import (
    SUBSETS,
    read_affectnet,
    read_subset,
    take_subset,
)
from mmocc.datasets.faces.listing import Face
from mmocc.datasets.lists import check_choice
from mmocc.registry import DATASETS
from mmocc.utils.expressions import EXPRESSIONS, EXPRESSIONS_8


@DATASETS.register_module()
class AffectNet(FaceDataset):
    """AffectNet's hand-labelled faces.

    Its files count 0 Neutral, 1 Happy, 2 Sad, 3 Surprise, 4 Fear, 5 Disgust,
    6 Anger, 7 Contempt. Labels of this data set are in RAF-DB's order, with
    Contempt last. Entries of no expression (8 to 10) are left out and counted.
    Samples of the old release are whole photos with ``face_box`` (xyxy in
    pixels) and ``landmarks``.

    Occlusion-AffectNet and Pose-AffectNet are parts of val, after RAN's
    lists, which name pictures as the old release does.

    Args:
        data_root: Folder of AffectNet; see ``docs/faces.md``.
        split: ``train`` or ``val``; the test set is not public.
        release: ``new``, ``old`` or ``folders``.
        num_classes: 8, or 7 without contempt, whose faces are left out and
            counted.
        subset: None for the whole split; ``occlusion``, ``pose30`` or
            ``pose45``.
        subset_file: The subset's list; None: the file of RAN's name in
            ``data_root``.
        **kwargs: For :class:`FaceDataset`; ``classes`` defaults to the 7 or 8
            in RAF-DB's order.

    Raises:
        ValueError: An argument has no such value.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        release: str = 'new',
        num_classes: int = 7,
        subset: str | None = None,
        subset_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('num_classes', num_classes, (7, 8))
        check_choice('subset', subset, (None, *SUBSETS))
        if subset and split != 'val':
            raise ValueError(
                f'subset {subset!r} is a part of the val split, not of '
                f"{split!r}; give split='val'"
            )
        self.split, self.release, self.subset = split, release, subset
        self.contempt = num_classes == 8
        self.subset_file = subset_file
        classes = EXPRESSIONS_8 if self.contempt else EXPRESSIONS
        super().__init__(data_root, **{'classes': classes, **kwargs})

    def read_faces(self) -> list[Face]:
        """Return the entries of the split, or of its subset."""
        faces = read_affectnet(
            self.root, self.split, self.release, self.contempt
        )
        if self.subset is None:
            return faces
        path = self.root / (self.subset_file or SUBSETS[self.subset])
        return take_subset(faces, read_subset(path), path)
