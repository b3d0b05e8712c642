"""The occluded vehicles that come with CompositionalNets.

A. Kortylewski et al., CVPR 2020. ``pascal3d+_occ`` has PASCAL3D+ crops with
pasted occluders, ``coco_occ`` MS-COCO crops of really occluded objects. Layout
as https://github.com/AdamKortylewski/CompositionalNets reads it; no code
taken.
"""

from collections import Counter
from collections.abc import Sequence
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
from mmocc.datasets.occluded_pascal3d import (
    PASCAL3D_CLASSES,
    check_categories,
)
from mmocc.occlusion import CLEAN, KINDS, LEVELS, level_range
from mmocc.registry import DATASETS
from mmocc.utils.files import expand

VEHICLES = ('aeroplane', 'bicycle', 'bus', 'car', 'motorbike', 'train')
FOLDERS = {'pascal3d+': 'pascal3d+_occ', 'coco': 'coco_occ'}
LEVEL_NAMES = {'L0': 'ZERO', 'L1': 'ONE', 'L2': 'FIVE', 'L3': 'NINE'}
_OBJECT_MASKS = '0_old_masks/{}_imagenet_occludee_mask'
_REMEDY = 'fetch the CompositionalNets data, or correct data_root'


@DATASETS.register_module()
class OccludedVehicles(BaseDataset):
    """One cell (a level, and a kind of occluder) of the occluded vehicles.

    The label is the place in the 12 classes of PASCAL3D+, for models of 12
    classes that are tested on six of them; images are tight crops of the
    object. ``LoadImageFromFile`` gives grey ones three channels.

    Every sample has ``img_path``, ``gt_label``, ``img_id`` (its line of the
    list, the same in all levels), ``category``, ``occlusion_level``,
    ``occlusion_range`` (hidden share of the object that the level stands for)
    and ``occlusion_kind`` (None where nothing is pasted). With masks there are
    also ``object_mask_path`` and ``occluder_mask_path`` (None at L0), which
    ``mmocc.LoadOcclusionMasks`` reads.

    Args:
        data_root: Folder that holds ``pascal3d+_occ`` or ``coco_occ``.
        source: ``pascal3d+`` or ``coco``.
        split: ``train`` (L0 only) or ``test``.
        part: Of the training lists: ``select`` is a tenth of each, to choose
            a model with instead of the test's images; ``fit`` is the rest,
            ``all`` both.
        level: ``L0`` (clean) to ``L3`` (60 to 80 % hidden).
        kind: ``white``, ``noise``, ``texture`` or ``object``, for L1 to L3 of
            ``pascal3d+``; None for L0, and for ``coco``, whose occlusion is
            real.
        categories: Which ones to read; None reads all classes for training,
            and those of them that are vehicles for the test.
        allow_missing: Leave out the categories that have no list, and count
            them in the log, instead of raising an error.
        with_masks: Add the paths of the masks (``pascal3d+``, test).
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``classes``,
            ``pipeline``, ``test_mode`` and so on.

    Raises:
        FileNotFoundError: A list, a folder or an image is missing.
        ValueError: The arguments name a cell that does not exist, or a list
            is empty.
    """

    METAINFO = {'classes': PASCAL3D_CLASSES}

    def __init__(
        self,
        data_root: str,
        source: str = 'pascal3d+',
        split: str = 'test',
        level: str = CLEAN,
        kind: str | None = None,
        categories: Sequence[str] | None = None,
        allow_missing: bool = False,
        with_masks: bool = False,
        part: str = 'all',
        **kwargs: Any,
    ) -> None:
        check_choice('part', part, PARTS)
        if split != 'train' and part != 'all':
            raise ValueError(
                f"part={part!r} is of the training lists: give split='train'"
            )
        _check_cell(source, split, level, kind, with_masks)
        self.root = expand(data_root) / FOLDERS[source]
        self.source, self.split = source, split
        self.level, self.kind = level, kind
        self.categories = categories
        self.allow_missing = allow_missing
        self.with_masks = with_masks
        self.part = part
        kwargs['classes'] = class_names(kwargs.get('classes'))
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the lists of all categories, and find their images."""
        samples, missing = [], []
        classes = self.metainfo['classes']
        wanted = self.categories
        if wanted is None:
            known = PASCAL3D_CLASSES if self.split == 'train' else VEHICLES
            wanted = [name for name in known if name in classes]
        for category in check_categories(wanted, classes):
            listed = self._list_path(category)
            if self.allow_missing and not listed.is_file():
                missing.append(category)
                continue
            samples += self._load_category(category, listed)
        self._report(samples, missing)
        return samples

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        cell = f'{self.level} {self.kind or ""}'.strip()
        return [
            f'Folder: \t{self.root}',
            f'Split and cell: \t{self.split}, {cell}',
        ]

    def _list_path(self, category: str) -> Path:
        """Return the file that lists the images of one category."""
        if self.source == 'pascal3d+':
            ending = 'train' if self.split == 'train' else 'occ'
            return self.root / f'{category}_imagenet_{ending}.txt'
        level = LEVEL_NAMES[self.level]
        ending = f'_{self.split}' if self.level == CLEAN else ''
        return self.root / f'{category}_{level}{ending}.txt'

    def _image_folder(self, category: str) -> Path:
        """Return the folder with the images of one category."""
        if self.source == 'coco':
            ending = 'zero' if self.level == CLEAN else 'occ'
            return self.root / f'{category}_{ending}'
        if self.split == 'train':
            return self.root / 'TRAINING_DATA' / f'{category}_imagenet'
        suffix = f'_{self.kind}' if self.kind not in (None, 'object') else ''
        level = LEVEL_NAMES[self.level]
        return self.root / f'{category}LEVEL{level}{suffix}'

    def _load_category(self, category: str, listed: Path) -> list[dict]:
        """Return the samples of one category, in the order of its list."""
        names = read_names(
            listed,
            f'{_REMEDY}, name the categories that you have '
            '(categories=[...]), or set allow_missing=True',
        )
        names = take_part(names, self.part, listed)
        ending = '.JPEG' if self.source == 'pascal3d+' else '.jpg'
        files = [f'{self._stem(name, listed)}{ending}' for name in names]
        paths = require_files(
            self._image_folder(category), files, listed, _REMEDY
        )
        shared = {
            'gt_label': self.metainfo['classes'].index(category),
            'category': category,
            'occlusion_level': self.level,
            'occlusion_range': level_range(self.level),
            'occlusion_kind': self.kind,
        }
        samples = [
            {'img_path': path, 'img_id': name, **shared}
            for path, name in zip(paths, names, strict=True)
        ]
        if self.with_masks:
            self._add_masks(samples, category, listed)
        return samples

    def _stem(self, name: str, listed: Path) -> str:
        """Return a file's stem, without the line's last two letters at L0."""
        cell = (self.source, self.split, self.level)
        if cell != ('pascal3d+', 'test', CLEAN):
            return name
        if len(name) < 3:
            raise ValueError(
                f'{listed}: the line {name!r} is too short; L0 images are '
                'named by the line without its last two characters'
            )
        return name[:-2]

    def _add_masks(
        self, samples: list[dict], category: str, listed: Path
    ) -> None:
        """Add the paths of the object masks and of the occluder masks."""

        def require(folder: str, ending: str) -> list[str]:
            files = [f'{sample["img_id"]}{ending}' for sample in samples]
            return require_files(self.root / folder, files, listed, _REMEDY)

        objects = require(_OBJECT_MASKS.format(category), '.png')
        occluders: list = [None] * len(samples)
        if self.level != CLEAN:
            suffix = '_mask_object' if self.kind == 'object' else '_mask'
            folder = f'{category}LEVEL{LEVEL_NAMES[self.level]}{suffix}'
            occluders = require(folder, '.JPEG')
        for index, sample in enumerate(samples):
            sample['object_mask_path'] = objects[index]
            sample['occluder_mask_path'] = occluders[index]

    def _report(self, samples: list[dict], missing: list[str]) -> None:
        """Log what was read, what is missing and what occurs repeatedly."""
        if not samples:
            raise FileNotFoundError(
                f'{self.root}: none of the lists for {", ".join(missing)} '
                f'exists (the first is {self._list_path(missing[0])}); '
                'correct data_root'
            )
        counts = Counter(sample['img_path'] for sample in samples)
        print_log(
            f'OccludedVehicles: {len(samples)} images of {self.source}, '
            f'{self.split}, {self.level} {self.kind or ""}'.rstrip()
            + f'; categories without a list: {len(missing)} '
            f'({", ".join(missing) or "-"}); lines that repeat an image: '
            f'{len(samples) - len(counts)}',
            logger='current',
        )


def _check_cell(
    source: str, split: str, level: str, kind: str | None, with_masks: bool
) -> None:
    """Raise ValueError unless the package has this cell."""
    check_choice('source', source, list(FOLDERS))
    check_choice('split', split, ['train', 'test'])
    check_choice('level', level, list(LEVELS))
    if split == 'train' and level != CLEAN:
        raise ValueError(
            f"split='train' has no level {level!r}: its images are clean "
            "(level='L0'); occlude them with mmocc.BatchOccluder"
        )
    if source == 'pascal3d+' and level != CLEAN:
        check_choice('kind', kind, KINDS)
    elif kind is not None:
        raise ValueError(
            f'kind={kind!r}, but nothing is pasted onto {source} at {level}: '
            'give kind=None'
        )
    if with_masks and (source, split) != ('pascal3d+', 'test'):
        raise ValueError(
            f'no masks for {source}, {split}; give with_masks=False'
        )
