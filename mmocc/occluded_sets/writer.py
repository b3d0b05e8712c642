"""Occludes all images of a set, in several processes, and goes on after stops.

The bytes depend on the source and the settings alone: an image's occlusions on
(seed, its place in the set, kind, level), whatever the number of processes.
"""

import contextlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from mmocc.occluded_sets.images import ImageMaker, read_record
from mmocc.occluded_sets.manifest import GENERATOR, write_manifest
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.sources import (
    PART,
    SetItem,
    Source,
    write_whole,
)

SETTINGS = 'settings.json'
CHUNK = 8  # images that a process is handed at once

Failures = dict[str, str]
Progress = Callable[[Iterable, int], Iterator]


class CorruptImagesError(ValueError):
    """Some images of the set could not be occluded; names them all."""


def write_occluded(
    source: Source,
    settings: OccludedSettings,
    out: Path,
    workers: int = 1,
    skip_corrupt: bool = False,
    progress: Progress = lambda results, total: iter(results),
) -> dict:
    """Make an occluded set, or what is missing of one.

    Args:
        source: The set to occlude.
        settings: What to make.
        out: Folder to write to: new, or of an earlier run.
        workers: Number of processes.
        skip_corrupt: Leave images out that cannot be read or whose
            annotations do not fit, and list them in the manifest.
        progress: Wraps what comes in image by image, of a known number.

    Returns:
        The manifest.

    Raises:
        FileExistsError: ``out`` holds something else, or other settings.
        CorruptImagesError: Images are damaged; all others are done.
    """
    if workers < 1:
        raise ValueError(f'workers is {workers}; use 1 process or more')
    items = source.items()[: settings.limit]
    names = [item.name for item in items]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f'several images of the set are called {twice[0]!r}, without '
            'their ending; give them different names'
        )
    settings.make_bank()  # fails now rather than in each process
    document = dict(
        generator=GENERATOR,
        layout=source.layout,
        part=source.title,
        settings=settings.as_json(),
    )
    claim(out, document)
    fingerprint = json.dumps(document, sort_keys=True)
    failures: Failures = {}
    job = (source, settings, out, fingerprint)
    results = _run(job, items, workers)
    for name, error in progress(results, len(items)):
        if error:
            failures[name] = error
    _sweep(out)
    failures = {name: failures[name] for name in names if name in failures}
    if failures and (not skip_corrupt or len(failures) == len(items)):
        listed = '\n'.join(f'  {error}' for error in failures.values())
        raise CorruptImagesError(
            f'{len(failures)} of {len(items)} images cannot be used:\n'
            f'{listed}\nMend them and start again: what is done is kept. Or '
            'leave them out, with --skip-corrupt.'
        )
    done = [name for name in names if name not in failures]
    return write_manifest(
        out,
        source,
        settings,
        document,
        lambda: (read_record(out, name) for name in done),
        failures,
    )


def claim(out: Path, document: dict) -> None:
    """Note what a folder is for, or check that it is for the same.

    Raises:
        FileExistsError: It is for something else; says what differs.
    """
    path = out / SETTINGS
    if not path.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(
                f'{out} is there and was not made by this tool; choose '
                'another --out'
            )
        data = json.dumps(document, indent=2).encode() + b'\n'
        write_whole(path, data)
        return
    found = json.loads(path.read_bytes())
    if found == document:
        return
    old, new = (dict(d, **d.pop('settings')) for d in (found, dict(document)))
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    told = ', '.join(
        key
        if 'bank' in key
        else f'{key} ({old.get(key)!r}, now {new.get(key)!r})'
        for key in keys
    )
    raise FileExistsError(
        f'{out} was made with other settings: {told}; choose another --out, '
        'or remove it'
    )


def _run(
    job: tuple, items: list[SetItem], workers: int
) -> Iterator[tuple[str, str | None]]:
    """Yield each image's name, and its error if there is one."""
    numbered = list(enumerate(items))
    if workers == 1:
        maker = ImageMaker(*job)
        yield from (_make(maker, *pair) for pair in numbered)
        return
    chunks = [numbered[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    methods = multiprocessing.get_all_start_methods()
    # Not a fork of this process, whose torch may run threads.
    method = 'forkserver' if 'forkserver' in methods else 'spawn'
    context = multiprocessing.get_context(method)
    if method == 'forkserver':
        context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(workers, context, _start, job)
    try:
        for future in as_completed([pool.submit(_work, c) for c in chunks]):
            yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_maker: ImageMaker | None = None  # of this process


def _start(*job) -> None:
    """Prepare a process."""
    global _maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops us
    torch.set_num_threads(1)
    _maker = ImageMaker(*job)


def _work(
    chunk: list[tuple[int, SetItem]],
) -> list[tuple[str, str | None]]:
    """Make some images in a process of their own."""
    return [_make(_maker, *pair) for pair in chunk]


def _make(
    maker: ImageMaker, index: int, item: SetItem
) -> tuple[str, str | None]:
    """Make one image; return its name and what is wrong with it."""
    try:
        maker.make(index, item)
    except (ValueError, FileNotFoundError) as error:
        message = str(error)
        return item.name, (
            message if item.name in message else f'{item.path}: {message}'
        )
    return item.name, None


def _sweep(out: Path) -> None:
    """Remove what interrupted runs left half written."""
    for path in out.rglob(f'.*{PART}'):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
