"""Says what came of an occluded set: lists, tables, checksums."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from mmocc.occluded_sets.settings import (
    Cell,
    OccludedSettings,
    sha256_of,
)
from mmocc.occluded_sets.sources import Source, write_whole

GENERATOR = 'mmocc make_occluded, format 1'
SUMS = 'SHA256SUMS'
OUT_OF_LEVEL = ('below', 'too_small')

Records = Callable[[], Iterable[dict]]


def write_manifest(
    out: Path,
    source: Source,
    settings: OccludedSettings,
    document: dict,
    records: Records,
    failures: dict[str, str],
) -> dict:
    """Write what speaks of all images, and return the manifest.

    Records are read from the disk for each cell anew, so that the memory does
    not grow with the number of images.

    Args:
        out: Folder of the set.
        source: What it was made of.
        settings: How.
        document: What ``settings.json`` says.
        records: Gives the records of the images, in the set's order.
        failures: Why images were left out, by name.
    """
    manifest = dict(
        document,
        versions=dict(
            torch=torch.__version__,
            opencv=cv2.__version__,
            numpy=np.__version__,
        ),
        images=sum(1 for _ in records()),
        images_without_objects=[r['name'] for r in records() if _empty(r)],
        left_out=failures,
        cells={},
        out_of_level=[],
    )
    sums = hashlib.sha256()
    part = out / f'.{SUMS}.part'
    with part.open('wb') as file:

        def note(checksum: str, name: str) -> None:
            line = f'{checksum}  {name}\n'.encode()
            sums.update(line)
            file.write(line)

        for cell in settings.cells():
            counts = Counter(_count(cell, records(), manifest['out_of_level']))
            manifest['cells'][cell.name] = dict(
                kind=cell.kind,
                level=cell.level,
                **dict(sorted(counts.items())),
            )
            for record in records():
                files = record['cells'][cell.name]['files']
                for name, (_, checksum) in sorted(files.items()):
                    note(checksum, f'{cell.name}/{name}')
            lists = source.lists(cell.name, settings.suffix, records())
            for name, data in lists.items():
                write_whole(out / cell.name / name, data)
                checksum = hashlib.sha256(data).hexdigest()
                note(checksum, f'{cell.name}/{name}')
        for name, rows in (
            ('images.csv', image_rows(settings, records())),
            ('objects.csv', object_rows(settings, records())),
        ):
            write_csv(out / name, rows)
            note(sha256_of(out / name), name)
    part.replace(out / SUMS)
    manifest[f'{SUMS}.sha256'] = sums.hexdigest()
    data = json.dumps(manifest, indent=2).encode() + b'\n'
    write_whole(out / 'manifest.json', data)
    return manifest


def image_rows(
    settings: OccludedSettings, records: Iterable[dict]
) -> Iterator[list]:
    """Yield the header and a row per image and cell: what hides what."""
    yield [
        'cell', 'kind', 'level', 'image', 'source', 'source_sha256', 'seed',
        'index', 'occluders',
    ]  # fmt: skip
    for record in records:
        for cell in settings.cells():
            yield [
                cell.name,
                cell.kind or '',
                cell.level,
                record['name'],
                record['source'],
                record['sha256'],
                settings.seed,
                record['index'],
                ';'.join(record['cells'][cell.name]['occluders']),
            ]


def object_rows(
    settings: OccludedSettings, records: Iterable[dict]
) -> Iterator[list]:
    """Yield the header and a row per object and cell: how much is hidden."""
    yield [
        'cell', 'kind', 'level', 'image', 'object', 'label', 'region',
        'hidden_share', 'status',
    ]  # fmt: skip
    for record in records:
        for cell in settings.cells():
            told = record['cells'][cell.name]
            for known, share, status in zip(
                record['objects'], told['shares'], told['status'], strict=True
            ):
                yield [
                    cell.name,
                    cell.kind or '',
                    cell.level,
                    record['name'],
                    known['id'],
                    known['label'],
                    known['region'],
                    '' if share is None else f'{share:.6f}',
                    status,
                ]


def write_csv(path: Path, rows: Iterable[list]) -> None:
    """Write rows as CSV, one after another, and in one piece."""
    part = path.with_name(f'.{path.name}.part')
    with part.open('w', newline='', encoding='utf-8') as file:
        csv.writer(file, lineterminator='\n').writerows(rows)
    part.replace(path)


def _empty(record: dict) -> bool:
    """Return whether an image has no object to hide."""
    status = next(iter(record['cells'].values()))['status']
    return all(known == 'ignored' for known in status)


def _count(
    cell: Cell, records: Iterable[dict], listed: list[dict]
) -> Iterator[str]:
    """Yield what is to be counted; list the objects out of the level."""
    for record in records:
        yield 'images'
        told = record['cells'][cell.name]
        for known, share, status in zip(
            record['objects'], told['shares'], told['status'], strict=True
        ):
            yield 'objects'
            yield status
            if status in OUT_OF_LEVEL:
                listed.append(
                    dict(
                        cell=cell.name,
                        image=record['name'],
                        object=known['id'],
                        status=status,
                        hidden_share=share,
                    )
                )
