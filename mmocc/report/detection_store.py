"""What a detector found in one cell, photo by photo, and how it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from mmocc.report.answers import DAMAGED


@dataclass
class Detections:
    """Boxes and objects of P photos, in the photos' own pixels."""

    photo: np.ndarray  # (P,) str: which photo, whatever its place
    owner: np.ndarray  # (D,) int: the photo that a box was found in
    boxes: np.ndarray  # (D, 4) float32, xyxy
    scores: np.ndarray  # (D,) float32
    labels: np.ndarray  # (D,) int
    object_owner: np.ndarray  # (G,) int: the photo that an object is in
    objects: np.ndarray  # (G, 4) float32, xyxy
    object_labels: np.ndarray  # (G,) int
    ignored: np.ndarray  # (G,) bool: crowds and difficult ones
    shares: np.ndarray  # (G,) float32 hidden shares; 0 in L0

    def save(self, path: Path) -> None:
        """Write to a ``.npz`` file, all or nothing."""
        part = path.with_suffix('.part.npz')
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez_compressed(part, **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> 'Detections | None':
        """Return what :meth:`save` wrote; None for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(**{f.name: file[f.name] for f in fields(cls)})
        except DAMAGED:
            return None

    def pick(self, photo: int) -> 'Detections':
        """Return the boxes and objects of one photo."""
        boxes, objects = self.owner == photo, self.object_owner == photo
        return Detections(
            self.photo[[photo]],
            np.zeros(boxes.sum(), int),
            self.boxes[boxes],
            self.scores[boxes],
            self.labels[boxes],
            np.zeros(objects.sum(), int),
            self.objects[objects],
            self.object_labels[objects],
            self.ignored[objects],
            self.shares[objects],
        )

    @classmethod
    def join_objects(cls, parts: 'Sequence[Detections]') -> 'Detections':
        """Return the objects of the same photos in several cells, no boxes."""
        names = ('object_owner', 'objects', 'object_labels', 'ignored')
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*names, 'shares')
        }
        return cls(
            photo=parts[0].photo,
            owner=np.zeros(0, int),
            boxes=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, int),
            **arrays,
        )
