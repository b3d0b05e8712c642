"""The models of a report, from the words of the command line."""

import argparse
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmocc.report.named_models import (
    LIBRARIES,
    NamedModel,
    metafile_weights,
)

Pair = tuple[str, str | None]
# Where a host keeps the images of its own layout, by type of data set.
LAYOUTS = {'ImageNet': 'split', 'CustomDataset': 'data_prefix'}


class AddNamed(argparse.Action):
    """Add the words of ``--timm`` and the like to ``named``, in order."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store (library, name) for each word."""
        named = [(self.dest, name) for name in values]
        namespace.named = [*(namespace.named or ()), *named]


def add_named(parser: argparse.ArgumentParser) -> None:
    """Add the options that name models of libraries."""
    parser.set_defaults(named=None)
    for library in LIBRARIES:
        parser.add_argument(
            f'--{library}',
            nargs='+',
            action=AddNamed,
            metavar='NAME',
            default=argparse.SUPPRESS,
            help=f'models of {library}; needs --data',
        )
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        default=[],
        metavar='NAME=FILE',
        help='own weights of such models; else those of ImageNet',
    )


def split_pairs(words: Sequence[str]) -> list[Pair]:
    """Return configs and their checkpoints, None for a host's own.

    A config that came with a host, ``mmpretrain::...``, may stand alone.

    Raises:
        ValueError: If another config has no checkpoint.
    """
    left, pairs = deque(words), []
    while left:
        config = left.popleft()
        alone = '::' in config and (not left or is_config(left[0]))
        if not left and not alone:
            raise ValueError('give a checkpoint for each config')
        pairs.append((config, None if alone else left.popleft()))
    return pairs


def is_config(word: str) -> bool:
    """Return whether a word is a config, and no checkpoint."""
    return Path(word).suffix == '.py' or ('::' in word and '://' not in word)


def with_weights(pair: Pair) -> tuple[str, str]:
    """Return a config with the checkpoint that its host names, if it has none.

    NoModelError if there is none.
    """
    from mmocc.utils.find_config import find_config

    config, checkpoint = pair
    return config, checkpoint or metafile_weights(find_config(config))


def read_checkpoints(
    words: Sequence[str], names: Sequence[str]
) -> dict[str, str]:
    """Return the files of ``NAME=FILE`` by name.

    Raises:
        ValueError: If a word is none, or of none of the names, or repeats.
    """
    files: dict[str, str] = {}
    for word in words:
        name, mark, path = word.partition('=')
        if not mark or not path:
            raise ValueError(f'--checkpoint takes NAME=FILE, got {word!r}')
        if name not in names:
            raise ValueError(
                f'--checkpoint {word}: no model {name!r}; there are '
                f'{", ".join(names) or "none of a library"}'
            )
        if name in files:
            raise ValueError(f'--checkpoint: {name!r} has two files')
        files[name] = path
    return files


def model_names(
    pairs: Sequence[Pair], named: Sequence[tuple[str, str]]
) -> list[str]:
    """Return names for the page: configs' file names, and the given names.

    Two libraries' models of one name get the library's in brackets.
    """
    names = [Path(config).stem for config, _ in pairs]
    plain = [*names, *(name for _, name in named)]
    times = Counter(plain)
    return names + [
        f'{name} ({library})' if times[name] > 1 else name
        for library, name in named
    ]


def make_named(
    named: Sequence[tuple[str, str]], files: dict[str, str], trust: bool
) -> list[NamedModel]:
    """Return the models of libraries; NoModelError where one cannot be."""
    return [
        LIBRARIES[library](name, files.get(name), trust)
        for library, name in named
    ]


def has_own_layout(cfg: Any, folder: str) -> bool:
    """Return whether a folder is laid out as a config's own test set.

    Otherwise it is a folder of images, as for models of libraries. A config
    of which that is not known counts as having it.
    """
    from mmocc.utils.config_types import class_name

    data: Any = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in data:
        data = data['dataset']
    key = LAYOUTS.get(class_name(data.get('type')))
    part = data.get(key) if key else None
    return not isinstance(part, str) or Path(folder, part).is_dir()


def read_names(path: str | Path) -> list[str]:
    """Return names of classes from a text, one in each line.

    Raises:
        ValueError: If a line is empty.
        FileNotFoundError: If there is no such file.
    """
    from mmocc.utils.files import read_text

    lines = read_text(path).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f'{path}, line {number}: no name of a class')
    if not lines:
        raise ValueError(f'{path} has no name of a class')
    return [line.strip() for line in lines]
