"""Writes cartoon faces and occluders, the same bytes for the same settings.

The folder appears in one piece: it is written under a temporary name and
renamed when it is complete.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces.face import draw_face
from mmocc.synthetic.cartoon_faces.occluders import (
    TEST_KINDS,
    TRAIN_KINDS,
    draw_cutout,
)
from mmocc.synthetic.cartoon_faces.settings import SPLITS, FaceSettings
from mmocc.synthetic.cartoon_faces.subject import draw_subject
from mmocc.utils.expressions import EXPRESSIONS
from mmocc.utils.own_folder import make_folder

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

Progress = Callable[[Iterable, int], Iterator]


def is_current(folder: Path, settings: FaceSettings) -> bool:
    """Return whether a folder already holds these settings' data, whole."""
    manifest = read_manifest(folder)
    known = manifest.get('generator') == GENERATOR and manifest.get(
        'settings'
    ) == asdict(settings)
    return known and _count_files(folder) == manifest.get('files')


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a folder of faces, or {} if it is not one."""
    try:
        manifest = json.loads((folder / 'manifest.json').read_text())
    except (OSError, ValueError):
        return {}
    ours = str(manifest.get('generator', '')).startswith('mmocc cartoon_faces')
    return manifest if ours else {}


def write_faces(
    out: Path,
    settings: FaceSettings,
    progress: Progress = lambda jobs, total: iter(jobs),
    force: bool = False,
) -> dict:
    """Write the data set to ``out``, in one piece, and return its manifest.

    Args:
        out: Folder to make. A folder of faces that is there is replaced.
        settings: What to make.
        progress: Wraps the pictures to draw, of a known number.
        force: Replace whatever is at ``out``.

    Raises:
        FileExistsError: ``out`` holds something that this did not make.
    """
    return make_folder(
        out,
        lambda folder: _write_all(folder, settings, progress),
        read_manifest,
        force,
    )


def _count_files(folder: Path) -> int:
    """Return the number of data files, leaving out the manifest."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return sum(path.name != 'manifest.json' for path in files)


def _write_all(
    folder: Path, settings: FaceSettings, progress: Progress
) -> dict:
    """Write faces, occluders, README and manifest."""
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
    counts = _write_faces(folder, settings, progress)
    for use in OCCLUDERS:
        _write_occluders(folder / 'occluders' / use, use, settings)
    (folder / 'README.txt').write_text(README)
    manifest = dict(
        generator=GENERATOR,
        settings=asdict(settings),
        classes=EXPRESSIONS,
        counts=counts,
        occluders={use: list(kinds) for use, kinds in OCCLUDERS.items()},
        files=_count_files(folder),
    )
    text = json.dumps(manifest, indent=2) + '\n'
    (folder / 'manifest.json').write_text(text)
    return manifest


def _write_faces(
    folder: Path, settings: FaceSettings, progress: Progress
) -> dict[str, dict[str, int]]:
    """Draw and write every face; return the counts of each split."""
    jobs = [(s, i) for s in SPLITS for i in range(getattr(settings, s))]
    rows = {split: [] for split in SPLITS}
    for split, number in progress(jobs, len(jobs)):
        rows[split].append(_write_face(folder, settings, split, number))
    for split in SPLITS:
        path = folder / split / 'labels.csv'
        with path.open('w', newline='') as file:
            table = csv.writer(file, lineterminator='\n')
            table.writerows([COLUMNS, *rows[split]])
    return {
        split: dict(pictures=len(found), subjects=len({r[2] for r in found}))
        for split, found in rows.items()
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
    _write_png(folder / split / name, face.image)
    points = [f'{value:.2f}' for value in face.landmarks.ravel()]
    return name, expression, f'{split}_{person:03d}', *points


def _write_occluders(folder: Path, use: str, settings: FaceSettings) -> None:
    """Draw and write the cut-outs of one use, and their anchor points."""
    for k, kind in enumerate(OCCLUDERS[use]):
        (folder / kind).mkdir(parents=True)
        stream = (settings.seed, _OCCLUDER_STREAM, use == 'test', k)
        lines = []
        for number in range(settings.occluders):
            rng = np.random.default_rng((*stream, number))
            cutout = draw_cutout(kind, settings.occluder_size, rng)
            name = f'{number:03d}'
            _write_png(folder / kind / f'{name}.png', cutout.image)
            if cutout.anchors is not None:
                lines += [f'[{name}]', *_anchor_lines(cutout.anchors), '']
        if lines:
            (folder / kind / 'masks.cfg').write_text('\n'.join(lines))


def _anchor_lines(anchors: np.ndarray) -> list[str]:
    """Return the lines of masks.cfg for one cut-out, in whole pixels."""
    points = zip('abcdef', anchors.round().astype(int).tolist(), strict=True)
    return [f'mask_{letter}: {x}, {y}' for letter, (x, y) in points]


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB or RGBA array as a PNG file."""
    order = (2, 1, 0, 3)[: image.shape[2]]
    done, data = cv2.imencode('.png', image[..., order])
    if not done:
        raise OSError(f'{path}: OpenCV could not encode the image')
    path.write_bytes(data.tobytes())
