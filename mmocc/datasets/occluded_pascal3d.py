"""OccludedPASCAL3D+: whole photos with COCO objects pasted over the object.

A. Wang et al., CVPR 2020. Layout as
https://github.com/Angtian/OccludedPASCAL3D writes it (no code taken):
``<category>FGL<j>_BGL<i>`` is level j of occlusion on the object and i beside
it; ``_raw`` and ``_occluded`` are for training.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmocc.datasets.lists import (
    PARTS,
    check_choice,
    class_names,
    read_names,
    require_files,
    take_part,
)
from mmocc.datasets.pascal3d_boxes import (
    Box,
    StoredBox,
    read_occluder_boxes,
    read_stored_box,
    restore_edge,
    upright_box,
)
from mmocc.datasets.voc_layout import image_id
from mmocc.datasets.voc_objects import crop_window
from mmocc.occlusion import CLEAN, LEVELS, level_range
from mmocc.registry import DATASETS
from mmocc.utils.files import expand
from mmocc.utils.npz_reader import read_npz
from mmocc.utils.photos import read_sizes

# The 12 rigid categories of PASCAL3D+; the label is the place in this list.
PASCAL3D_CLASSES = (
    'aeroplane', 'bicycle', 'boat', 'bottle', 'bus', 'car', 'chair',
    'diningtable', 'motorbike', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
# One WordNet synset of each category; ImageNet's file names begin with one.
# An image in another category's folder shows the wrong thing.
SYNSETS = {
    'n02691156': 'aeroplane', 'n02834778': 'bicycle', 'n02858304': 'boat',
    'n02876657': 'bottle', 'n02924116': 'bus', 'n02958343': 'car',
    'n03001627': 'chair', 'n04379243': 'diningtable',
    'n03790512': 'motorbike', 'n04256520': 'sofa', 'n04468005': 'train',
    'n03211117': 'tvmonitor',
}  # fmt: skip
_SWAPPED = ('FGL0_BGL0', '_raw', '_occluded')  # x and y of their boxes are
_NOTHING = (0.0, 0.0)
_BACKGROUNDS = (_NOTHING, (0.0, 0.2), (0.2, 0.4), (0.4, 0.6))
_REMEDY = (
    'fetch this level, or correct data_root and level. The clean images '
    "(FGL0_BGL0) and the training images are no download: the authors' "
    'CreateL0.py and CreateTrainingData.py make them, and Process_anno.py '
    'then splits annotations_grouped into annotations'
)


@DATASETS.register_module()
class OccludedPASCAL3D(BaseDataset):
    """One level of OccludedPASCAL3D+, one object in each photo.

    ``mmocc.CropObject`` after ``LoadImageFromFile`` cuts the object out of its
    photo, and ``mmocc.LoadOcclusionMasks`` loads the masks.
    ``LoadImageFromFile`` gives grey photos three channels.

    Every sample has ``img_path``, ``gt_label``, ``img_id`` (the stem, the same
    in all levels), ``category``, ``crop_box`` (integer xyxy in the photo),
    ``gt_bboxes`` (float32 (1, 4), xyxy in the crop), ``occluder_boxes``
    (float32 (n, 4), xyxy in the photo), ``photo_shape`` (h, w),
    ``annotation_path``, and from the folder's name ``occlusion_level``
    (``L0`` to ``L3``), ``occlusion_range`` and ``background_range`` (hidden
    shares of object and background; None for ``occluded``). No code in an
    annotation is executed.

    Args:
        data_root: Folder with ``images``, ``lists`` and ``annotations``.
        level: ``L0`` to ``L3`` (the diagonal: ``L1`` is ``FGL1_BGL1``),
            ``FGL<j>_BGL<i>``, or ``raw`` or ``occluded`` (training images).
        categories: Which ones to read; None reads all classes.
        common_with: Other levels. Only images that all of them have are read,
            so that levels can be compared image by image.
        context: As in :class:`VOCObjects`.
        synsets: Category by synset. An image whose name begins with the
            synset of another category than its folder's is dropped and
            counted in the log.
        lost_edge: What to do with a box if the set's generator clipped away
            an edge, and neither a twin nor a mask shows where it was (see
            ``pascal3d_boxes``): ``error``, ``drop`` (counted in the log), or
            ``image``, which takes the edge of the image.
        part: Of the training images (``raw``, ``occluded``): ``select`` is a
            tenth of each list, to choose a model with instead of the test's
            images; ``fit`` is the rest, ``all`` both.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``classes``,
            ``pipeline``, ``test_mode`` and so on.

    Raises:
        FileNotFoundError: A list, an image or an annotation is missing.
        ValueError: An argument is wrong, or an annotation is damaged, unsafe
            or does not fit its image; the message names it.
    """

    METAINFO = {'classes': PASCAL3D_CLASSES}

    def __init__(
        self,
        data_root: str,
        level: str = 'L1',
        categories: Sequence[str] | None = None,
        common_with: Sequence[str] = (),
        context: float = 0.1,
        synsets: Mapping[str, str] = SYNSETS,
        lost_edge: str = 'error',
        part: str = 'all',
        **kwargs: Any,
    ) -> None:
        if context < 0:
            raise ValueError(f'context is {context}; it must be 0 or more')
        check_choice('lost_edge', lost_edge, ['error', 'drop', 'image'])
        self.root = expand(data_root)
        self.folder = folder_name(level)
        check_choice('part', part, PARTS)
        if part != 'all' and level not in ('raw', 'occluded'):
            raise ValueError(
                f'part={part!r} is of the training images: give '
                "level='raw' or 'occluded'"
            )
        self.part = part
        others = [common_with] if isinstance(common_with, str) else common_with
        self.others = [folder_name(other) for other in others]
        self.categories = categories
        self.context = context
        self.synsets = dict(synsets)
        self.lost_edge = lost_edge
        kwargs['classes'] = class_names(kwargs.get('classes'))
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the images of all categories; log what was corrected."""
        classes = self.metainfo['classes']
        wanted = classes if self.categories is None else self.categories
        samples: list[dict] = []
        counts: Counter[str] = Counter()
        for category in check_categories(wanted, classes):
            samples += self._load_category(category, counts)
        special = ', '.join(f'{v} {k}' for k, v in counts.items()) or 'none'
        summary = f'{len(samples)} images of {self.folder}; special: {special}'
        if not samples:
            raise ValueError(f'{self.root}: no image is left; {summary}')
        print_log(f'OccludedPASCAL3D: {summary}', logger='current')
        return samples

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        return [
            f'Root and level: \t{self.root}, {self.folder}',
            f'Common with: \t{", ".join(self.others) or "-"}',
        ]

    def _load_category(self, category: str, counts: Counter) -> list[dict]:
        """Return the samples of one category, in the order of its list."""
        stems = self._list_stems(category, self.folder)
        stems = self._filter_stems(stems, category, counts)
        images = self._require(category, 'images', stems, '.JPEG')
        annotations = self._require(category, 'annotations', stems, '.npz')
        samples = []
        for stem, image, path in zip(stems, images, annotations, strict=True):
            try:
                fields = self._describe(path, image, category, counts)
            except ValueError as error:
                at = '' if str(error).startswith(path) else f'{path}: '
                raise ValueError(f'{at}{error}') from error
            if fields:
                samples.append({'img_id': stem, 'img_path': image, **fields})
        return samples

    def _list_path(self, category: str, folder: str) -> Path:
        """Return the list of a category and level."""
        return self.root / 'lists' / f'{category}{folder}.txt'

    def _list_stems(self, category: str, folder: str) -> list[str]:
        """Return the stems in the list of a category and level."""
        path = self._list_path(category, folder)
        return list(map(image_id, read_names(path, _REMEDY, image_id)))

    def _require(
        self, category: str, kind: str, stems: list[str], ending: str
    ) -> list[str]:
        """Return the paths of a category's images or annotations."""
        folder = self.root / kind / f'{category}{self.folder}'
        listed = self._list_path(category, self.folder)
        files = [stem + ending for stem in stems]
        return require_files(folder, files, listed, _REMEDY)

    def _filter_stems(
        self, stems: list[str], category: str, counts: Counter
    ) -> list[str]:
        """Return the stems of the right synset that all levels have."""
        right = [
            stem
            for stem in stems
            if self.synsets.get(stem.split('_')[0], category) == category
        ]
        wrong = len(stems) - len(right)
        counts['dropped: synset of another category'] += wrong
        common = set(right)
        for folder in self.others:
            common &= set(self._list_stems(category, folder))
        shared = [stem for stem in right if stem in common]
        counts['dropped: not in all levels'] += len(right) - len(shared)
        listed = self._list_path(category, self.folder)
        return take_part(shared, self.part, listed)

    def _describe(
        self, path: str, image: str, category: str, counts: Counter
    ) -> dict | None:
        """Return an annotation's fields; None if its box is to be dropped."""
        members = read_npz(path, ['box', 'occluder_box', 'category'])
        # The member occluder_level is always 'G': the folder has the level.
        if str(members['category']) != category:
            raise ValueError(
                f'it is of category {str(members["category"])!r} in a folder '
                f'of {category!r}; one of them is misplaced'
            )
        stored = read_stored_box(members['box'])
        shown, header = read_sizes(image)
        size = shown[::-1]
        if stored.size != size:
            remedy = 'fetch both from one source'
            if stored.size == header[::-1]:
                remedy = 'save the image without its EXIF orientation'
            raise ValueError(
                f'made for an image of (h, w) {stored.size}, but {image} has '
                f'{size}; {remedy}'
            )
        box = self._find_box(stored, path, counts)
        if box is None:
            return None
        window, inner = crop_window(box, size[::-1], self.context)
        return {
            'gt_label': self.metainfo['classes'].index(category),
            'category': category,
            'crop_box': window,
            'gt_bboxes': inner,
            'occluder_boxes': read_occluder_boxes(members['occluder_box']),
            'photo_shape': size,
            'annotation_path': path,
            **level_fields(self.folder),
        }

    def _find_box(
        self, stored: StoredBox, path: str, counts: Counter
    ) -> Box | None:
        """Return the object's box, xyxy; None if it is to be dropped."""
        expected = self.folder in _SWAPPED
        upright = upright_box(Path(path), stored, expected)
        counts[f'boxes {upright.how}'] += 1
        if upright.lost is None:
            return upright.box
        if self.lost_edge == 'image':
            edge = stored.size[3 - upright.lost]
            return restore_edge(upright.box, upright.lost, edge)
        if self.lost_edge == 'drop':
            return None
        raise ValueError(
            'x and y of its box are swapped, and one edge was clipped at the '
            "wrong side of the image, so that it is lost; set lost_edge='drop'"
            " or lost_edge='image'"
        )


