"""The layouts of anomaly detection data, as their sources publish them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmocc.utils.readable import readable_text

GOOD = 'good'
TILE = 'tile'  # the one category of the magnetic tiles
SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')


class AnomalyImage(NamedTuple):
    """An image file, what it shows, its defect's kind or ``good``, its mask.

    ``mask`` is the file of the defect mask, None for a good image.
    """

    path: Path
    category: str
    kind: str
    mask: Path | None


def read_mvtec(
    root: Path, split: str, categories: Sequence[str] | None = None
) -> list[AnomalyImage]:
    """Read the layout of MVTec AD (Bergmann et al., CVPR 2019).

    ``CATEGORY/train/good``, ``CATEGORY/test/KIND``, and masks
    ``CATEGORY/ground_truth/KIND/NAME_mask.png`` or ``NAME.png`` (VisA's
    own conversion). ``categories`` None reads all; FileNotFoundError if a
    folder or a mask does not exist.
    """
    present = sorted(p.parent.name for p in root.glob('*/train') if p.is_dir())
    images = []
    for category in categories or present:
        folder = root / category / split
        kinds = sorted(p for p in folder.glob('*') if p.is_dir())
        if not kinds:
            raise FileNotFoundError(
                f'{folder}: no folder of images, such as {GOOD}, in it; the '
                f'categories of {root} are {", ".join(present) or "none"}'
            )
        for kind in kinds:
            masks = root / category / 'ground_truth' / kind.name
            for path in sorted(kind.iterdir()):
                if path.suffix.lower() in SUFFIXES:
                    good = kind.name == GOOD
                    mask = None if good else _mvtec_mask(masks, path)
                    images.append(
                        AnomalyImage(path, category, kind.name, mask)
                    )
    return _some(images, root, split)


def _mvtec_mask(folder: Path, image: Path) -> Path:
    """Return the mask of a defective image."""
    names = [f'{image.stem}_mask.png', f'{image.stem}.png']
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f'{folder / names[0]}: no such mask, though {image} is in a folder of '
        'defective images; complete ground_truth'
    )


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
        ValueError: A row is incomplete, a category is not listed, or the list
            is no CSV in UTF-8.
    """
    path = root / split_file
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such list; it comes with VisA. Data that prepare_data'
            '.py converted have the layout mvtec'
        )
    images, listed = [], set()
    with (
        readable_text(path),
        path.open(newline='', encoding='utf-8') as file,
    ):
        for number, row in enumerate(csv.DictReader(file), start=2):
            missing = [k for k in _VISA_COLUMNS if not row.get(k)]
            if missing or (row['label'] != 'normal' and not row.get('mask')):
                raise ValueError(
                    f'{path}, line {number}: no {(missing or ["mask"])[0]}; a '
                    f'row has the columns {", ".join(_VISA_COLUMNS)}, mask'
                )
            listed.add(row['object'])
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
    path, mask = root / row['image'], None if good else root / row['mask']
    for file in (path, mask):
        if file and not file.is_file():
            raise FileNotFoundError(
                f'{file}: no such file, though {where} names it; complete '
                'the data set'
            )
    kind = GOOD if good else row['label']
    return AnomalyImage(path, row['object'], kind, mask)


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
    if not 0 <= train_share <= 1:
        raise ValueError(f'train_share is {train_share}; it is 0 to 1')
    if set(categories or ()) - {TILE}:
        raise ValueError(f'categories is {categories}; there is only {TILE!r}')
    folders = sorted(root.glob('MT_*'))
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
        pictures = (folder / 'Imgs').glob('*.jpg')
        for number, path in enumerate(sorted(pictures)):
            training = int((number + 1) * share) > int(number * share)
            if training != (split == 'train'):
                continue
            mask = None if kind == GOOD else path.with_suffix('.png')
            if mask and not mask.is_file():
                raise FileNotFoundError(f'{mask}: no such mask of {path.name}')
            images.append(AnomalyImage(path, TILE, kind, mask))
    return _some(images, root, split)


def _some(
    images: list[AnomalyImage], root: Path, split: str
) -> list[AnomalyImage]:
    """Refuse a split without images."""
    if not images:
        raise FileNotFoundError(f'{root}: no images of the split {split!r}')
    return images


LAYOUTS: dict[str, Callable[..., list[AnomalyImage]]] = {
    'mvtec': read_mvtec,
    'visa': read_visa,
    'magnetic_tile': read_magnetic_tile,
}
