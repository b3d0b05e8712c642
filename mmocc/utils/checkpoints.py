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
from mmengine.optim.scheduler import OneCycleParamScheduler
from mmengine.runner import find_latest_checkpoint

from mmocc.utils.plain_pickle import NUMPY_CALLS


def latest_checkpoint(folder: str | Path) -> str | None:
    """Return the checkpoint to resume from, or None if there is none yet.

    If ``last_checkpoint`` is empty (a crash), it is the newest whole one.
    """
    path = find_latest_checkpoint(str(folder))
    if path != '':
        return path
    path = newest_whole_checkpoint(folder)
    plan = f'resuming from {path}' if path else 'starting from the beginning'
    warnings.warn(
        f'{Path(folder, "last_checkpoint")} is empty, perhaps after a crash: '
        f'{plan}',
        stacklevel=2,
    )
    return path


def newest_whole_checkpoint(folder: str | Path) -> str | None:
    """Return the newest ``epoch_*`` or ``iter_*.pth`` that is not damaged.

    Nothing is unpickled: the parts of the zip file have checksums.
    """
    by_age = []
    for path in Path(folder).glob('*.pth'):
        name = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
        if name and path.is_file():
            # Copies may have been made in any order within a second.
            age = int(path.stat().st_mtime), int(name[1])
            by_age.append((age, path))
    for _, path in sorted(by_age, reverse=True):
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

    Args:
        path: Path or URL of a checkpoint, or None.
        named_by: How the user names another one.
        trained_by: The config whose training makes it, if there is one.
        trust: Whether it, and all that is loaded later, may run code.
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


class _HistoryBuffer:
    """Stands for mmengine's log of a number."""

    attributes = ('min', 'max', 'mean', 'current')

    def __setstate__(self, state: dict) -> None:
        """Take any state: it is of values that were checked."""


class _OneCycle:
    """Stands for mmengine's scheduler that saves one of its functions."""

    attributes = ('_annealing_cos', '_annealing_linear')


def _getattr(owner: type, name: str) -> str:
    """Stand for the builtin of this name, by which methods are pickled."""
    if name not in getattr(owner, 'attributes', ()):
        raise UnpicklingError(f'GLOBAL builtins.getattr of {name}')
    return name


_STAND_INS = {
    **{'.'.join(key): call for key, call in NUMPY_CALLS.items()},
    'builtins.getattr': _getattr,
    'builtins.slice': slice,
    'mmengine.logging.history_buffer.HistoryBuffer': _HistoryBuffer,
    f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler': _OneCycle,
}


def refuse_pickled_code(path: str | None) -> None:
    """Exit if a local checkpoint is damaged or holds more than plain values.

    mmengine loads a checkpoint without running code, but if that fails, in
    full: this forbids it for all that is loaded later. The file is then read
    with stand-ins for the classes that mmengine and NumPy save. An mmengine
    before ``get_torch_safe_globals`` would refuse its own files: nothing is
    refused.
    """
    try:
        from mmengine.runner.checkpoint import (
            get_torch_safe_globals,  # noqa: F401
        )
    except ImportError:
        return
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'  # torch.load obeys it
    if path and Path(path).suffix == '.safetensors':
        return  # a format that cannot hold code
    # mmengine's own list lacks this class, of which it saves a function. While
    # the guard reads, a stand-in has its name.
    known = [*torch.serialization.get_safe_globals()]
    known = [one for one in known if one is not OneCycleParamScheduler]
    try:
        if path and Path(path).is_file():
            _read_with_stand_ins(path, known)
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals([*known, OneCycleParamScheduler])


def _read_with_stand_ins(path: str, known: list) -> None:
    """Exit if a checkpoint holds more than plain values, or is damaged."""
    stand_ins = [(call, name) for name, call in _STAND_INS.items()]
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals([*known, *stand_ins]):
            torch.load(path, map_location='meta', weights_only=True)
    except UnpicklingError as error:
        name = re.search(r'(?:GLOBAL|global) ([\w.]+)', str(error))
        sys.exit(
            f'Checkpoint {path} holds {name[1] if name else "something"}, '
            'which is neither a weight nor a plain value: loading it may run '
            'any code. If you know who made it, add --trust-checkpoint.'
        )
    except Exception as error:  # a broken pickle raises anything
        reason = str(error).partition('\n')[0] or 'it ends too early'
        sys.exit(f'Checkpoint {path} cannot be read: {reason}')
