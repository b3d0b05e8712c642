"""Occludes one image of a set, for every kind and level, and writes it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Generator

from mmocc.datasets.transforms.occlude import Occlude
from mmocc.datasets.transforms.occlude_objects import OccludeObjects
from mmocc.occluded_sets.settings import Cell, OccludedSettings
from mmocc.occluded_sets.sources import (
    MASK_DIR,
    SetItem,
    Source,
    read_photo,
)
from mmocc.occlusion import (
    OccluderBank,
    Occluders,
    UnreachableLevelError,
)
from mmocc.occlusion.occlude_objects import TOO_SMALL
from mmocc.utils.own_folder import are_there, sha256_of, write_files
from mmocc.utils.pictures import encode_image, encode_jpeg


class NotingBank:
    """An occluder bank that notes which sheets it draws."""

    def __init__(self, bank: OccluderBank) -> None:
        self.bank = bank
        self.noted: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bank, name)

    def draw(self, kind: str, num: int, generator: Generator) -> Occluders:
        """Draw as the bank does, and note it."""
        occluders = self.bank.draw(kind, num, generator)
        self.noted += occluders.sheet.tolist()
        return occluders


class ImageMaker:
    """Makes every cell of one image after another, in the folder ``out``.

    ``fingerprint`` stands for the settings in the images' digests.
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
        banks = settings.bank_sheets()
        self.bank_names = {kind: list(names) for kind, names in banks.items()}
        bank = settings.make_bank()
        self.bank = NotingBank(bank) if bank else None
        transform = Occlude if source.whole else OccludeObjects
        self.transforms = {
            cell.name: transform(
                cell.kind, cell.level, seed=settings.seed, bank=self.bank
            )
            for cell in settings.cells()
            if cell.kind
        }

    def make(self, index: int, item: SetItem) -> bool:
        """Make an image unless it is there; return whether it was made.

        Its occlusions depend on its name, not on ``index``, its place in the
        set. ValueError, which names the file, if image or annotation is
        damaged.
        """
        digest = self._digest(index, item)
        if is_complete(self.out, item.name, digest):
            return False
        image = read_photo(item.path)
        objects = self.source.objects(item, image.shape[:2])
        results = dict(
            img=image,
            img_path=item.path,
            photo_identity=item.identity or item.name,
            instances=[target.as_instance() for target in objects],
        )
        record = dict(
            name=item.name,
            digest=digest,
            source=Path(item.path).name,
            sha256=sha256_of(Path(item.path)),
            index=index,
            size=list(image.shape[1::-1]),
            objects=[
                dict(
                    id=target.id,
                    label=target.label,
                    region=target.region,
                )
                for target in objects
            ],
            cells={
                cell.name: self._make_cell(cell, item, dict(results))
                for cell in self.settings.cells()
            },
        )
        data = json.dumps(record, sort_keys=True).encode()
        write_files(self.out, {record_name(item.name): data})
        return True

    def _digest(self, index: int, item: SetItem) -> str:
        """Return a hash of everything that the image's files depend on."""
        digest = hashlib.sha256(self.fingerprint.encode())
        detail = json.dumps(item.detail, sort_keys=True, default=str)
        known = f'{index} {item.name} {detail} {item.identity}'
        digest.update(known.encode())
        for path in (item.path, *item.files):
            try:
                digest.update(Path(path).read_bytes())
            except OSError as error:
                raise ValueError(
                    f'{path}: cannot be read ({error.strerror}), though the '
                    f'set names it{item.hint}'
                ) from error
        return digest.hexdigest()

    def _make_cell(self, cell: Cell, item: SetItem, results: dict) -> dict:
        """Write an image's files of one cell; return what they hold."""
        if cell.kind:
            facts, mask = self._occlude(cell, results)
        else:
            ignored = [
                target['ignore_flag'] for target in results['instances']
            ]
            status = ['ignored' if flag else 'inside' for flag in ignored]
            shares = [0.0] * len(status)
            facts = dict(shares=shares, status=status, occluders=[])
            mask = np.zeros(results['img'].shape[:2], np.uint8)
        suffix = self.settings.suffix
        picture = (
            encode_jpeg(results['img'], self.settings.quality)
            if suffix == '.jpg'
            else encode_image(results['img'])
        )
        files = {
            f'{self.source.image_dir}/{item.name}{suffix}': picture,
            f'{MASK_DIR}/{item.name}.png': encode_image(mask),
            **self.source.annotations(item, facts, suffix),
        }
        facts['files'] = write_files(self.out / cell.name, files)
        return facts

    def _occlude(self, cell: Cell, results: dict) -> tuple[dict, np.ndarray]:
        """Occlude ``results``, in place; return what hides how much, where.

        A whole image of too few pixels for the level stays as it is.
        """
        self.bank.noted.clear()
        try:
            self.transforms[cell.name](results)  # makes a new image
        except UnreachableLevelError:
            facts = dict(shares=[0.0], status=[TOO_SMALL], occluders=[])
            return facts, np.zeros(results['img'].shape[:2], np.uint8)
        if self.source.whole:
            shares, status = [results['occlusion_share']], ['inside']
        else:
            shares = results['occlusion_shares'].tolist()
            status = results['occlusion_status']
        names = self.bank_names.get(cell.kind)
        facts = dict(
            # An object without pixels has no share; NaN is not JSON.
            shares=[round(s, 6) if s == s else None for s in shares],
            status=status,
            occluders=[
                names[sheet] if names else cell.kind
                for sheet in self.bank.noted
            ],
        )
        return facts, results['occlusion_mask']


def record_name(name: str) -> str:
    """Return the path of an image's record below the set's folder."""
    return f'records/{name}.json'


def read_record(out: Path, name: str) -> dict | None:
    """Return the record of an image; None if there is none."""
    try:
        return json.loads((out / record_name(name)).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def is_complete(out: Path, name: str, digest: str) -> bool:
    """Return whether a record, written last, and all its files are there."""
    record = read_record(out, name)
    if record is None or record.get('digest') != digest:
        return False
    return all(
        are_there(out / cell, facts['files'])
        for cell, facts in record['cells'].items()
    )
