"""RAF-DB, and its occluded and turned faces."""

from typing import Any

from mmocc.datasets.face_dataset import FaceDataset
from mmocc.datasets.faces.listing import Face
from mmocc.datasets.faces.rafdb import (
    SUBSETS,
    read_rafdb,
    read_subset,
    take_subset,
)
from mmocc.datasets.lists import check_choice
from mmocc.registry import DATASETS


@DATASETS.register_module()
class RAFDB(FaceDataset):
    """RAF-DB (basic): 12,271 faces for training and 3,068 for the test.

    Its files number the expressions 1 to 7; labels are 0 to 6, in the same
    order. It has no validation split. Occlusion-RAF-DB, Pose-RAF-DB (above 30
    and above 45 degrees) are parts of the test split, after RAN's lists;
    samples of the first have ``occlusion_type`` (1 to 4).

    Args:
        data_root: Folder of RAF-DB; see ``docs/faces.md``.
        split: ``train`` or ``test``.
        subset: None for the whole split; ``occlusion``, ``pose30`` or
            ``pose45``.
        subset_file: The subset's list; None: the file of RAN's name in
            ``data_root``.
        image: ``aligned``, or ``original`` for whole photos.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: ``subset`` is unknown, or given with the train split.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        subset: str | None = None,
        subset_file: str | None = None,
        image: str = 'aligned',
        **kwargs: Any,
    ) -> None:
        check_choice('subset', subset, (None, *SUBSETS))
        if subset and split != 'test':
            raise ValueError(
                f'subset {subset!r} is a part of the test split, not of '
                f"{split!r}; give split='test'"
            )
        self.split, self.subset, self.image = split, subset, image
        self.subset_file = subset_file
        super().__init__(data_root, **kwargs)

    def read_faces(self) -> list[Face]:
        """Return the entries of the split, or of its subset."""
        faces = read_rafdb(self.root, self.split, self.image)
        if self.subset is None:
            return faces
        path = self.root / (self.subset_file or SUBSETS[self.subset])
        return take_subset(faces, read_subset(path), path)
