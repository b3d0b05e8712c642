"""Writes the digits data set: the Pascal VOC layout, and occluders with it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from mmocc.synthetic.digits.photo_cutouts import (
    SHAPES,
    cut_object,
    cut_texture,
)
from mmocc.synthetic.digits.scene import (
    DIGIT_CLASSES,
    DigitsSettings,
    PlacedDigit,
    draw_scene,
)
from mmocc.synthetic.voc_xml import voc_xml
from mmocc.utils import own_folder
from mmocc.utils.own_folder import write_files
from mmocc.utils.pictures import encode_jpeg, encode_pillow

GENERATOR = 'mmocc digits_voc, format 2'
SPLITS = ('train', 'val', 'test')
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


def split_sources(
    labels: np.ndarray, seed: int, shares: tuple[float, float] = (0.6, 0.1)
) -> dict[str, np.ndarray]:
    """Divide the source digits into train, val and test, class by class.

    ``shares`` are those of train and val. Returns sorted indices per split.
    """
    rng = np.random.default_rng((seed, len(SPLITS)))
    parts = {split: [] for split in SPLITS}
    for label in np.unique(labels):
        indices = rng.permutation(np.flatnonzero(labels == label))
        ends = np.cumsum(np.rint(np.multiply(shares, len(indices))))
        pieces = np.split(indices, ends.astype(int))
        for split, piece in zip(SPLITS, pieces, strict=True):
            parts[split].append(piece)
    return {s: np.sort(np.concatenate(p)) for s, p in parts.items()}


def plan_scenes(settings: DigitsSettings) -> list[tuple[str, np.ndarray]]:
    """Return (image id, source indices) of every scene, split by split."""
    labels = load_digits().target[: settings.limit]
    scenes = []
    for number, (split, sources) in enumerate(
        split_sources(labels, settings.seed).items()
    ):
        rng = np.random.default_rng((settings.seed, number))
        passes = settings.repeat if split == 'train' else 1
        order = [rng.permutation(sources) for _ in range(passes)]
        order = np.concatenate(order)
        for start in range(0, len(order), settings.digits):
            img_id = f'{split}_{start // settings.digits + 1:05d}'
            scenes.append((img_id, order[start : start + settings.digits]))
    return scenes


def is_current(folder: Path, settings: DigitsSettings) -> bool:
    """Return whether a folder already holds these settings' data, whole."""
    return own_folder.is_current(folder, GENERATOR, asdict(settings))


def write_digits_voc(
    out: Path,
    settings: DigitsSettings,
    progress: Callable[[list], Iterator] = iter,
    force: bool = False,
) -> dict:
    """Write the data set to ``out``, in one piece, and return its manifest.

    Args:
        out: Folder to make; an earlier one of digits is replaced.
        settings: What to make; the same settings give the same bytes.
        progress: Wraps the list of scenes, to show how far it is.
        force: Replace whatever is at ``out``.

    Raises:
        FileExistsError: ``out`` holds something that is not a digits folder.
    """

    def fill(folder: Path) -> dict:
        counts, flags = _write_scenes(folder, settings, progress)
        flags['trainval'] = flags['train'] | flags['val']
        for split in flags:
            write_files(folder, _split_lists(split, flags[split]))
        write_files(folder / 'occluders', _draw_occluders(settings))
        write_files(folder, {'README.txt': README.encode()})
        return own_folder.write_manifest(
            folder,
            GENERATOR,
            asdict(settings),
            classes=DIGIT_CLASSES,
            counts=counts,
        )

    return own_folder.make_folder(
        out, fill, lambda old: own_folder.read_manifest(old, GENERATOR), force
    )


