"""A model's answers in one cell of the report, and how they are stored."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmocc.version import __version__

TOO_SMALL, CORRUPT = 'too small', 'corrupt'
THUMBNAIL = 8  # side of the stored picture of a mask
# What there is for each image, in the order of the fields of Answers.
ARRAYS = (
    'index',
    'label',
    'pred',
    'confidence',
    'share',
    'identity',
    'photo',
    'thumbnail',
)
# Settings of a dataloader that do not change the answers.
NEUTRAL = ('batch_size', 'num_workers', 'persistent_workers')


@dataclass
class Fault:
    """An image that has no answer."""

    index: int  # its place in the test set
    reason: str  # TOO_SMALL (for the level) or CORRUPT
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

    @property
    def hits(self) -> np.ndarray:
        """(N,) bool, True where the answer is right."""
        return self.pred == self.label

    @property
    def keys(self) -> np.ndarray:
        """(N,) str: identities, numbered where an image is repeated."""
        times: Counter[str] = Counter()
        keys = []
        for name in self.identity.tolist():
            keys.append(f'{name} #{times[name]}' if times[name] else name)
            times[name] += 1
        return np.array(keys, str)

    def pick(self, chosen: np.ndarray) -> 'Answers':
        """Return the answers where an (N,) bool is True."""
        return Answers(
            *(getattr(self, name)[chosen] for name in ARRAYS),
            probabilities=self.probabilities,
        )

    def save(self, path: Path, fingerprint: str) -> None:
        """Write to a ``.npz`` file, all or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = dict(
            fingerprint=fingerprint,
            probabilities=self.probabilities,
            regions=self.regions,
            faults=[asdict(fault) for fault in self.faults],
        )
        arrays = {name: getattr(self, name) for name in ARRAYS}
        part = path.with_suffix('.part.npz')
        np.savez_compressed(part, rest=np.array(json.dumps(rest)), **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> 'Answers | None':
        """Read what :meth:`save` wrote; None if absent or of another run."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            rest = json.loads(str(file['rest']))
            if rest['fingerprint'] != fingerprint:
                return None
            return cls(
                **{name: file[name] for name in ARRAYS},
                probabilities=rest['probabilities'],
                regions=rest['regions'],
                faults=[Fault(**fault) for fault in rest['faults']],
            )


def fingerprint(cfg: Config, checkpoint: str, **settings: Any) -> str:
    """Return what tells one run of the report from another.

    A checkpoint counts by its content, a URL by its name; ``settings`` are all
    else that the answers depend on.
    """
    digest = hashlib.sha256()
    if Path(checkpoint).is_file():
        with Path(checkpoint).open('rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    loader = cfg.test_dataloader.to_dict()
    loader = {k: v for k, v in loader.items() if k not in NEUTRAL}
    parts = [cfg.model.to_dict(), loader, cfg.get('test_evaluator')]
    parts += [checkpoint, settings, __version__]
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    return digest.hexdigest()
