"""Reads the COCO layout: one JSON file for all images (no OpenMMLab)."""

from collections import Counter
from pathlib import Path, PurePosixPath

from mmocc.utils.files import read_json, some

_ID = int | float | str


def read_coco(path: Path) -> dict:
    """Return a COCO document.

    FileNotFoundError without the file; ValueError if it is not JSON or lacks
    parts, ids or names, or if two entries of a part share an id.
    """
    document = read_json(path)
    required = dict(
        images=('id', 'file_name'),
        annotations=('id', 'image_id', 'category_id'),
        categories=('id', 'name'),
    )
    for part, keys in required.items():
        rows = document.get(part) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f'{path}: not a COCO file, it has no {part!r}')
        for row in rows:
            values = row if isinstance(row, dict) else {}
            lacking = [k for k in keys if not isinstance(values.get(k), _ID)]
            if lacking:
                raise ValueError(
                    f'{path}: an entry of {part!r} has no {lacking[0]!r}, a '
                    f'number or a text: {str(row)[:200]}'
                )
            if not isinstance(values.get('file_name', ''), str):
                raise ValueError(
                    f'{path}: the file_name {values["file_name"]} is not text'
                )
    for part in required:
        counts = Counter(str(row['id']) for row in document[part])
        repeated = [key for key, number in counts.items() if number > 1]
        if repeated:
            raise ValueError(
                f'{path}: two {part} have the same id: {some(repeated)}'
            )
    return document


def locate_photo(images: Path, file_name: str) -> Path:
    """Return the path of a ``file_name`` below a folder.

    Tools for Windows write backslashes; on other systems they are read as
    slashes, unless a file has exactly this name.
    """
    path = images / file_name
    if '\\' in file_name and not path.is_file():
        path = images / file_name.replace('\\', '/')
    return path


def backslash_hint(file_name: str) -> str:
    """Return what to add to the message of a missing photo, or nothing."""
    if '\\' not in file_name:
        return ''
    return (
        f'; its file_name {file_name!r} has backslashes, which were read as '
        'slashes: correct it in the JSON file'
    )


def photo_stem(file_name: str, ann_file: Path) -> str:
    """Return an image's name without ending; refuse one that leads away."""
    path = PurePosixPath(file_name.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts or not path.name:
        raise ValueError(
            f'{ann_file}: file_name {file_name!r} leads out of the image '
            'folder'
        )
    return str(path.with_suffix(''))
