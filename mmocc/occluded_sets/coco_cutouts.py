"""Cuts objects out of COCO-annotated photos, to occlude other images with.

A photo and its copies give cut-outs for training or for the test, not both.
"""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmocc.datasets.coco_layout import (
    backslash_hint,
    locate_photo,
    photo_stem,
    read_coco,
)
from mmocc.datasets.coco_masks import decode_segmentation
from mmocc.occluded_sets.coco import check_stated
from mmocc.occluded_sets.sources import read_photo
from mmocc.utils.files import expand, fit_name
from mmocc.utils.own_folder import make_folder, sha256_of
from mmocc.utils.pictures import encode_image

SPLITS = ('train', 'test')
COLUMNS = (
    'file', 'split', 'image', 'image_sha256', 'annotation_id', 'category',
    'area_px', 'w', 'h', 'fill', 'licence', 'sha256',
)  # fmt: skip

Progress = Callable[..., Iterator]


@dataclass(frozen=True)
class CutoutSettings:
    """Which objects become cut-outs; ValueError if out of range.

    Attributes:
        test_share: Share of the photos whose cut-outs are for the test.
        seed: Decides which photos.
        min_side: Least length in pixels of the shorter side.
        min_fill: Least share of its box that an object fills.
        max_per_image: Cut-outs of a photo, the largest first; None for all.
        truncated: Take objects that touch the border of their photo, too.
        categories: Names of the categories to take; None for all.
    """

    test_share: float = 0.5
    seed: int = 0
    min_side: int = 32
    min_fill: float = 0.3
    max_per_image: int | None = 5
    truncated: bool = False
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ('test_share', 'min_fill'):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f'{name} is {share}; it is a share in [0, 1]')
        for name in ('min_side', 'max_per_image'):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f'{name} is {number}; use 1 or more')


def make_cutouts(
    ann_file: Path,
    images: Path,
    out: Path,
    settings: CutoutSettings,
    skip_corrupt: bool = False,
    progress: Progress = lambda photos, total: iter(photos),
) -> tuple[list[dict], Counter, list[str]]:
    """Write the cut-outs of a COCO file to ``out``, in one piece.

    Args:
        ann_file: COCO JSON with masks.
        images: Folder of its file names.
        out: Folder to make, with ``train``, ``test`` and a table of sources.
        settings: What to cut out.
        skip_corrupt: Leave damaged photos and annotations out.
        progress: Wraps the photos, with their number (``total``).

    Returns:
        The table's rows, numbers of refused annotations by reason, and the
            errors of the photos left out.

    Raises:
        FileExistsError: ``out`` is there.
        ValueError: Photos are damaged (names all), or nothing was cut out.
    """
    if out.exists():
        raise FileExistsError(f'{out} is there; choose another --out')
    cutter = _Cutter(ann_file, images, settings)
    table, failures = [], []

    def fill(folder: Path) -> None:
        for split in SPLITS:
            (folder / split).mkdir(parents=True)
        for photo in progress(cutter.photos, total=len(cutter.photos)):
            try:
                table.extend(cutter.cut(photo, folder))
            except (ValueError, FileNotFoundError) as error:
                failures.append(str(error))
        _check(table, failures, skip_corrupt, cutter.refused)
        path = folder / 'cutouts.csv'
        with path.open('w', newline='', encoding='utf-8') as file:
            sheet = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            sheet.writeheader()
            sheet.writerows(table)

    make_folder(out, fill, lambda folder: False)
    return table, cutter.refused, failures


def _check(
    table: list[dict],
    failures: list[str],
    skip_corrupt: bool,
    refused: Counter,
) -> None:
    """Raise ValueError if the cut-outs cannot be used."""
    if failures and not skip_corrupt:
        errors = '\n'.join(f'  {failure}' for failure in failures)
        raise ValueError(
            f'{len(failures)} photos cannot be used:\n{errors}\nMend them, or '
            'leave them out with --skip-corrupt'
        )
    check_apart(table)
    if not table:
        counts = ', '.join(f'{v} {k}' for k, v in refused.items()) or 'none'
        raise ValueError(f'no object is left to cut out; refused: {counts}')


def check_apart(table: Iterable[dict]) -> None:
    """Raise ValueError if a photo gave cut-outs to both train and test."""
    photos = {split: set() for split in SPLITS}
    for row in table:
        photos[row['split']].add(row['image_sha256'])
    shared = set.intersection(*photos.values())
    if shared:
        raise ValueError(
            f'{len(shared)} photos gave cut-outs for both train and test, '
            f'such as the one of SHA-256 {min(shared)}'
        )


