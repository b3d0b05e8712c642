"""What a user can repair ends a tool with one line, which names the remedy."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmocc.utils.hosts import EXTRAS, MissingHostError
from mmocc.utils.state_dicts import CheckpointError

MISSING = (FileNotFoundError, NotADirectoryError, PermissionError)
# Tools that fetch or make data, by a part of the data's path, or by the data
# set's type; the first that fits.
DATA_TOOLS = {
    r'digits': 'make_digits_voc.py',
    r'ornament': 'make_ornament_pages.py',
    r'data/faces': 'make_faces.py',
    r'VOC': 'download_voc.py',
}


@contextmanager
def one_line_errors(cfg: Any = None) -> Iterator[None]:
    """End the program with one line if a file is missing or does not fit.

    These are configs, data, annotations and checkpoints, modules that cannot
    be imported, and types that no registry knows. ``cfg`` is the config that
    names the data, if there is one. With MMOCC_TRACEBACK=1 in the environment
    the errors stay as they are.
    """
    try:
        yield
    except (
        *MISSING, *_config_errors(), CheckpointError, ImportError, KeyError,
        SyntaxError,
    ) as error:  # fmt: skip
        other = isinstance(error, KeyError) and 'registry' not in str(error)
        if other or os.environ.get('MMOCC_TRACEBACK'):
            raise
        sys.exit(error_line(error, cfg))


@contextmanager
def one_line_values() -> Iterator[None]:
    """End the program with the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        if os.environ.get('MMOCC_TRACEBACK'):
            raise
        sys.exit(str(error))


def _config_errors() -> tuple[type[Exception], ...]:
    """Return what mmengine raises of a config, if it is imported at all."""
    module = sys.modules.get('mmengine.config.utils')
    return (module.ConfigParsingError,) if module else ()


def error_line(error: BaseException, cfg: Any = None) -> str:
    """Return an error in one line, with the remedy."""
    if isinstance(error, CheckpointError | MissingHostError):
        return str(error)
    if isinstance(error, MISSING):
        return missing_line(error, cfg)
    text = str(error.args[0] if error.args else error).strip()
    in_config = isinstance(error, (SyntaxError, *_config_errors()))
    cause = None if in_config else error.__cause__
    reason = str(cause or '')
    line = re.split(r'\n|\. (?=Please|More)|, the current sys', text)[0]
    line += f' ({reason})' if reason and reason not in line else ''
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        line += f'; pip install "mmocc[{EXTRAS[error.name]}]" brings it'
    return f'{line}. MMOCC_TRACEBACK=1 shows where.'


def missing_line(error: OSError, cfg: Any) -> str:
    """Return which file is missing, and what makes or names it."""
    # A worker of a dataloader puts a traceback into the message.
    last = (str(error).strip().splitlines() or ['a file is missing'])[-1]
    last = re.sub(r'^\w+Error: ', '', last)
    line = re.sub(r"^\[Errno \d+\] (.*?): '(.*)'$", r'\2: \1', last)
    tool = data_tool(line) or data_tool(*_names_of_data(cfg))
    if tool and tool not in line and '.py:' not in line:
        line += f'; "python tools/dataset_converters/{tool}" makes the data'
    elif line != last:  # the words are the system's and name no remedy
        line += '; name the right one in the config, or by --cfg-options'
    return line


def data_tool(*names: str) -> str | None:
    """Return the tool that makes the data of such paths or types, if any."""
    for part, tool in DATA_TOOLS.items():
        if any(re.search(part, name) for name in names):
            return tool
    return None


def _names_of_data(node: Any) -> Iterator[str]:
    """Yield the types and roots of the data sets of a config."""
    if node is None:
        return
    from mmocc.utils.config_types import class_name

    for phase in ('train', 'val', 'test'):
        loader = node.get(f'{phase}_dataloader') or {}
        inner = loader.get('dataset')
        while isinstance(inner, Mapping):
            yield class_name(inner.get('type'))
            yield str(inner.get('data_root', ''))
            inner = inner.get('dataset')
