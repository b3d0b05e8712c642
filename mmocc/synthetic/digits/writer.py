"""Writes the digits data set: the Pascal VOC layout, and occluders with it.

Everything is a function of the ``DigitsSettings`` alone, so that the
same settings give the same bytes. The folder appears in one piece: it is
written under a temporary name and renamed when it is complete.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from mmocc.occluded_sets.voc_class_lists import write_class_lists
from mmocc.synthetic.digits.photo_cutouts import (
    SHAPES,
    cut_object,
    cut_texture,
)
from mmocc.synthetic.digits.plan import SPLITS, DigitsSettings, plan_scenes
from mmocc.synthetic.digits.scene import DIGIT_CLASSES, PlacedDigit, draw_scene
from mmocc.utils.own_folder import make_folder

GENERATOR = 'mmocc digits_voc, format 2'
JPEG_QUALITY = 95
# Occluders for training and for the test come from different photographs.
OCCLUDER_PHOTOS = {'train': 'china.jpg', 'test': 'flower.jpg'}
_CUTOUT_PX, _TEXTURE_PX = 96, 128
_OCCLUDER_STREAM = 1000  # keeps their random numbers apart from the scenes'

README = """\
Handwritten digits in the Pascal VOC layout, made by
tools/dataset_converters/make_digits_voc.py.

Annotations/         VOC XML; boxes are tight around the visible pixels
JPEGImages/          scenes
SegmentationObject/  palette PNG, value k = k-th <object> of the XML, 0 = none
SegmentationClass/   palette PNG, value = class + 1 (1 is zero, 10 is nine)
ImageSets/Main/      train, val, trainval, test; no handwritten source digit
                     is in two of train, val and test. <class>_<split>: 1
                     where an image shows the class, 0 where what it shows is
                     difficult, else -1
occluders/           textures and RGBA cut-outs, for training out of one
                     photograph, for the test out of another
manifest.json        settings, seed and counts

occluded   1 if another digit, drawn later, hides a part of the digit
truncated  1 if a part of it lies beyond the border of the image
difficult  1 if less than half of it is visible
visible    share of its pixels that is visible
source_index  which of scikit-learn's 1,797 digits it is

Sources: the 8x8 digits of scikit-learn (E. Alpaydin, C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI Machine Learning Repository,
CC BY 4.0) and its two sample photos, china.jpg (F. Ortolan) and flower.jpg
(dany13), both CC BY. The backgrounds of all splits are calm cuts of both.
"""


def annotation_xml(img_id: str, size: int, digits: list[PlacedDigit]) -> str:
    """Return the VOC annotation of a scene; boxes 1-based and inclusive."""
    lines = [
        '<annotation>',
        '  <folder>digits_voc</folder>',
        f'  <filename>{escape(img_id)}.jpg</filename>',
        f'  <size><width>{size}</width><height>{size}</height>'
        '<depth>3</depth></size>',
        '  <segmented>1</segmented>',
    ]
    for digit in digits:
        x1, y1, x2, y2 = digit.box
        lines += [
            '  <object>',
            f'    <name>{DIGIT_CLASSES[digit.label]}</name>',
            '    <pose>Unspecified</pose>',
            f'    <truncated>{int(digit.truncated)}</truncated>',
            f'    <occluded>{int(digit.occluded)}</occluded>',
            f'    <difficult>{int(digit.difficult)}</difficult>',
            f'    <bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>',
            f'    <visible>{digit.visible_share:.4f}</visible>',
            f'    <source_index>{digit.source}</source_index>',
            '  </object>',
        ]
    return '\n'.join([*lines, '</annotation>', ''])


def index_masks(
    size: int, digits: list[PlacedDigit]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the instance mask (1..k) and the class mask (class + 1)."""
    instances = np.zeros((size, size), np.uint8)
    classes = np.zeros((size, size), np.uint8)
    for number, digit in enumerate(digits, start=1):
        instances[digit.visible] = number
        classes[digit.visible] = digit.label + 1
    return instances, classes


def voc_palette() -> list[int]:
    """Return VOC's colour map, 256 RGB triples in a row."""
    index = np.arange(256)
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            on = index >> (3 * bit + channel) & 1
            palette[:, channel] |= on << (7 - bit)
    return palette.ravel().tolist()


def is_own(folder: Path) -> bool:
    """Return whether a folder was written by :func:`write_digits_voc`."""
    return bool(read_manifest(folder).get('generator'))


