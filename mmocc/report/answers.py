"""A model's answers in one cell of the report, and how they are stored."""

import json
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

# Why an image has no answer, besides an object that is too small for a level.
# With the last two, the data are at fault.
CUT_OFF, CORRUPT, NO_PIXEL = 'cut_off', 'corrupt', 'no_pixel'
THUMBNAIL = 8  # side of the stored picture of a mask
# What there is for each image.
ARRAYS = (
    'index',
    'label',
    'pred',
    'confidence',
    'share',
    'identity',
    'photo',
    'thumbnail',
    'rank',
    'truth',
)
# What is raised for a file that is no whole archive of these arrays.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    BadZipFile,
    zlib.error,
)


class UnreadableError(OSError):
    """An image that cannot be read; the message names it."""


@dataclass
class Fault:
    """An image that has no answer."""

    index: int  # its place in the test set
    reason: str  # TOO_SMALL for the level, CUT_OFF, CORRUPT or NO_PIXEL
    message: str  # the error, with the name of the file


def _empty() -> np.ndarray:
    """Return what stands for an array that is not given."""
    return np.array([], str)


@dataclass
class Answers:
    """What a model answered in one cell."""

    index: np.ndarray  # (N,) places in the test set, ascending
    label: np.ndarray  # (N,) true classes
    pred: np.ndarray  # (N,) classes answered
    confidence: np.ndarray  # (N,) scores of the answers
    share: np.ndarray  # (N,) hidden shares of the objects; 0 in L0
    # (N,) str: which image, whatever its place; by default the place
    identity: np.ndarray = field(default_factory=_empty)
    # (N,) str: the photo that an object is from; by default the identity
    photo: np.ndarray = field(default_factory=_empty)
    # (N, THUMBNAIL, THUMBNAIL) uint8: hidden shares of the image's parts
    thumbnail: np.ndarray = field(default_factory=_empty)
    # (N,) int: classes with a higher score than the true one; -1: not known
    rank: np.ndarray = field(default_factory=_empty)
    # (N,) scores of the true classes; NaN: not known
    truth: np.ndarray = field(default_factory=_empty)
    # whether the scores of all classes are in [0, 1] and sum to 1
    probabilities: bool = True
    # how many objects were a mask, a box, or the image
    regions: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not len(self.identity):
            names = [f'index:{index}' for index in self.index]
            self.identity = np.array(names, str)
        if not len(self.photo):
            self.photo = self.identity
        if not len(self.thumbnail):
            shape = (len(self.index), THUMBNAIL, THUMBNAIL)
            self.thumbnail = np.zeros(shape, np.uint8)
        if not len(self.rank):
            self.rank = np.full(len(self.index), -1)
        if not len(self.truth):
            self.truth = np.full(len(self.index), np.nan, np.float32)

    @property
    def hits(self) -> np.ndarray:
        """(N,) bool, True where the answer is right."""
        return self.pred == self.label

    @property
    def named(self) -> bool:
        """Whether images are known by more than their place."""
        return not any(n.startswith('index:') for n in self.identity.tolist())

    @property
    def keys(self) -> np.ndarray:
        """(N,) str: identities, numbered where an image is repeated."""
        names = self.identity.tolist()
        if len(set(names)) == len(names):
            return self.identity
        times: Counter[str] = Counter()
        keys = []
        for name in names:
            keys.append(f'{name} #{times[name]}' if times[name] else name)
            times[name] += 1
        return np.array(keys, str)

    def pick(self, chosen: np.ndarray) -> 'Answers':
        """Return the answers where an (N,) bool is True."""
        arrays: dict[str, Any] = {
            name: getattr(self, name)[chosen] for name in ARRAYS
        }
        return Answers(**arrays, probabilities=self.probabilities)

    def save(self, path: Path, parts: dict[str, str]) -> None:
        """Write to a ``.npz`` file, all or nothing.

        ``parts`` are digests of what decided the answers.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = dict(
            parts=parts,
            probabilities=self.probabilities,
            regions=self.regions,
            faults=[asdict(fault) for fault in self.faults],
        )
        arrays = {name: getattr(self, name) for name in ARRAYS}
        part = path.with_suffix('.part.npz')
        np.savez_compressed(part, rest=np.array(json.dumps(rest)), **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> 'tuple[Answers, dict[str, str]] | None':
        """Return what :meth:`save` wrote; None for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                rest = json.loads(str(file['rest']))
                parts = rest.pop('parts')
                faults = [Fault(**fault) for fault in rest.pop('faults')]
                arrays = {name: file[name] for name in ARRAYS}
        except DAMAGED:
            return None
        if len({len(array) for array in arrays.values()}) != 1:
            return None
        return cls(**arrays, **rest, faults=faults), parts
