"""What commands have in common, whichever hosts are installed."""

import argparse
import shlex
import sys
from typing import Any

from mmocc.utils.hosts import require


def command_line() -> str:
    """Return the command that started this program, to be typed again."""
    program, *arguments = sys.argv
    if not program.startswith('mmocc '):  # mmocc.cli names its commands so
        program = f'python {shlex.quote(program)}'
    return f'{program} {shlex.join(arguments)}'.rstrip()


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the flag that lets a checkpoint run code."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load a checkpoint that holds more than weights and plain '
        'values, although loading it may run any code',
    )


class ConfigOptions(argparse.Action):
    """mmengine's ``DictAction``, which is imported when it has words to read.

    So a command has ``--cfg-options`` where mmengine is not installed, too;
    MissingHostError when it is used there.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store ``KEY=VALUE`` words as a dict."""
        require(str(option_string), 'mmengine')
        from mmengine.config import DictAction

        read = DictAction(self.option_strings, self.dest, nargs='+')
        read(parser, namespace, values, option_string)