def check_categories(
    categories: Sequence[str], classes: Sequence[str]
) -> list[str]:
    """Return the categories as a list; ValueError if none or unknown."""
    unknown = [name for name in categories if name not in classes]
    if unknown or not categories:
        raise ValueError(
            f'categories {list(categories)} must be some of the classes; '
            f'without a label: {", ".join(unknown) or "-"} '
            f'(classes: {", ".join(classes)})'
        )
    return list(categories)


def folder_name(level: str) -> str:
    """Return what comes after the category in the names of a level.

    ValueError unless it is one of the levels of :class:`OccludedPASCAL3D`.
    """
    if level in ('raw', 'occluded'):
        return f'_{level}'
    if level in LEVELS:
        return f'FGL{level[1]}_BGL{level[1]}'
    if re.fullmatch(r'FGL[0-3]_BGL[0-3]', level):
        return level
    raise ValueError(
        f'unknown level {level!r}; choose L0 to L3, FGL<0-3>_BGL<0-3>, raw '
        'or occluded'
    )


def level_fields(folder: str) -> dict:
    """Return the occlusion that a folder's name states, for its samples."""
    if folder == '_occluded':  # occluded at random
        level, hidden, background = None, None, None
    elif folder == '_raw':
        level, hidden, background = CLEAN, _NOTHING, _NOTHING
    else:
        level = f'L{folder[3]}'
        hidden = level_range(level)
        background = _BACKGROUNDS[int(folder[-1])]
    return {
        'occlusion_level': level,
        'occlusion_range': hidden,
        'background_range': background,
    }
