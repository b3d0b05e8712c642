"""FED-RO: faces with real occlusions, only for testing."""

from mmocc.datasets.face_dataset import (
    Face,
    FaceDataset,
    read_class_folders,
)
from mmocc.registry import DATASETS
from mmocc.utils.expressions import FEDRO_FOLDERS


@DATASETS.register_module()
class FEDRO(FaceDataset):
    """FED-RO: 400 faces occluded in the wild, a folder for each expression.

    From Li et al., "Occlusion Aware Facial Expression Recognition Using CNN
    With Attention Mechanism" (TIP 2019), which trains on RAF-DB and AffectNet
    and tests here. The folders are surprise, fear, disgust, happy, sad, anger
    and, as distributed, neural; ``neutral`` works too. Some copies have fewer
    than 400 faces: the log gives the number.

    Args:
        data_root: Folder of the class folders.
        **kwargs: For :class:`FaceDataset`.
    """

    def read_faces(self) -> list[Face]:
        """Return the pictures of all folders."""
        return read_class_folders(
            self.root, {**FEDRO_FOLDERS, 'neutral': 'Neutral'}
        )
