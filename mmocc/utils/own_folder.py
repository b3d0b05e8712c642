"""Folders that a tool makes: in one piece, or file by file.

A small set appears in one piece, its manifest last. A large set grows file by
file in a folder that the tool claims, and goes on after a stop.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mmocc.utils.files import fit_name, is_hidden, read_json
from mmocc.utils.whole_files import SUFFIX, write_whole

Result = TypeVar('Result')
FileFacts = dict[str, list]  # length and SHA-256 of files, by name

MANIFEST = 'manifest.json'
SUMS = 'SHA256SUMS'


def make_folder(
    out: Path,
    fill: Callable[[Path], Result],
    is_own: Callable[[Path], object],
    force: bool = False,
) -> Result:
    """Make a folder under a temporary name, then rename it.

    Args:
        out: Where it must be.
        fill: Makes and fills the folder of the given path.
        is_own: Tells whether the tool made a folder, which is then replaced.
        force: Replace whatever is there.

    Returns:
        The result of ``fill``.

    Raises:
        FileExistsError: ``out`` holds something that the tool did not make.
    """
    if not force and not _is_free(out) and not is_own(out):
        raise FileExistsError(
            f'{out} is there and was not made by this tool; choose another '
            '--out, or replace it with --force'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    ending = f'.partial-{os.getpid()}'
    partial = out.with_name(fit_name(f'.{out.name}', ending))
    _remove(partial)
    try:
        result = fill(partial)
        _remove(out)
        partial.rename(out)
    finally:
        _remove(partial)
    return result


def _is_free(out: Path) -> bool:
    """Return whether nothing is at a path, or only an empty folder."""
    return not out.exists() or (out.is_dir() and not any(out.iterdir()))


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_manifest(
    folder: Path, generator: str, settings: dict, **facts: Any
) -> dict:
    """Write the manifest of a complete folder, and return it.

    ``generator`` is the tool and, after a comma, the version of its format.
    """
    manifest = dict(generator=generator, settings=settings, **facts)
    manifest['files'] = _count_files(folder)
    text = json.dumps(manifest, indent=2) + '\n'
    (folder / MANIFEST).write_text(text, encoding='utf-8')
    return manifest


def read_manifest(folder: Path, generator: str) -> dict:
    """Return the manifest that a tool wrote, in any version; {} for none."""
    try:
        manifest = read_json(folder / MANIFEST)
        name = str(manifest['generator'])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return manifest if name.startswith(generator.split(',')[0]) else {}


def is_current(folder: Path, generator: str, settings: dict) -> bool:
    """Return whether a folder already holds these settings' data, whole."""
    manifest = read_manifest(folder, generator)
    if manifest.get('generator') != generator:
        return False
    same = manifest.get('settings') == json.loads(json.dumps(settings))
    return same and _count_files(folder) == manifest.get('files')


def _count_files(folder: Path) -> int:
    """Return the number of data files, without manifest and hidden names."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return sum(p.name != MANIFEST and not is_hidden(p.name) for p in files)


def claim(out: Path, document: dict) -> None:
    """Write what a folder is for to its settings file, or compare it.

    FileExistsError, which says what differs, if it is for something else.
    """
    path = out / 'settings.json'
    if not path.is_file():
        if not _is_free(out):
            raise FileExistsError(
                f'{out} is there and was not made by this tool; choose '
                'another --out'
            )
        data = json.dumps(document, indent=2).encode() + b'\n'
        write_files(out, {path.name: data})
        return
    earlier = read_json(path)
    if earlier == document:
        return
    old, new = (dict(d, **d['settings']) for d in (earlier, document))
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    differences = ', '.join(
        key
        if 'bank' in key
        else f'{key} ({old.get(key)!r}, now {new.get(key)!r})'
        for key in keys
        if key != 'settings'
    )
    raise FileExistsError(
        f'{out} was made with other settings: {differences}; choose another '
        '--out, or remove it'
    )


def write_files(folder: Path, files: dict[str, bytes]) -> FileFacts:
    """Write files below a folder, each whole; return their facts."""
    facts = {}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(data, path, sync=False)
        facts[name] = [len(data), hashlib.sha256(data).hexdigest()]
    return facts


def are_there(folder: Path, files: FileFacts) -> bool:
    """Return whether files of these lengths, thus whole ones, are there."""
    try:
        return all(
            (folder / name).stat().st_size == length
            for name, (length, _) in files.items()
        )
    except OSError:
        return False


def remove_parts(folder: Path) -> None:
    """Remove the half-written files of interrupted runs."""
    for path in folder.rglob(f'*{SUFFIX}'):
        with suppress(FileNotFoundError):
            path.unlink()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