def _write_scenes(
    folder: Path, settings: DigitsSettings, progress: Callable
) -> tuple[dict[str, Counter], dict[str, dict]]:
    """Draw all scenes; return the splits' counts, and flags by image."""
    data = load_digits()
    photos = [load_sample_image(n) for n in OCCLUDER_PHOTOS.values()]
    counts = {split: Counter() for split in SPLITS}
    flags = {split: {} for split in SPLITS}
    for number, (img_id, sources) in enumerate(
        progress(plan_scenes(settings))
    ):
        scene, digits = draw_scene(
            data.images[sources],
            data.target[sources],
            sources,
            photos,
            settings,
            np.random.default_rng((settings.seed, len(SPLITS) + 1, number)),
        )
        visible = [digit for digit in digits if digit.visible.any()]
        split = img_id.split('_')[0]
        # update, because the sum of two Counters drops zeros
        counts[split].update(_count(visible, len(digits) - len(visible)))
        # Digits that are not difficult come last, and so decide.
        flags[split][img_id] = {
            DIGIT_CLASSES[digit.label]: int(not digit.difficult)
            for digit in sorted(visible, key=lambda d: -d.difficult)
        }
        write_files(folder, scene_files(img_id, scene, visible))
    return counts, flags


def _count(digits: list[PlacedDigit], hidden: int) -> dict[str, int]:
    """Return the numbers of one scene for the manifest."""
    flags = ('occluded', 'truncated', 'difficult')
    numbers = {f: sum(getattr(d, f) for d in digits) for f in flags}
    counts = dict(images=1, objects=len(digits), left_out_as_hidden=hidden)
    return counts | numbers


def scene_files(
    img_id: str, scene: np.ndarray, digits: list[PlacedDigit]
) -> dict[str, bytes]:
    """Return the image, the annotation and both masks of one scene."""
    objects = [
        dict(
            name=DIGIT_CLASSES[digit.label],
            pose='Unspecified',
            truncated=int(digit.truncated),
            occluded=int(digit.occluded),
            difficult=int(digit.difficult),
            bndbox=digit.box,
            visible=f'{digit.visible_share:.4f}',
            source_index=digit.source,
        )
        for digit in digits
    ]
    name = f'{img_id}.jpg'
    xml = voc_xml('digits_voc', name, scene.shape, objects, segmented=True)
    files = {
        f'JPEGImages/{name}': encode_jpeg(scene[..., ::-1]),
        f'Annotations/{img_id}.xml': xml,
    }
    masks = index_masks(len(scene), digits)
    folders = ('SegmentationObject', 'SegmentationClass')
    for folder, mask in zip(folders, masks, strict=True):
        image = Image.fromarray(mask).convert('P')
        image.putpalette(voc_palette())
        files[f'{folder}/{img_id}.png'] = encode_pillow(image)
    return files


def index_masks(
    size: int, digits: list[PlacedDigit]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the instance mask (1..k) and the class mask (class + 1)."""
    instances, classes = np.zeros((2, size, size), np.uint8)
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


def _split_lists(split: str, flags: dict[str, dict]) -> dict[str, bytes]:
    """Return the list of a split, and the lists of its classes."""
    lists = {split: ''.join(f'{img_id}\n' for img_id in flags)}
    for name in DIGIT_CLASSES:
        lists[f'{name}_{split}'] = ''.join(
            f'{img_id} {shows.get(name, -1):2}\n'
            for img_id, shows in flags.items()
        )
    return {
        f'ImageSets/Main/{name}.txt': text.encode()
        for name, text in lists.items()
    }


def _draw_occluders(settings: DigitsSettings) -> dict[str, bytes]:
    """Return the textures and the cut-outs for training and for the test."""
    files = {}
    for number, (use, photo_name) in enumerate(OCCLUDER_PHOTOS.items()):
        rng = np.random.default_rng((settings.seed, _OCCLUDER_STREAM + number))
        photo = load_sample_image(photo_name)
        for i in range(settings.occluders):
            texture = cut_texture(photo, _TEXTURE_PX, rng)
            name = f'{use}/textures/{i + 1:02d}.jpg'
            files[name] = encode_jpeg(texture[..., ::-1])
            shape = SHAPES[i % len(SHAPES)]
            cutout = cut_object(photo, _CUTOUT_PX, shape, rng)
            name = f'{use}/objects/{i + 1:02d}_{shape}.png'
            files[name] = encode_pillow(Image.fromarray(cutout))
    return files
