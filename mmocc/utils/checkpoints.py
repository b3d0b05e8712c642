"""Which checkpoints are whole, and which of them may be loaded."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from mmocc.utils.hosts import usable
from mmocc.utils.plain_pickle import NUMPY_CALLS


def latest_checkpoint(folder: str | Path) -> str | None:
    """Return the checkpoint to resume from, or None if there is none yet.

    If ``last_checkpoint`` is empty (a crash), it is the newest whole one.
    """
    from mmengine.runner import find_latest_checkpoint

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


# mmengine's scheduler that saves a function; its own list lacks the class.
_SCHEDULERS = 'mmengine.optim.scheduler.param_scheduler'
_STAND_INS = {
    **{'.'.join(key): call for key, call in NUMPY_CALLS.items()},
    'builtins.getattr': _getattr,
    'builtins.slice': slice,
    'mmengine.logging.history_buffer.HistoryBuffer': _HistoryBuffer,
    f'{_SCHEDULERS}.OneCycleParamScheduler': _OneCycle,
}


def refuse_pickled_code(path: str | None) -> None:
    """Exit if a local checkpoint is damaged or holds more than plain values.

    mmengine loads a checkpoint without running code, but if that fails, in
    full: this forbids it for all that is loaded later. The file is then read
    with stand-ins for the classes that mmengine and NumPy save. An mmengine
    before ``get_torch_safe_globals`` would refuse its own files: nothing is
    refused.
    """
    if usable('mmengine'):
        from mmengine.runner import checkpoint

        if not hasattr(checkpoint, 'get_torch_safe_globals'):
            return
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'  # torch.load obeys it
    if own := _one_cycle():
        torch.serialization.add_safe_globals(own)
    if path and Path(path).suffix == '.safetensors':
        return  # a format that cannot hold code
    if path and Path(path).is_file():
        read_plainly(path, 'meta')


def read_plainly(path: str, device: str = 'cpu') -> Any:
    """Return what a local checkpoint holds; no code in it is run.

    Its tensors are on ``device``; objects of mmengine are stand-ins. It exits
    with one line if the file holds more than plain values, or is damaged.
    """
    try:
        with _stand_ins():
            return torch.load(path, map_location=device, weights_only=True)
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


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Let torch read, without running code, what mmengine and NumPy save.

    mmengine's scheduler is known afterwards, and a stand-in until then.
    """
    safe = torch.serialization
    if not hasattr(safe, 'safe_globals'):  # torch before 2.5
        yield
        return
    own = _one_cycle()
    known = [one for one in safe.get_safe_globals() if one not in own]
    stand_ins = [(call, name) for name, call in _STAND_INS.items()]
    try:
        safe.clear_safe_globals()
        with safe.safe_globals([*known, *stand_ins]):
            yield
    finally:
        safe.clear_safe_globals()
        safe.add_safe_globals([*known, *own])


def _one_cycle() -> list[Any]:
    """Return mmengine's scheduler that saves a function, if it is there."""
    if not usable(_SCHEDULERS):
        return []
    return [import_module(_SCHEDULERS).OneCycleParamScheduler]
