"""Occludes one image of a set, for every kind and level, and writes it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Generator

from mmocc.datasets.transforms.occlude_objects import OccludeObjects
from mmocc.occluded_sets.settings import (
    Cell,
    OccludedSettings,
    sha256_of,
)
from mmocc.occluded_sets.sources import (
    MASK_DIR,
    SetItem,
    SetObject,
    Source,
    encode,
    encode_png,
    read_photo,
    write_whole,
)
from mmocc.occlusion import OccluderBank, Occluders

RECORDS = 'records'


class NotingBank:
    """An occluder bank that notes which sheets are drawn.

    Args:
        bank: The bank to draw from.
    """

    def __init__(self, bank: OccluderBank) -> None:
        self.bank = bank
        self.drawn: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bank, name)

    def draw(self, kind: str, num: int, generator: Generator) -> Occluders:
        """Draw as the bank does, and note it."""
        occluders = self.bank.draw(kind, num, generator)
        self.drawn += occluders.sheet.tolist()
        return occluders


class ImageMaker:
    """Makes every cell of one image after another.

    Args:
        source: The set that the images are of.
        settings: What to make of them.
        out: Folder to write to.
        fingerprint: Stands for the settings in the images' digests.
    """

    def __init__(
        self,
        source: Source,
        settings: OccludedSettings,
        out: Path,
        fingerprint: str,
    ) -> None:
        self.source, self.settings, self.out = source, settings, out
        self.fingerprint = fingerprint
        banks = settings.bank_files()
        self.bank_names = {kind: list(files) for kind, files in banks.items()}
        bank = settings.make_bank()
        self.bank = NotingBank(bank) if bank else None
        self.transforms = {}
        for cell in settings.cells():
            if cell.kind:
                self.transforms[cell.name] = OccludeObjects(
                    cell.kind,
                    cell.level,
                    seed=settings.seed,
                    bank=self.bank,
                )

    def make(self, index: int, item: SetItem) -> bool:
        """Make an image unless it is there; return whether it was made.

        Args:
            index: Place in the set, which its occlusions depend on.
            item: The image.

        Raises:
            ValueError: The image or an annotation is damaged; names the file.
        """
        digest = self._digest(index, item)
        if is_complete(self.out, item.name, digest):
            return False
        image = read_photo(item.path)
        objects = self.source.objects(item, image.shape[:2])
        record = dict(
            name=item.name,
            digest=digest,
            source=Path(item.path).name,
            sha256=sha256_of(Path(item.path)),
            index=index,
            size=list(image.shape[1::-1]),
            objects=[
                dict(
                    id=known.id,
                    label=known.label,
                    region='box' if known.mask is None else 'mask',
                )
                for known in objects
            ],
            cells={
                cell.name: self._make_cell(cell, index, item, image, objects)
                for cell in self.settings.cells()
            },
        )
        data = json.dumps(record, sort_keys=True).encode()
        write_whole(record_path(self.out, item.name), data)
        return True

    def _digest(self, index: int, item: SetItem) -> str:
        """Return a hash of all that the image's files depend on."""
        digest = hashlib.sha256(self.fingerprint.encode())
        detail = json.dumps(item.detail, sort_keys=True, default=str)
        digest.update(f'{index} {item.name} {detail}'.encode())
        for path in (item.path, *item.files):
            try:
                digest.update(Path(path).read_bytes())
            except OSError as error:
                raise ValueError(
                    f'{path}: cannot be read ({error.strerror}), though the '
                    'set names it'
                ) from error
        return digest.hexdigest()

    def _make_cell(
        self,
        cell: Cell,
        index: int,
        item: SetItem,
        image: np.ndarray,
        objects: Sequence[SetObject],
    ) -> dict:
        """Write an image's files of one cell; return what they hold."""
        suffix = self.settings.suffix
        if cell.kind is None:
            mask = np.zeros(image.shape[:2], np.uint8)
            shares = [0.0] * len(objects)
            status = ['ignored' if o.ignored else 'inside' for o in objects]
            told = dict(shares=shares, status=status, occluders=[])
        else:
            image, mask, told = self._occlude(
                cell, index, item, image, objects
            )
        options = []
        if suffix == '.jpg':
            options = [cv2.IMWRITE_JPEG_QUALITY, self.settings.quality]
        files = {
            f'{self.source.image_dir}/{item.name}{suffix}': encode(
                image, suffix, options
            ),
            f'{MASK_DIR}/{item.name}.png': encode_png(mask),
            **self.source.annotations(item, told, suffix),
        }
        for name, data in files.items():
            write_whole(self.out / cell.name / name, data)
        told['files'] = {
            name: [len(data), hashlib.sha256(data).hexdigest()]
            for name, data in files.items()
        }
        return told

    def _occlude(
        self,
        cell: Cell,
        index: int,
        item: SetItem,
        image: np.ndarray,
        objects: Sequence[SetObject],
    ) -> tuple[np.ndarray, np.ndarray, dict]:
        """Return the occluded image, its mask, and how it came about."""
        self.bank.drawn.clear()
        results = dict(
            img=image,  # OccludeObjects makes a new one
            img_path=item.path,
            sample_idx=index,
            instances=[known.as_instance() for known in objects],
        )
        results = self.transforms[cell.name](results)
        names = self.bank_names.get(cell.kind)
        shares = results['occlusion_shares'].tolist()
        return (
            results['img'],
            results['occlusion_mask'],
            dict(
                # no pixel, no share; NaN is no JSON
                shares=[round(s, 6) if s == s else None for s in shares],
                status=results['occlusion_status'],
                occluders=[
                    names[sheet] if names else cell.kind
                    for sheet in self.bank.drawn
                ],
            ),
        )


def record_path(out: Path, name: str) -> Path:
    """Return where the record of an image is."""
    return out / RECORDS / f'{name}.json'


def read_record(out: Path, name: str) -> dict | None:
    """Return the record of an image; None if there is none."""
    try:
        return json.loads(record_path(out, name).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def is_complete(out: Path, name: str, digest: str) -> bool:
    """Return whether an image is done: its record, and all files it names.

    The record is written last, and each file in one piece, so that a file of
    the right length is the right file.
    """
    record = read_record(out, name)
    if record is None or record.get('digest') != digest:
        return False
    for cell, told in record['cells'].items():
        for file, (length, _) in told['files'].items():
            path = out / cell / file
            if not path.is_file() or path.stat().st_size != length:
                return False
    return True
