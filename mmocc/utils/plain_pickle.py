"""Pickles of plain values, read without running what is pickled in them.

A pickle names functions and calls them: loading one may run any code. Here it
gets plain values, NumPy's numbers and arrays, and torch's tensors on the CPU,
and every other name is refused before anything of it is called.
"""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

PLAIN = {
    ('_codecs', 'encode'),  # how Python 2 pickles hold bytes
    ('numpy', 'dtype'),
    ('numpy', 'ndarray'),
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy.core.multiarray', 'scalar'),
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', 'scalar'),
}


def _storage(content: bytes) -> torch.TypedStorage:
    """Stand for torch's function of storages, which would load anything."""
    return torch.load(io.BytesIO(content), 'cpu', weights_only=True)


TENSORS = {
    ('collections', 'OrderedDict'): OrderedDict,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    ('torch.storage', '_load_from_bytes'): _storage,
}


class _PlainUnpickler(pickle._Unpickler):  # in Python: its memo cannot grow
    """Load plain values only, and tensors if asked."""

    def __init__(self, file: io.BytesIO, tensors: bool) -> None:
        super().__init__(file)
        self.others = TENSORS if tensors else {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a harmless class, or refuse."""
        if (module, name) in self.others:
            return self.others[module, name]
        if (module, name) not in PLAIN:
            raise ValueError(f'it holds a {module}.{name}, not plain values')
        return super().find_class(module, name)


def load_plain(path: str | Path, tensors: bool = False) -> Any:
    """Return the content of a pickle of plain values.

    Args:
        path: The file.
        tensors: Whether it may hold tensors as well.

    Raises:
        ValueError: If it holds anything else, or is damaged.
    """
    try:
        content = io.BytesIO(Path(path).read_bytes())
        return _PlainUnpickler(content, tensors).load()
    except Exception as error:  # a broken pickle raises anything
        raise ValueError(f'{path} cannot be read: {error}') from error
