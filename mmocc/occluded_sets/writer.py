"""Occludes all images of a set, and writes its lists, tables and checksums.

The bytes depend on source and settings only, not on the number of processes.
The same call goes on after a stop.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from mmocc.occluded_sets.images import ImageMaker, read_record
from mmocc.occluded_sets.settings import Cell, OccludedSettings
from mmocc.occluded_sets.sources import EMPTY_MASK, SetItem, Source
from mmocc.occlusion import OCCLUSION_VERSION
from mmocc.utils.own_folder import (
    MANIFEST,
    SUMS,
    FileFacts,
    claim,
    remove_parts,
    sha256_of,
    write_files,
)
from mmocc.utils.whole_files import SUFFIX
from mmocc.utils.worker_pool import run_jobs

GENERATOR = 'mmocc make_occluded, format 1'
OUT_OF_LEVEL = ('below', 'too_small')

Progress = Callable[..., Iterator]
Records = Callable[[], Iterable[dict]]


class CorruptImagesError(ValueError):
    """Some images of the set could not be occluded; names them all."""


def write_occluded(
    source: Source,
    settings: OccludedSettings,
    out: Path,
    workers: int = 1,
    skip_corrupt: bool = False,
    progress: Progress = lambda results, total: iter(results),
) -> dict:
    """Make an occluded set, or what is missing of one; return its manifest.

    Args:
        source: The set to occlude.
        settings: What to make.
        out: Folder to write to: new, or of an earlier run.
        workers: Number of processes.
        skip_corrupt: Leave damaged images out; the manifest lists them.
        progress: Wraps the results, with their number (``total``).

    Raises:
        FileExistsError: ``out`` holds something else, or other settings.
        CorruptImagesError: Images are damaged; all others are done.
    """
    items = source.items()[: settings.limit]
    names = [item.name for item in items]
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise ValueError(
            f'several images of the set are called {min(repeated)!r}, without '
            'their ending; give them different names'
        )
    settings.make_bank()  # fails now rather than in each process
    document = dict(
        generator=GENERATOR,
        occlusion=OCCLUSION_VERSION,
        layout=source.layout,
        part=source.title,
        settings=settings.as_json(),
    )
    fingerprint = json.dumps(document, sort_keys=True)
    job = (source, settings, out, fingerprint)
    results = run_jobs(ImageMaker, job, _make, list(enumerate(items)), workers)
    claim(out, document)
    results = progress(results, total=len(items))
    failures = {name: error for name, error in results if error}
    remove_parts(out)
    if failures and (not skip_corrupt or len(failures) == len(items)):
        errors = '\n'.join(f'  {error}' for error in failures.values())
        raise CorruptImagesError(
            f'{len(failures)} of {len(items)} images cannot be used:\n'
            f'{errors}\nMend them and start again: finished images stay. Or '
            'leave them out, with --skip-corrupt.'
        )
    finished = [name for name in names if name not in failures]

    def records() -> Iterator[dict]:
        return (read_record(out, name) for name in finished)

    return write_tables(out, source, settings, document, records, failures)


def _make(
    maker: ImageMaker, job: tuple[int, SetItem]
) -> tuple[str, str | None]:
    """Make one image; return its name and its error, if there is one."""
    index, item = job
    try:
        maker.make(index, item)
    except (ValueError, FileNotFoundError) as error:
        message = str(error)
        return item.name, (
            message if item.name in message else f'{item.path}: {message}'
        )
    return item.name, None


def write_tables(
    out: Path,
    source: Source,
    settings: OccludedSettings,
    document: dict,
    records: Records,
    failures: dict[str, str],
) -> dict:
    """Write the files that speak of all images, and return the manifest.

    ``records`` gives the images' records, in the set's order: they are read
    again for each cell, to save memory. ``failures`` are messages by name.
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
        objects_with_empty_mask=sum(map(_empty_masks, records())),
        left_out=failures,
        cells={},
        out_of_level=[],
    )
    part = out / f'{SUMS}{SUFFIX}'
    with part.open('w', encoding='utf-8', newline='\n') as sums:
        for cell in settings.cells():
            counts = Counter(_count(cell, records(), manifest['out_of_level']))
            manifest['cells'][cell.name] = dict(
                kind=cell.kind,
                level=cell.level,
                **dict(sorted(counts.items())),
            )
            for record in records():
                files = record['cells'][cell.name]['files']
                sums.writelines(_sum_lines(cell, dict(sorted(files.items()))))
            lists = source.lists(cell.name, settings.suffix, records())
            files = write_files(out / cell.name, lists)
            sums.writelines(_sum_lines(cell, files))
        for name, rows in (
            ('images.csv', image_rows(settings, records())),
            ('objects.csv', object_rows(settings, records())),
        ):
            write_csv(out / name, rows)
            sums.write(f'{sha256_of(out / name)}  {name}\n')
    part.replace(out / SUMS)
    manifest[f'{SUMS}.sha256'] = sha256_of(out / SUMS)
    data = json.dumps(manifest, indent=2).encode() + b'\n'
    write_files(out, {MANIFEST: data})
    return manifest


def _sum_lines(cell: Cell, files: FileFacts) -> Iterator[str]:
    """Yield lines of the list of checksums."""
    for name, (_, checksum) in files.items():
        yield f'{checksum}  {cell.name}/{name}\n'


def image_rows(
    settings: OccludedSettings, records: Iterable[dict]
) -> Iterator[list]:
    """Yield the header and a row per image and cell: which occluders."""
    yield [
        'cell', 'kind', 'level', 'image', 'source', 'source_sha256', 'seed',
        'index', 'occluders',
    ]  # fmt: skip
    for record in records:
        for cell in settings.cells():
            yield [
                *(cell.name, cell.kind or '', cell.level, record['name']),
                *(record['source'], record['sha256'], settings.seed),
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
            for target, share, status in _objects(record, cell):
                yield [
                    *(cell.name, cell.kind or '', cell.level, record['name']),
                    *(target['id'], target['label'], target['region']),
                    '' if share is None else f'{share:.6f}',
                    status,
                ]


def write_csv(path: Path, rows: Iterable[list]) -> None:
    """Write rows as CSV, one after another, and in one piece."""
    part = path.with_name(f'{path.name}{SUFFIX}')
    with part.open('w', newline='', encoding='utf-8') as file:
        csv.writer(file, lineterminator='\n').writerows(rows)
    part.replace(path)


def _objects(
    record: dict, cell: Cell
) -> Iterator[tuple[dict, float | None, str]]:
    """Return the objects of an image, their shares and status in a cell."""
    facts = record['cells'][cell.name]
    return zip(
        record['objects'], facts['shares'], facts['status'], strict=True
    )


def _empty(record: dict) -> bool:
    """Return whether an image has no object to hide."""
    status = next(iter(record['cells'].values()))['status']
    return all(word == 'ignored' for word in status)


def _empty_masks(record: dict) -> int:
    """Return how many objects of an image fall back from mask to box."""
    return sum(o['region'] == EMPTY_MASK for o in record['objects'])


def _count(
    cell: Cell, records: Iterable[dict], out_of_level: list[dict]
) -> Iterator[str]:
    """Yield what to count; list the objects out of the level."""
    for record in records:
        yield 'images'
        for target, share, status in _objects(record, cell):
            yield 'objects'
            yield status
            if status in OUT_OF_LEVEL:
                out_of_level.append(
                    dict(
                        cell=cell.name,
                        image=record['name'],
                        object=target['id'],
                        status=status,
                        hidden_share=share,
                    )
                )