def is_current(folder: Path, settings: DigitsSettings) -> bool:
    """Return whether a folder already holds these settings' data, whole."""
    manifest = read_manifest(folder)
    wanted = json.loads(json.dumps(asdict(settings)))
    if (manifest.get('generator'), manifest.get('settings')) != (
        GENERATOR,
        wanted,
    ):
        return False
    return _count_files(folder) == manifest.get('files')


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a digits folder, or {} if it is not one."""
    try:
        manifest = json.loads((folder / 'manifest.json').read_text())
    except (OSError, ValueError):
        return {}
    ours = str(manifest.get('generator', '')).startswith('mmocc digits_voc')
    return manifest if ours else {}


def write_digits_voc(
    out: Path,
    settings: DigitsSettings,
    progress: Callable[[list], Iterator] = iter,
    force: bool = False,
) -> dict:
    """Write the data set to ``out``, in one piece, and return its manifest.

    Args:
        out: Folder to make. A digits folder that is there is replaced.
        settings: What to make.
        progress: Wraps the list of scenes, to show how far it is.
        force: Replace whatever is at ``out``.

    Raises:
        FileExistsError: ``out`` holds something that is not a digits folder.
    """
    return make_folder(
        out,
        lambda folder: _write_all(folder, settings, progress),
        is_own,
        force,
    )


def _write_all(
    folder: Path, settings: DigitsSettings, progress: Callable
) -> dict:
    """Write scenes, split lists, occluders, README and manifest."""
    for name in (
        'Annotations',
        'JPEGImages',
        'SegmentationObject',
        'SegmentationClass',
        'ImageSets/Main',
    ):
        (folder / name).mkdir(parents=True)
    counts, ids = _write_scenes(folder, settings, progress)
    ids['trainval'] = ids['train'] + ids['val']
    for split, names in ids.items():
        lines = ''.join(f'{name}\n' for name in names)
        (folder / f'ImageSets/Main/{split}.txt').write_text(lines)
        write_class_lists(folder, split, DIGIT_CLASSES)
    _write_occluders(folder / 'occluders', settings)
    (folder / 'README.txt').write_text(README)
    manifest = {
        'generator': GENERATOR,
        'settings': asdict(settings),
        'classes': DIGIT_CLASSES,
        'counts': {split: dict(counts[split]) for split in SPLITS},
        'files': _count_files(folder),
    }
    text = json.dumps(manifest, indent=2) + '\n'
    (folder / 'manifest.json').write_text(text)
    return manifest


def _count_files(folder: Path) -> int:
    """Return the number of data files, leaving out the manifest."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return sum(path.name != 'manifest.json' for path in files)


def _write_scenes(
    folder: Path, settings: DigitsSettings, progress: Callable
) -> tuple[dict[str, Counter], dict[str, list[str]]]:
    """Draw and write every scene; return counts and image ids per split."""
    data = load_digits()
    photos = [load_sample_image(n) for n in OCCLUDER_PHOTOS.values()]
    counts = {split: Counter() for split in SPLITS}
    ids = {split: [] for split in SPLITS}
    for number, (img_id, sources) in enumerate(
        progress(plan_scenes(settings))
    ):
        scene, digits = draw_scene(
            data.images[sources],
            data.target[sources],
            sources,
            photos,
            np.random.default_rng((settings.seed, len(SPLITS) + 1, number)),
            settings.size,
            settings.digit_size,
            settings.overlap,
            settings.truncate,
            settings.clutter,
        )
        shown = [digit for digit in digits if digit.visible.any()]
        split = img_id.split('_')[0]
        # update, because the sum of two Counters drops what is zero
        counts[split].update(_count(shown, len(digits) - len(shown)))
        ids[split].append(img_id)
        _write_scene(folder, img_id, scene, shown)
    return counts, ids


def _count(digits: list[PlacedDigit], hidden: int) -> dict[str, int]:
    """Return the numbers that the manifest tells of one scene."""
    flags = ('occluded', 'truncated', 'difficult')
    numbers = {f: sum(getattr(d, f) for d in digits) for f in flags}
    return {
        'images': 1,
        'objects': len(digits),
        'left_out_as_hidden': hidden,
        **numbers,
    }


def _write_scene(
    folder: Path, img_id: str, scene: np.ndarray, digits: list[PlacedDigit]
) -> None:
    """Write the image, the annotation and both masks of one scene."""
    _write_jpeg(folder / 'JPEGImages' / f'{img_id}.jpg', scene)
    xml = annotation_xml(img_id, len(scene), digits)
    (folder / 'Annotations' / f'{img_id}.xml').write_text(xml)
    masks = index_masks(len(scene), digits)
    names = ('SegmentationObject', 'SegmentationClass')
    for name, mask in zip(names, masks, strict=True):
        image = Image.fromarray(mask).convert('P')
        image.putpalette(voc_palette())
        image.save(folder / name / f'{img_id}.png')


def _write_jpeg(path: Path, rgb: np.ndarray) -> None:
    """Write an RGB array as a JPEG file."""
    params = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode('.jpg', rgb[..., ::-1], params)
    if not done:
        raise OSError(f'{path}: OpenCV could not encode the image')
    path.write_bytes(data.tobytes())


def _write_occluders(folder: Path, settings: DigitsSettings) -> None:
    """Write the textures and the cut-outs for training and for the test."""
    for number, (use, photo_name) in enumerate(OCCLUDER_PHOTOS.items()):
        rng = np.random.default_rng((settings.seed, _OCCLUDER_STREAM + number))
        photo = load_sample_image(photo_name)
        textures, objects = folder / use / 'textures', folder / use / 'objects'
        textures.mkdir(parents=True)
        objects.mkdir(parents=True)
        for i in range(settings.occluders):
            texture = cut_texture(photo, _TEXTURE_PX, rng)
            _write_jpeg(textures / f'{i + 1:02d}.jpg', texture)
            shape = SHAPES[i % len(SHAPES)]
            cutout = cut_object(photo, _CUTOUT_PX, shape, rng)
            path = objects / f'{i + 1:02d}_{shape}.png'
            Image.fromarray(cutout).save(path)
