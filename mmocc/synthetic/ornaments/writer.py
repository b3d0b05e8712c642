"""Writes ornament pages, in several processes, and goes on after stops.

The bytes of a page depend on the settings, its split and its number only.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import PIL
from PIL import Image

from mmocc.synthetic.ornaments.dictionary import (
    SPLITS,
    Dictionary,
    OrnamentSettings,
    make_dictionary,
)
from mmocc.synthetic.ornaments.page import OUTSIDE, draw_page
from mmocc.synthetic.voc_xml import voc_xml
from mmocc.utils.own_folder import (
    MANIFEST,
    SUMS,
    are_there,
    claim,
    remove_parts,
    write_files,
)
from mmocc.utils.pictures import encode_pillow
from mmocc.utils.worker_pool import run_jobs

GENERATOR = 'mmocc make_ornament_pages, format 1'
OUTSIDE_NAME = 'outside'  # category of all glyphs outside the dictionary

Progress = Callable[..., Iterator]


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
        progress: Wraps the pages, with their number (``total``).

    Returns:
        The manifest.

    Raises:
        FileExistsError: ``out`` holds something else, or other settings.
        ValueError: The fonts have too few glyphs.
    """
    dictionary = make_dictionary(settings)
    document = dict(generator=GENERATOR, settings=settings.as_json())
    pages = [(s, i) for s in SPLITS for i in range(getattr(settings, s))]
    job = (settings, dictionary, out)
    records = run_jobs(PageMaker, job, PageMaker.make, pages, workers)
    claim(out, document)
    records = list(progress(records, total=len(pages)))
    remove_parts(out)
    return _write_tables(out, settings, dictionary, document, records)


class PageMaker:
    """Makes pages; arguments as in :func:`write_ornaments`."""

    def __init__(
        self, settings: OrnamentSettings, dictionary: Dictionary, out: Path
    ) -> None:
        self.settings, self.dictionary = settings, dictionary
        self.out = out

    def make(self, job: tuple[str, int]) -> dict:
        """Make a page (split, number) unless it exists; return its record."""
        split, number = job
        name = f'{split}_{number:05d}'
        record = self._read(name)
        if record is not None:
            return record
        page, placed, left_out = draw_page(
            self.settings, self.dictionary, split, number
        )
        objects = [
            dict(label=item.label, glyph=item.glyph.name, box=list(item.box))
            for item in placed
        ]
        picture = encode_page(page, self.settings.grey_levels)
        files = {
            f'JPEGImages/{name}.png': picture,
            f'Annotations/{name}.xml': annotate(name, len(page), objects),
        }
        record = dict(
            name=name,
            split=split,
            objects=objects,
            left_out=left_out,
            files=write_files(self.out, files),
        )
        data = json.dumps(record).encode()
        write_files(self.out, {f'records/{name}.json': data})
        return record

    def _read(self, name: str) -> dict | None:
        """Return the record of a page, if it and its files are there."""
        try:
            path = self.out / f'records/{name}.json'
            record = json.loads(path.read_bytes())
            return record if are_there(self.out, record['files']) else None
        except (OSError, ValueError, KeyError):
            return None


def encode_page(page: np.ndarray, grey_levels: int) -> bytes:
    """Return a page as PNG, of one bit per pixel where that suffices."""
    image = Image.fromarray(page)
    if grey_levels == 2:
        image = image.convert('1', dither=Image.Dither.NONE)
    return encode_pillow(image, optimize=True)


def annotate(name: str, page: int, objects: Sequence[dict]) -> bytes:
    """Return the VOC annotation of a page.

    ``name`` is the page's, without ending, ``page`` its side in pixels;
    objects have label, glyph and half-open xyxy box.
    """
    tags = [
        dict(
            name=OUTSIDE_NAME if item['label'] == OUTSIDE else item['glyph'],
            pose='Unspecified',
            truncated=0,
            difficult=0,
            bndbox=item['box'],
            anomaly=int(item['label'] == OUTSIDE),
            glyph=item['glyph'],
        )
        for item in objects
    ]
    return voc_xml('ornament_pages', f'{name}.png', (page, page, 1), tags)


def coco_json(
    records: Iterable[dict], classes: Sequence[str], page: int
) -> dict[str, list[dict]]:
    """Return the COCO annotations of a split.

    Category ``label + 1`` is a class of the dictionary, the last one holds
    all objects outside of it. Areas are those of the boxes; ``page`` is the
    side of a page in pixels.
    """
    images, annotations = [], []
    for number, record in enumerate(records, start=1):
        image = dict(id=number, file_name=f'{record["name"]}.png')
        images.append(dict(image, height=page, width=page))
        for item in record['objects']:
            x1, y1, x2, y2 = item['box']
            outside = item['label'] == OUTSIDE
            label = len(classes) if outside else item['label']
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label + 1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                    anomaly=int(outside),
                    glyph=item['glyph'],
                )
            )
    categories = [
        dict(id=label + 1, name=name, supercategory='dictionary')
        for label, name in enumerate(classes)
    ]
    last = dict(id=len(classes) + 1, name=OUTSIDE_NAME)
    categories.append(dict(last, supercategory=OUTSIDE_NAME))
    return dict(images=images, annotations=annotations, categories=categories)


def _write_tables(
    out: Path,
    settings: OrnamentSettings,
    dictionary: Dictionary,
    document: dict,
    records: list[dict],
) -> dict:
    """Write the files that speak of all pages, and return the manifest."""
    names = [glyph.name for glyph in dictionary.classes]
    files = {
        f'glyphs/{folder}/{glyph.name}.png': encode_page(255 - glyph.ink, 256)
        for folder in ('classes', 'outside')
        for glyph in getattr(dictionary, folder)
    }
    for split in SPLITS:
        pages = [r for r in records if r['split'] == split]
        coco = coco_json(pages, names, settings.page)
        files[f'annotations/{split}.json'] = json.dumps(coco).encode()
        lines = ''.join(f'{page["name"]}\n' for page in pages)
        files[f'ImageSets/Main/{split}.txt'] = lines.encode()
    facts = write_files(out, files)
    for record in records:
        facts |= record['files']
    sums = ''.join(f'{facts[name][1]}  {name}\n' for name in sorted(facts))
    checksum = write_files(out, {SUMS: sums.encode()})[SUMS][1]
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
    manifest[f'{SUMS}.sha256'] = checksum
    data = json.dumps(manifest, indent=2).encode() + b'\n'
    write_files(out, {MANIFEST: data})
    return manifest


def _count(records: list[dict], split: str) -> dict[str, int]:
    """Return the numbers of one split for the manifest."""
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
