"""FED-RO: faces with real occlusions, for the test alone."""

from mmocc.datasets.face_dataset import FaceDataset
from mmocc.datasets.faces.folders import read_class_folders
from mmocc.datasets.faces.listing import Face
from mmocc.registry import DATASETS
from mmocc.utils.expressions import FEDRO_FOLDERS


@DATASETS.register_module()
class FEDRO(FaceDataset):
    """FED-RO: 400 faces occluded in the wild, a folder for each expression.

    From Li et al., "Occlusion Aware Facial Expression Recognition Using CNN
    With Attention Mechanism" (TIP 2019), where networks are trained on RAF-DB
    and AffectNet and tested here. Folders are called surprise, fear, disgust,
    happy, sad, anger and, as distributed, neural; ``neutral`` serves too.
    Copies with fewer than 400 faces are about: the log says how many there
    are.

    Args:
        data_root: Folder of the class folders.
        **kwargs: As :class:`FaceDataset` takes them.
    """

    def read_faces(self) -> list[Face]:
        """Return the pictures of all folders."""
        return read_class_folders(
            self.root, {**FEDRO_FOLDERS, 'neutral': 'Neutral'}
        )