class _Cutter:
    """Cuts the objects out of photos; counts what it refuses by reason."""

    def __init__(
        self, ann_file: Path, images: Path, settings: CutoutSettings
    ) -> None:
        document = read_coco(ann_file)
        self.ann_file, self.images = ann_file, images
        self.settings = settings
        self.labels = {c['id']: c['name'] for c in document['categories']}
        self.licences = {
            entry.get('id'): entry.get('name', '')
            for entry in document.get('licenses', [])
        }
        self.notes = defaultdict(list)
        for note in document['annotations']:
            if not settings.categories or (
                self._label(note) in settings.categories
            ):
                self.notes[note['image_id']].append(note)
        self.photos = [p for p in document['images'] if self.notes[p['id']]]
        self.refused = Counter()

    def cut(self, photo: dict, folder: Path) -> list[dict]:
        """Write the cut-outs of one photo; return their rows of the table."""
        photo_stem(photo['file_name'], self.ann_file)  # refuses ../a.jpg
        path = locate_photo(expand(self.images), photo['file_name'])
        try:
            image = read_photo(str(path))
        except ValueError as error:
            hint = backslash_hint(photo['file_name'])
            raise ValueError(f'{error}{hint}') from error
        stated = (photo.get('height'), photo.get('width'))
        size = image.shape[:2]
        notes = self.notes[photo['id']]
        check_stated(path, stated, size, str(self.ann_file), notes)
        checksum = sha256_of(path)
        source = dict(
            split=split_of(checksum, self.settings),
            image=photo['file_name'],
            image_sha256=checksum,
            licence=self.licences.get(photo.get('license'), ''),
        )
        return [
            self._write(folder, cut_out(image, mask), mask, note, source)
            for note, mask in self._choose(photo, size)
        ]

    def _label(self, note: dict) -> str:
        """Return the name of an annotation's category, or its number."""
        return self.labels.get(note['category_id'], str(note['category_id']))

    def _choose(
        self, photo: dict, size: tuple[int, int]
    ) -> list[tuple[dict, np.ndarray]]:
        """Return the annotations to cut out and masks, the largest first."""
        chosen = []
        for note in self.notes[photo['id']]:
            where = f'{self.ann_file}, annotation {note["id"]}'
            mask = decode_segmentation(note.get('segmentation'), size, where)
            reason = refusal(mask, note, self.settings)
            if reason:
                self.refused[reason] += 1
            else:
                chosen.append((note, mask))
        chosen.sort(key=lambda each: (-each[1].sum(dtype=int), each[0]['id']))
        most = self.settings.max_per_image
        if most is not None:
            self.refused['beyond max_per_image'] += len(chosen[most:])
        return chosen[:most]

    def _write(
        self,
        folder: Path,
        cutout: np.ndarray,
        mask: np.ndarray,
        note: dict,
        source: dict,
    ) -> dict:
        """Write one cut-out; return its row of the table."""
        parts = (self._label(note), note['image_id'], note['id'])
        name = '_'.join(re.sub(r'[^\w.]+', '-', str(part)) for part in parts)
        name = f'{source["split"]}/{fit_name(name, ".png")}'
        data = encode_image(cutout)
        (folder / name).write_bytes(data)
        height, width = cutout.shape[:2]
        area = int(mask.sum(dtype=int))
        return dict(
            source,
            file=name,
            annotation_id=note['id'],
            category=self._label(note),
            area_px=area,
            w=width,
            h=height,
            fill=f'{area / (width * height):.3f}',
            sha256=hashlib.sha256(data).hexdigest(),
        )


def split_of(checksum: str, settings: CutoutSettings) -> str:
    """Return whether a photo's cut-outs are for training or for the test.

    It depends on the file's SHA-256, ``seed`` and ``test_share`` only.
    """
    key = hashlib.sha256(f'{settings.seed} {checksum}'.encode()).digest()
    place = int.from_bytes(key[:8], 'big') / 2**64
    return SPLITS[place < settings.test_share]


def cut_out(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an object on a transparent ground, cut to its extent.

    ``image`` is (H, W, 3) uint8 BGR, ``mask`` (H, W). Returns (h, w, 4) uint8
    BGRA, whose transparent pixels are black.
    """
    rows, cols = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    alpha = (mask[window] != 0).astype(np.uint8)[..., None]
    return np.concatenate([image[window] * alpha, alpha * 255], axis=-1)


def refusal(
    mask: np.ndarray | None, note: dict, settings: CutoutSettings
) -> str | None:
    """Return why an annotation gives no cut-out, or None if it does.

    Its mask is (H, W) uint8, or None if it has none.
    """
    if note.get('iscrowd'):
        return 'crowd'
    if mask is None or not mask.any():
        return 'no mask'
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
    if min(height, width) < settings.min_side:
        return 'too small'
    if mask.sum(dtype=int) < settings.min_fill * height * width:
        return 'too thin'
    border = (mask[[0, -1]].any(), mask[:, [0, -1]].any())
    if any(border) and not settings.truncated:
        return 'truncated'
    return None
