"""Writes ornament pages, in several processes, and goes on after stops.

The bytes of a page depend on the settings, its split and its number alone,
whatever the number of processes.
"""

import hashlib
import io
import json
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import PIL
from PIL import Image

from mmocc.occluded_sets.manifest import SUMS
from mmocc.occluded_sets.settings import sha256_of
from mmocc.occluded_sets.sources import write_whole
from mmocc.occluded_sets.writer import claim
from mmocc.synthetic.ornaments.annotations import (
    coco_json,
    object_records,
    voc_xml,
)
from mmocc.synthetic.ornaments.dictionary import Dictionary, make_dictionary
from mmocc.synthetic.ornaments.glyphs import Glyph
from mmocc.synthetic.ornaments.page import OUTSIDE, draw_page
from mmocc.synthetic.ornaments.settings import SPLITS, OrnamentSettings

GENERATOR = 'mmocc make_ornament_pages, format 1'
IMAGES, XML, RECORDS = 'JPEGImages', 'Annotations', 'records'
CHUNK = 16  # pages that a process is handed at once

Progress = Callable[[Iterable, int], Iterator]


class PageMaker:
    """Makes one page after another.

    Args:
        settings: What to make.
        dictionary: The glyphs that :func:`make_dictionary` chose.
        out: Folder to write to.
    """

    def __init__(
        self, settings: OrnamentSettings, dictionary: Dictionary, out: Path
    ) -> None:
        self.settings, self.dictionary = settings, dictionary
        self.out = out

    def make(self, job: tuple[str, int]) -> dict:
        """Make a page unless it is there; return its record.

        Args:
            job: Split, and number of the page in it.
        """
        split, number = job
        name = page_name(split, number)
        record = self._read(name)
        if record is not None:
            return record
        page, placed, left_out = draw_page(
            self.settings, self.dictionary, split, number
        )
        objects = object_records(placed)
        files = {
            f'{IMAGES}/{name}.png': encode_page(
                page, self.settings.grey_levels
            ),
            f'{XML}/{name}.xml': voc_xml(name, len(page), objects).encode(),
        }
        for file, data in files.items():
            write_whole(self.out / file, data)
        record = dict(
            name=name,
            split=split,
            objects=objects,
            left_out=left_out,
            files={
                file: [len(data), hashlib.sha256(data).hexdigest()]
                for file, data in files.items()
            },
        )
        data = json.dumps(record).encode()
        write_whole(self.out / RECORDS / f'{name}.json', data)
        return record

    def _read(self, name: str) -> dict | None:
        """Return the record of a page that is there, with its files.

        The record is written last, and each file in one piece, so that a
        file of the right length is the right file.
        """
        try:
            path = self.out / RECORDS / f'{name}.json'
            record = json.loads(path.read_bytes())
            sizes = [
                (self.out / file).stat().st_size == length
                for file, (length, _) in record['files'].items()
            ]
        except (OSError, ValueError, KeyError):
            return None
        return record if all(sizes) else None


def page_name(split: str, number: int) -> str:
    """Return the name of a page, without ending."""
    return f'{split}_{number:05d}'


def encode_page(page: np.ndarray, grey_levels: int) -> bytes:
    """Return a page as PNG, of one bit per pixel where that suffices."""
    image = Image.fromarray(page)
    if grey_levels == 2:
        image = image.convert('1', dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, 'PNG', optimize=True)
    return file.getvalue()


