"""Which checkpoints are whole, and which of them may be loaded."""

import os
import re
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from zipfile import BadZipFile, ZipFile

import torch
from mmengine.runner import find_latest_checkpoint


def latest_checkpoint(folder: str | Path) -> str | None:
    """Return the checkpoint to resume from, or None if there is none yet.

    The one that ``last_checkpoint`` names; where a crash left that file
    empty, the newest that is whole, with a warning.
    """
    path = find_latest_checkpoint(str(folder))
    if path != '':
        return path
    path = newest_whole_checkpoint(folder)
    warnings.warn(
        f'{Path(folder, "last_checkpoint")} is empty, as a crash may leave '
        f'it: {f"resuming from {path}" if path else "starting anew"}',
        stacklevel=2,
    )
    return path


def newest_whole_checkpoint(folder: str | Path) -> str | None:
    """Return the newest of a folder's checkpoints that is not damaged.

    Only ``epoch_*.pth`` and ``iter_*.pth`` count. Nothing is unpickled: a
    checkpoint is a zip file, with a checksum for each part of it.
    """
    found = []
    for path in Path(folder).glob('*.pth'):
        named = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
        if named and path.is_file():
            # Copies may have been made in any order within a second.
            age = int(path.stat().st_mtime), int(named[1])
            found.append((age, path))
    for _, path in sorted(found, reverse=True):
        with suppress(OSError, BadZipFile), ZipFile(path) as file:
            if file.testzip() is None:
                return str(path)
    return None


def check_checkpoint(
    path: str | None,
    named_by: str,
    trained_by: str | None = None,
    trust: bool = False,
) -> None:
    """Exit with one line if a checkpoint is missing or holds code.

    Unless it is trusted, nothing that this process loads later may hold code
    either, such as what a URL or an ``init_cfg`` names.

    Args:
        path: Path or URL of a checkpoint, or None.
        named_by: How the user names another one.
        trained_by: The config whose training makes it, if there is one.
        trust: Whether a checkpoint may run code while it is loaded.
    """
    if not trust:
        refuse_pickled_code(path)
    if not path or '://' in path or Path(path).exists():
        return
    make = f'make it with "python tools/train.py {trained_by}", or '
    sys.exit(
        f'Checkpoint {path} does not exist: {make if trained_by else ""}'
        f'name another one with "{named_by}".'
    )


def refuse_pickled_code(path: str | None) -> None:
    """Exit if a local checkpoint is damaged or holds more than plain values.

    A checkpoint is a pickle, which can run any code. mmengine reads it without
    running any, but where that fails it reads it in full. Where mmengine does
    not know the former (before its ``get_torch_safe_globals``), all that it
    stores itself would be refused, so nothing is.
    """
    try:
        from mmengine.runner.checkpoint import get_torch_safe_globals
    except ImportError:
        return
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'  # torch.load obeys it
    if not path or not Path(path).is_file():
        return
    try:
        with torch.serialization.safe_globals(get_torch_safe_globals()):
            torch.load(path, map_location='meta', weights_only=True)
    except UnpicklingError as error:
        asks = re.search(r'(?:GLOBAL|global) ([\w.]+)', str(error))
        sys.exit(
            f'Checkpoint {path} holds {asks[1] if asks else "something"}, '
            'which is neither a weight nor a plain value: loading it may run '
            'any code. If you know who made it, add --trust-checkpoint.'
        )
    except (EOFError, RuntimeError) as error:
        first = str(error).partition('\n')[0] or 'it ends too early'
        sys.exit(f'Checkpoint {path} cannot be read: {first}')
