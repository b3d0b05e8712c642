"""Folders of images, as data sets: with labels by folder, by CSV, or none."""

import csv
from collections.abc import Mapping
from pathlib import Path

from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder

from mmocc.utils import files

NO_LABEL = -1  # of an image in a flat folder
COLUMNS = ('path', 'label')
Labels = str | Path | Mapping[str, int | str]


class FlatFolder(Dataset):
    """Images of one folder, without labels.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self.samples = [
            (str(path), NO_LABEL) for path in files.list_images(root)
        ]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.samples)


class LabelledFiles(FlatFolder):
    """Images below a folder, with labels from a table.

    Args:
        root: The folder.
        labels: A CSV file whose first line names the columns ``path`` and
            ``label``, or a dict. Paths are below the folder, or below that of
            the CSV file. Labels are the numbers of the models' outputs, or
            names of classes.

    Attributes:
        classes: Names of the classes, sorted; None where labels are numbers.

    Raises:
        FileNotFoundError: If the table or an image does not exist.
        ValueError: If the table has other columns, no image, or an image
            twice.
    """

    def __init__(self, root: str | Path, labels: Labels) -> None:
        self.root = str(root)
        places = [Path(root)]
        named = 'labels='
        if isinstance(labels, str | Path):
            named = str(labels)
            places.append(files.expand(labels).parent)
            labels = read_labels(labels)
        if not labels:
            raise ValueError(f'{named} names no image')
        words = {path: str(label).strip() for path, label in labels.items()}
        self.classes: list[str] | None = None
        numbers = {word: int(word) for word in words.values() if _digits(word)}
        if len(numbers) < len(set(words.values())):
            self.classes = sorted(set(words.values()))
            numbers = {word: n for n, word in enumerate(self.classes)}
        paths = _existing(list(words), places, named)
        self.samples = [
            (path, numbers[word])
            for path, word in zip(paths, words.values(), strict=True)
        ]
        _note_others(root, paths, named)


def read_labels(path: str | Path) -> dict[str, str]:
    """Return the labels of a CSV file with ``path`` and ``label``, by path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing or empty, or a path is there twice.
    """
    labels: dict[str, str] = {}
    with files.open_text(path) as file:
        reader = csv.DictReader(file)
        heads = reader.fieldnames or ()
        if missing := [name for name in COLUMNS if name not in heads]:
            raise ValueError(
                f'{path}: no column {" and ".join(missing)}; its first line '
                f'must name the columns path and label, got {list(heads)}'
            )
        for row in reader:
            name, label = row['path'], (row['label'] or '').strip()
            if not name or not label:
                raise ValueError(
                    f'{path}, line {reader.line_num}: path or label is empty'
                )
            if name in labels:
                raise ValueError(
                    f'{path}, line {reader.line_num}: {name} is in it twice'
                )
            labels[name] = label
    return labels


def _digits(word: str) -> bool:
    """Return whether a label is a whole number of at least 0."""
    return word.isascii() and word.isdigit()


def _existing(names: list[str], places: list[Path], named: str) -> list[str]:
    """Return the paths of named images, in the first place that has each."""
    paths, missing = [], []
    for name in names:
        options = (place / name for place in places)
        path = next((path for path in options if path.is_file()), None)
        paths.append(str(path))
        missing += [name] if path is None else []
    if missing:
        raise FileNotFoundError(
            f'{named}: {len(missing)} of {len(names)} images do not exist in '
            f'{" or ".join(dict.fromkeys(map(str, places)))}, the first is '
            f'{missing[0]}; paths must be relative to the folder of images'
        )
    return paths


def _note_others(root: str | Path, paths: list[str], named: str) -> None:
    """Say how many images of a folder have no label and are left out."""
    listed = {Path(path).resolve() for path in paths}
    images = files.list_images(root, deep=True)
    others = [path for path in images if path.resolve() not in listed]
    if others:
        files.note(
            f'{root}: {len(others)} image(s) that {named} does not name are '
            f'left out: {files.some(path.name for path in others)}'
        )


def open_folder(folder: str | Path, labels: Labels | None = None) -> Dataset:
    """Return the images of a folder, with labels if it has folders in it.

    ``labels`` are as in :class:`LabelledFiles`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no image, or images beside folders of images.
    """
    root = files.expand(folder)
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root} is not a folder; dataset= takes a folder of images, or '
            'of a folder of images for each class'
        )
    if labels is not None:
        return LabelledFiles(root, labels)
    flat = files.list_images(root)
    deep = files.list_images(root, deep=True)
    if not deep:
        raise ValueError(
            f'{root} holds no image ({", ".join(files.IMAGE_SUFFIXES)})'
        )
    if len(flat) == len(deep):
        return FlatFolder(root)
    if flat:
        raise ValueError(
            f'{root} holds {len(flat)} images (the first is {flat[0].name}) '
            'beside folders of images; move them into the folder of their '
            'class, or name a folder without sub-folders'
        )
    return ImageFolder(str(root), is_valid_file=files.is_image)