def write_ornaments(
    settings: OrnamentSettings,
    out: Path,
    workers: int = 1,
    progress: Progress = lambda pages, total: iter(pages),
) -> dict:
    """Make a set of ornament pages, or what is missing of one.

    Args:
        settings: What to make.
        out: Folder to write to: new, or of an earlier run.
        workers: Number of processes.
        progress: Wraps what comes in page by page, of a known number.

    Returns:
        The manifest.

    Raises:
        FileExistsError: ``out`` holds something else, or other settings.
        ValueError: The fonts have too few glyphs.
    """
    if workers < 1:
        raise ValueError(f'workers is {workers}; use 1 process or more')
    dictionary = make_dictionary(settings)
    document = dict(generator=GENERATOR, settings=settings.as_json())
    claim(out, document)
    jobs = [(s, i) for s in SPLITS for i in range(getattr(settings, s))]
    maker = PageMaker(settings, dictionary, out)
    records = list(progress(_run(maker, jobs, workers), len(jobs)))
    return _write_sum(out, settings, dictionary, document, records)


_maker: PageMaker | None = None  # of this process


def _run(
    maker: PageMaker, jobs: list[tuple[str, int]], workers: int
) -> Iterator[dict]:
    """Yield the pages' records, in the order of the jobs."""
    if workers == 1:
        yield from map(maker.make, jobs)
        return
    methods = multiprocessing.get_all_start_methods()
    # Not a fork of this process, which may run threads.
    method = 'forkserver' if 'forkserver' in methods else 'spawn'
    context = multiprocessing.get_context(method)
    if method == 'forkserver':
        context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(workers, context, _start, (maker,))
    try:
        yield from pool.map(_work, jobs, chunksize=CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(maker: PageMaker) -> None:
    """Prepare a process."""
    global _maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops us
    cv2.setNumThreads(1)
    _maker = maker


def _work(job: tuple[str, int]) -> dict:
    """Make a page in a process of its own."""
    return _maker.make(job)


def _write_sum(
    out: Path,
    settings: OrnamentSettings,
    dictionary: Dictionary,
    document: dict,
    records: list[dict],
) -> dict:
    """Write what speaks of all pages, and return the manifest."""
    names = [glyph.name for glyph in dictionary.classes]
    sums = {
        file: checksum
        for record in records
        for file, (_, checksum) in record['files'].items()
    }
    files = dict(_glyph_files(dictionary))
    for split in SPLITS:
        pages = [r for r in records if r['split'] == split]
        coco = coco_json(pages, names, settings.page)
        files[f'annotations/{split}.json'] = json.dumps(coco).encode()
        listed = ''.join(f'{page["name"]}\n' for page in pages)
        files[f'ImageSets/Main/{split}.txt'] = listed.encode()
    for file, data in files.items():
        write_whole(out / file, data)
        sums[file] = sha256_of(out / file)
    text = ''.join(f'{sums[file]}  {file}\n' for file in sorted(sums))
    write_whole(out / SUMS, text.encode())
    manifest = dict(
        document,
        versions=dict(
            matplotlib=matplotlib.__version__,
            numpy=np.__version__,
            opencv=cv2.__version__,
            pillow=PIL.__version__,
        ),
        classes=names,
        outside=[glyph.name for glyph in dictionary.outside],
        counts={split: _count(records, split) for split in SPLITS},
    )
    manifest[f'{SUMS}.sha256'] = sha256_of(out / SUMS)
    data = json.dumps(manifest, indent=2).encode() + b'\n'
    write_whole(out / 'manifest.json', data)
    return manifest


def _glyph_files(dictionary: Dictionary) -> Iterator[tuple[str, bytes]]:
    """Yield a picture of each glyph, at its size."""
    for folder in ('classes', 'outside'):
        glyphs: list[Glyph] = getattr(dictionary, folder)
        for glyph in glyphs:
            yield (
                f'glyphs/{folder}/{glyph.name}.png',
                encode_page(255 - glyph.ink, 256),
            )


def _count(records: list[dict], split: str) -> dict[str, int]:
    """Return the numbers that the manifest tells of one split."""
    counts = Counter(pages=0, objects=0, outside=0, left_out=0)
    for record in records:
        if record['split'] == split:
            labels = [item['label'] for item in record['objects']]
            counts.update(
                pages=1,
                objects=len(labels),
                outside=labels.count(OUTSIDE),
                left_out=record['left_out'],
            )
    return dict(counts)
