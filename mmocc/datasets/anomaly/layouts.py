"""The layouts of anomaly detection data, as their sources publish them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmocc.utils.files import (
    expand,
    list_folders,
    list_images,
    open_text,
)

GOOD, BAD = 'good', 'bad'
TILE = 'tile'  # the one category of the magnetic tiles
_TILE_SUFFIXES = ('.jpg', '.jpeg')  # of their photos; masks are .png
_OK = (GOOD, 'ok')  # folders of good images; the second is BTAD's


class AnomalyImage(NamedTuple):
    """An image file, what it shows, its defect's kind or ``good``, its masks.

    ``masks`` are files that together mark the defects; a good image has none.
    """

    path: Path
    category: str
    kind: str
    masks: tuple[Path, ...] = ()


def read_mvtec(
    root: Path, split: str, categories: Sequence[str] | None = None
) -> list[AnomalyImage]:
    """Read the layout of MVTec AD, MVTec LOCO AD, BTAD and others like them.

    ``CATEGORY/SPLIT/KIND``, good images in the kind ``good`` or ``ok``. In
    ``CATEGORY/ground_truth/KIND`` the masks of ``NAME.png`` are
    ``NAME_mask.png`` (MVTec AD: Bergmann et al., CVPR 2019), ``NAME`` with the
    ending of any picture (BTAD: Mishra et al., ISIE 2021; VisA's own
    conversion), or all in the folder ``NAME`` (MVTec LOCO AD: Bergmann et al.,
    IJCV 2022). ``categories`` None reads all.

    Raises:
        FileNotFoundError: A folder or a mask does not exist.
        ValueError: Images have masks of several of these forms.
    """
    present = [p.name for p in list_folders(root) if (p / 'train').is_dir()]
    images = []
    for category in categories or present:
        folder = root / category / split
        kinds = list_folders(folder)
        if not kinds:
            raise FileNotFoundError(
                f'{folder}: no folder of images, such as {GOOD}, in it; the '
                f'categories of {root} are {", ".join(present) or "none"}'
            )
        for kind in kinds:
            good = kind.name in _OK
            find = _MaskFinder(root / category / 'ground_truth' / kind.name)
            images += [
                AnomalyImage(path, category, GOOD)
                if good
                else AnomalyImage(path, category, kind.name, find(path))
                for path in list_images(kind)
            ]
    return _some(images, root, split)


class _MaskFinder:
    """Finds the masks of defective images in a folder, listed once."""

    def __init__(self, folder: Path, optional: bool = False) -> None:
        self.folder, self.optional = folder, optional
        self.masks: dict[str, list[Path]] = {}
        for path in list_images(folder, deep=True):
            alone = path.parent == folder
            name = path.stem.removesuffix('_mask')
            name = name if alone else path.relative_to(folder).parts[0]
            self.masks.setdefault(name, []).append(path)

    def __call__(self, image: Path) -> tuple[Path, ...]:
        """Return the masks of an image."""
        masks = self.masks.get(image.stem, [])
        if not masks and not self.optional:
            raise FileNotFoundError(
                f'{self.folder / image.stem}_mask.png: no such mask, nor '
                f'{image.stem} with the ending of a picture or a folder of '
                f'this name, though {image} is in a folder of defective '
                'images; complete ground_truth'
            )
        alone = [path for path in masks if path.parent == self.folder]
        if alone and len(masks) > 1:
            raise ValueError(
                f'{masks[0]} and {masks[1]} are both the mask of {image}; '
                'remove one of them'
            )
        return tuple(masks)


def read_visa(
    root: Path,
    split: str,
    categories: Sequence[str] | None = None,
    split_file: str = 'split_csv/1cls.csv',
) -> list[AnomalyImage]:
    """Read the layout of VisA (Zou et al., ECCV 2022) as it is downloaded.

    ``CATEGORY/Data/Images/{Normal,Anomaly}``, ``CATEGORY/Data/Masks/Anomaly``
    and a list ``split_file`` with the columns object, split, label, image and
    mask. ``categories`` None reads all.

    Raises:
        FileNotFoundError: The list, or a file in it, does not exist.
        ValueError: A row is incomplete or names an image again, a category is
            not listed, or the list is no CSV in UTF-8.
    """
    path = root / expand(split_file)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such list; it comes with VisA. Data that prepare_data'
            '.py converted have the layout mvtec'
        )
    images, listed = [], set()
    lines: dict[str, int] = {}  # of the images
    with open_text(path) as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            missing = [k for k in _VISA_COLUMNS if not row.get(k)]
            if missing or (row['label'] != 'normal' and not row.get('mask')):
                raise ValueError(
                    f'{path}, line {number}: no {(missing or ["mask"])[0]}; a '
                    f'row has the columns {", ".join(_VISA_COLUMNS)}, mask'
                )
            listed.add(row['object'])
            first = lines.setdefault(row['image'], number)
            if first != number:
                raise ValueError(
                    f'{path}: {row["image"]!r} is in line {first} and again '
                    f'in line {number}; remove one of them'
                )
            if row['split'] != split:
                continue
            if categories is None or row['object'] in categories:
                images.append(_visa_image(root, row, f'{path}, line {number}'))
    unknown = [name for name in categories or () if name not in listed]
    if unknown:
        raise ValueError(
            f'{path}: no category {unknown[0]!r}; it lists '
            f'{", ".join(sorted(listed))}'
        )
    return _some(images, root, split)


_VISA_COLUMNS = ('object', 'split', 'label', 'image')


def _visa_image(root: Path, row: dict[str, str], where: str) -> AnomalyImage:
    """Return the image of a row."""
    good = row['label'] == 'normal'
    path = root / row['image']
    masks = () if good else (root / row['mask'],)
    for file in (path, *masks):
        if not file.is_file():
            raise FileNotFoundError(
                f'{file}: no such file, though {where} names it; complete '
                'the data set'
            )
    kind = GOOD if good else row['label']
    return AnomalyImage(path, row['object'], kind, masks)


def read_magnetic_tile(
    root: Path,
    split: str,
    categories: Sequence[str] | None = None,
    train_share: float = 0.5,
    train_kinds: Sequence[str] = (GOOD,),
) -> list[AnomalyImage]:
    """Read magnetic tiles (Huang, Qiu, Yuan, The Visual Computer 2020).

    ``MT_KIND/Imgs/NAME.jpg`` with the mask ``NAME.png``; ``MT_Free`` is good.
    The data have no splits: of each kind in ``train_kinds``, evenly spread
    images are for training, and all others for the test.

    Args:
        root: Folder of the kinds.
        split: ``train`` or ``test``.
        categories: ``tile`` at most, which all images show.
        train_share: Share of a kind that is for training, 0 to 1.
        train_kinds: Kinds for training: ``good``, ``Blowhole``, ...

    Raises:
        FileNotFoundError: There are no such folders, or a mask is missing.
        ValueError: An argument has an impossible value.
    """
    if split not in ('train', 'test'):
        raise ValueError(f'split is {split!r}; there are train and test')
    if not 0 <= train_share <= 1:
        raise ValueError(f'train_share is {train_share}; it is 0 to 1')
    if set(categories or ()) - {TILE}:
        raise ValueError(f'categories is {categories}; there is only {TILE!r}')
    folders = [p for p in list_folders(root) if p.name.startswith('MT_')]
    kinds = {path.name.removeprefix('MT_'): path for path in folders}
    kinds = {GOOD if k == 'Free' else k: path for k, path in kinds.items()}
    unknown = [kind for kind in train_kinds if kind not in kinds]
    if unknown:
        raise FileNotFoundError(
            f'{root}: no images of the kind {unknown[0]!r}; there are '
            f'{", ".join(kinds) or "no folders MT_KIND"}'
        )
    images = []
    for kind, folder in kinds.items():
        share = train_share if kind in train_kinds else 0
        pictures = list_images(folder / 'Imgs')
        photos = [p for p in pictures if p.suffix.lower() in _TILE_SUFFIXES]
        for number, path in enumerate(photos):
            if spread_out(number, share) != (split == 'train'):
                continue
            masks = () if kind == GOOD else (path.with_suffix('.png'),)
            if masks and masks[0] not in pictures:
                raise FileNotFoundError(
                    f'{masks[0]}: no such mask of {path.name}'
                )
            images.append(AnomalyImage(path, TILE, kind, masks))
    return _some(images, root, split)


def read_folder(
    root: Path,
    split: str,
    categories: Sequence[str] | None = None,
    train_share: float = 0.7,
) -> list[AnomalyImage]:
    """Read a folder of your own: ``good``, ``bad`` and masks, if any.

    The category is the name of the folder. ``bad`` holds images (their kind
    is ``bad``), or a folder for each kind of defect. Masks are in ``masks``,
    as ``bad`` is laid out: ``masks/NAME.png`` or ``masks/KIND/NAME.png``, also
    with ``_mask`` after the name. Defective images without a mask are
    defective all over, and do not count where pixels are judged.

    Args:
        root: The folder.
        split: ``train`` or ``test``.
        categories: The folder's name at most.
        train_share: Share of the good images, evenly spread, for training;
            the others and all bad ones are for the test.

    Raises:
        FileNotFoundError: There is no ``good``, or it is empty.
        ValueError: An argument has an impossible value, or a mask is there
            twice.
    """
    if split not in ('train', 'test'):
        raise ValueError(f'split is {split!r}; there are train and test')
    if not 0 < train_share <= 1:
        raise ValueError(f'train_share is {train_share}; it is above 0, to 1')
    name = root.resolve().name
    if set(categories or ()) - {name}:
        raise ValueError(f'categories is {categories}; there is only {name!r}')
    good = next((root / ok for ok in _OK if (root / ok).is_dir()), root / GOOD)
    photos = list_images(good)
    if not photos:
        raise FileNotFoundError(
            f'{good}: no images; put photos of good parts there, and those of '
            f'defective ones into {root / BAD}'
        )
    images = [
        AnomalyImage(path, name, GOOD)
        for number, path in enumerate(photos)
        if spread_out(number, train_share) == (split == 'train')
    ]
    if split == 'test':
        for folder in (root / BAD, *list_folders(root / BAD)):
            own = folder.relative_to(root / BAD)
            find = _MaskFinder(root / 'masks' / own, optional=True)
            images += [
                AnomalyImage(path, name, folder.name, find(path))
                for path in list_images(folder)
            ]
    return _some(images, root, split)


def spread_out(number: int, share: float) -> bool:
    """Return whether an item is in a share of all, evenly spread."""
    return int((number + 1) * share) > int(number * share)


def _some(
    images: list[AnomalyImage], root: Path, split: str
) -> list[AnomalyImage]:
    """Refuse a split without images."""
    if not images:
        raise FileNotFoundError(f'{root}: no images of the split {split!r}')
    return images


LAYOUTS: dict[str, Callable[..., list[AnomalyImage]]] = {
    'mvtec': read_mvtec,
    'mvtec_loco': read_mvtec,
    'btad': read_mvtec,
    'visa': read_visa,
    'magnetic_tile': read_magnetic_tile,
    'folder': read_folder,
}
