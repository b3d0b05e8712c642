"""Cuts objects out of COCO-annotated photos, to occlude other images with.

The cut-outs are divided into some for training and some for the test, photo
by photo: no photo gives cut-outs to both, nor do two copies of one photo.
"""

import csv
import hashlib
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from mmocc.datasets.coco_masks import decode_segmentation
from mmocc.occluded_sets.coco import read_coco
from mmocc.occluded_sets.cutout_rules import (
    SPLITS,
    CutoutSettings,
    cut_out,
    refusal,
    split_of,
)
from mmocc.occluded_sets.sources import (
    SetItem,
    check_size,
    encode_png,
    read_photo,
)

TABLE = 'cutouts.csv'
COLUMNS = (
    'file', 'split', 'image', 'image_sha256', 'annotation_id', 'category',
    'area_px', 'w', 'h', 'fill', 'licence', 'sha256',
)  # fmt: skip

Progress = Callable[[Iterable, int], Iterator]


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
        out: Folder to make, with ``train``, ``test`` and a table of what is
            from where.
        settings: What to cut out.
        skip_corrupt: Leave damaged photos and annotations out.
        progress: Wraps the photos, of a known number.

    Returns:
        The table's rows, how many annotations were refused by reason, and
        what is wrong with the photos left out.

    Raises:
        FileExistsError: ``out`` is there.
        ValueError: Photos are damaged (names all), or nothing was cut out.
    """
    if out.exists():
        raise FileExistsError(f'{out} is there; choose another --out')
    partial = out.with_name(f'.{out.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    for split in SPLITS:
        (partial / split).mkdir(parents=True)
    cutter = _Cutter(ann_file, images, partial, settings)
    table, failures = [], []
    try:
        for photo in progress(cutter.photos, len(cutter.photos)):
            try:
                table += cutter.cut(photo)
            except (ValueError, FileNotFoundError) as error:
                failures.append(str(error))
        _check(table, failures, skip_corrupt, cutter.refused)
        with (partial / TABLE).open('w', newline='', encoding='utf-8') as file:
            sheet = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            sheet.writeheader()
            sheet.writerows(table)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return table, cutter.refused, failures


def check_apart(table: Iterable[dict]) -> None:
    """Raise ValueError if a photo gave cut-outs to both train and test."""
    seen = {split: set() for split in SPLITS}
    for row in table:
        seen[row['split']].add(row['image_sha256'])
    shared = set.intersection(*seen.values())
    if shared:
        raise ValueError(
            f'{len(shared)} photos gave cut-outs for both train and test, '
            f'such as the one of SHA-256 {min(shared)}'
        )


def _check(
    table: list[dict],
    failures: list[str],
    skip_corrupt: bool,
    refused: Counter,
) -> None:
    """Raise ValueError if the cut-outs cannot be used."""
    if failures and not skip_corrupt:
        listed = '\n'.join(f'  {failure}' for failure in failures)
        raise ValueError(
            f'{len(failures)} photos cannot be used:\n{listed}\nMend them, or '
            'leave them out with --skip-corrupt'
        )
    check_apart(table)
    if not table:
        told = ', '.join(f'{v} {k}' for k, v in refused.items()) or 'none'
        raise ValueError(f'no object is left to cut out; refused: {told}')


class _Cutter:
    """Cuts the objects out of one photo after another.

    Args:
        ann_file: COCO JSON.
        images: Folder of its file names.
        out: Folder with one folder per split.
        settings: What to cut out.

    Attributes:
        photos: Entries of the JSON that have annotations.
        refused: How many annotations gave no cut-out, by reason.
    """

    def __init__(
        self,
        ann_file: Path,
        images: Path,
        out: Path,
        settings: CutoutSettings,
    ) -> None:
        document = read_coco(ann_file)
        self.ann_file, self.images = ann_file, images
        self.out, self.settings = out, settings
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

    def cut(self, photo: dict) -> list[dict]:
        """Write the cut-outs of one photo; return their rows of the table."""
        path = self.images / photo['file_name']
        image = read_photo(str(path))
        stated = (photo.get('height'), photo.get('width'))
        check_size(
            SetItem(photo['file_name'], str(path)),
            None if None in stated else stated,
            image.shape[:2],
            str(self.ann_file),
        )
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        source = dict(
            split=split_of(checksum, self.settings),
            image=photo['file_name'],
            image_sha256=checksum,
            licence=self.licences.get(photo.get('license'), ''),
        )
        return [
            self._write(image, mask, note, source)
            for note, mask in self._choose(photo, image.shape[:2])
        ]

    def _label(self, note: dict) -> str:
        """Return the name of an annotation's category, or its number."""
        return self.labels.get(note['category_id'], str(note['category_id']))

    def _choose(
        self, photo: dict, size: tuple[int, int]
    ) -> list[tuple[dict, np.ndarray]]:
        """Return the annotations to cut out, the largest first, and masks."""
        found = []
        for note in self.notes[photo['id']]:
            where = f'{self.ann_file}, annotation {note["id"]}'
            mask = decode_segmentation(note.get('segmentation'), size, where)
            reason = refusal(mask, note, self.settings)
            if reason:
                self.refused[reason] += 1
            else:
                found.append((note, mask))
        found.sort(key=lambda each: (-each[1].sum(dtype=int), each[0]['id']))
        most = self.settings.max_per_image
        if most is not None:
            self.refused['beyond max_per_image'] += len(found[most:])
        return found[:most]

    def _write(
        self, image: np.ndarray, mask: np.ndarray, note: dict, source: dict
    ) -> dict:
        """Write one cut-out; return its row of the table."""
        cut = cut_out(image, mask)
        data = encode_png(cut)
        label = re.sub(r'\W+', '-', self._label(note))
        name = f'{label}_{note["image_id"]}_{note["id"]}.png'
        name = f'{source["split"]}/{name}'
        (self.out / name).write_bytes(data)
        height, width = cut.shape[:2]
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
