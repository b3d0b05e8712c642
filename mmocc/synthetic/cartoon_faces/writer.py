"""Settings and writer of the cartoon faces and their occluders."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmocc.synthetic.cartoon_faces.face import draw_face
from mmocc.synthetic.cartoon_faces.occluders import (
    TEST_KINDS,
    TRAIN_KINDS,
    draw_occluder,
)
from mmocc.synthetic.cartoon_faces.person import draw_subject
from mmocc.utils import own_folder
from mmocc.utils.expressions import EXPRESSIONS
from mmocc.utils.own_folder import write_files
from mmocc.utils.pictures import encode_image

SPLITS = ('train', 'val', 'test')
LEAST_SIZE = 32  # px; brows and mouths are lost below it
GENERATOR = 'mmocc cartoon_faces, format 1'
LANDMARKS = tuple(f'{axis}{i}' for i in range(5) for axis in 'xy')
COLUMNS = ('path', 'expression', 'subject', *LANDMARKS)
OCCLUDERS = dict(train=TRAIN_KINDS, test=TEST_KINDS)
_OCCLUDER_STREAM = 1000  # keeps their random numbers apart from the faces'

README = """\
Cartoon faces, made by tools/dataset_converters/make_faces.py.

train/ val/ test/    pictures and labels.csv; nobody is in two of them
  labels.csv         path, expression, subject, and five landmarks x0, y0 to
                     x4, y4 in pixels: left and right eye of the picture, tip
                     of the nose, left and right corner of the mouth
occluders/train/     cut-outs with transparency, a folder for each kind
occluders/test/      the same, of other kinds
  */masks.cfg        of what is worn: six anchor points of each picture, in
                     its pixels (which may be outside): upper left corner,
                     middle on the nose, upper right corner, lower left
                     corner, chin, lower right corner
manifest.json        settings and counts
"""

Progress = Callable[..., Iterator]


@dataclass(frozen=True)
class FaceSettings:
    """What decides the faces: the same settings give the same bytes.

    Attributes:
        seed: Base seed.
        size: Side of a picture in pixels.
        train: Number of training pictures.
        val: Number of validation pictures.
        test: Number of test pictures.
        per_subject: Pictures of one person, all in the same split, with
            expressions in turn.
        occluders: Cut-outs of each kind of occluder.
        occluder_size: Longer side of a cut-out in pixels.

    Raises:
        ValueError: One of them is out of range.
    """

    seed: int = 0
    size: int = 64
    train: int = 2002
    val: int = 350
    test: int = 700
    per_subject: int = 14
    occluders: int = 40
    occluder_size: int = 96

    def __post_init__(self) -> None:
        least = dict.fromkeys(SPLITS, 0) | dict(
            seed=0,
            size=LEAST_SIZE,
            per_subject=1,
            occluders=0,
            occluder_size=LEAST_SIZE,
        )
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(
                    f'{name} is {getattr(self, name)}; use {low} or more'
                )


def is_current(folder: Path, settings: FaceSettings) -> bool:
    """Return whether a folder already holds these settings' data, whole."""
    return own_folder.is_current(folder, GENERATOR, asdict(settings))


def write_faces(
    out: Path,
    settings: FaceSettings,
    progress: Progress = lambda jobs, total: iter(jobs),
    force: bool = False,
) -> dict:
    """Write the data set to ``out``, in one piece, and return its manifest.

    Args:
        out: Folder to make; an earlier one of faces is replaced.
        settings: What to make.
        progress: Wraps the pictures to draw, with their number (``total``).
        force: Replace whatever is at ``out``.

    Raises:
        FileExistsError: ``out`` holds something that this did not make.
    """

    def fill(folder: Path) -> dict:
        counts = _write_faces(folder, settings, progress)
        for use in OCCLUDERS:
            _write_occluders(folder / 'occluders' / use, use, settings)
        write_files(folder, {'README.txt': README.encode()})
        return own_folder.write_manifest(
            folder,
            GENERATOR,
            asdict(settings),
            classes=EXPRESSIONS,
            counts=counts,
            occluders={use: list(kinds) for use, kinds in OCCLUDERS.items()},
        )

    return own_folder.make_folder(
        out, fill, lambda old: own_folder.read_manifest(old, GENERATOR), force
    )


def _write_faces(
    folder: Path, settings: FaceSettings, progress: Progress
) -> dict[str, dict[str, int]]:
    """Draw and write every face; return the counts of each split."""
    jobs = [(s, i) for s in SPLITS for i in range(getattr(settings, s))]
    rows = {split: [] for split in SPLITS}
    for split, number in progress(jobs, total=len(jobs)):
        rows[split].append(_write_face(folder, settings, split, number))
    for split in SPLITS:
        table = io.StringIO()
        sheet = csv.writer(table, lineterminator='\n')
        sheet.writerows([COLUMNS, *rows[split]])
        data = table.getvalue().encode()
        write_files(folder, {f'{split}/labels.csv': data})
    return {
        split: dict(pictures=len(faces), subjects=len({f[2] for f in faces}))
        for split, faces in rows.items()
    }


def _write_face(
    folder: Path, settings: FaceSettings, split: str, number: int
) -> tuple:
    """Draw and write one face; return its row of the table."""
    person = number // settings.per_subject
    stream = (settings.seed, SPLITS.index(split))
    who = draw_subject(np.random.default_rng((*stream, 0, person)))
    expression = EXPRESSIONS[number % len(EXPRESSIONS)]
    rng = np.random.default_rng((*stream, 1, number))
    face = draw_face(who, expression, settings.size, rng)
    name = f'{number:05d}.png'
    data = encode_image(face.image[..., ::-1])
    write_files(folder, {f'{split}/{name}': data})
    points = [f'{value:.2f}' for value in face.landmarks.ravel()]
    return name, expression, f'{split}_{person:03d}', *points


def _write_occluders(folder: Path, use: str, settings: FaceSettings) -> None:
    """Draw and write the cut-outs of one use, and their anchor points."""
    for k, kind in enumerate(OCCLUDERS[use]):
        stream = (settings.seed, _OCCLUDER_STREAM, use == 'test', k)
        files, lines = {}, []
        for number in range(settings.occluders):
            rng = np.random.default_rng((*stream, number))
            occluder = draw_occluder(kind, settings.occluder_size, rng)
            name = f'{number:03d}'
            image = occluder.image[..., [2, 1, 0, 3]]
            files[f'{name}.png'] = encode_image(image)
            if occluder.anchors is not None:
                lines += [f'[{name}]', *_anchor_lines(occluder.anchors), '']
        if lines:
            files['masks.cfg'] = '\n'.join(lines).encode()
        (folder / kind).mkdir(parents=True)
        write_files(folder / kind, files)


def _anchor_lines(anchors: np.ndarray) -> list[str]:
    """Return the lines of masks.cfg for one occluder, in whole pixels."""
    points = zip('abcdef', anchors.round().astype(int).tolist(), strict=True)
    return [f'mask_{letter}: {x}, {y}' for letter, (x, y) in points]
