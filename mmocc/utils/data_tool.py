"""What the tools that make data sets share."""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields, replace
from typing import TypeVar

Settings = TypeVar('Settings')


def add_numbers(
    parser: argparse.ArgumentParser,
    base: Settings,
    meanings: dict[str, str],
    **others: Settings,
) -> None:
    """Add a flag for each number of the settings.

    ``meanings`` are the flags' texts by field, ``others`` are defaults by the
    flag that chooses them.
    """
    for name, meaning in meanings.items():
        default = getattr(base, name)
        text = f'{meaning} (default: {default}'
        for flag, settings in others.items():
            if getattr(settings, name) != default:
                text += f', with --{flag} {getattr(settings, name)}'
        flag = f'--{name.replace("_", "-")}'
        parser.add_argument(flag, type=type(default), help=f'{text})')


def settings_of(args: argparse.Namespace, base: Settings) -> Settings:
    """Return settings (a dataclass) with the values of the flags.

    Flags have the names of fields; None keeps the value of ``base``.
    ValueError if the settings refuse a value.
    """
    values = {f.name: getattr(args, f.name, None) for f in fields(base)}
    values = {k: v for k, v in values.items() if v is not None}
    values = {k: tuple(v) if type(v) is list else v for k, v in values.items()}
    return replace(base, **values)


def run_tool(name: str, make: Callable[[], None]) -> int:
    """Return the exit status of a tool; it tells its errors in one line."""
    try:
        make()
    except (ValueError, OSError) as error:
        print(f'{name}: {error}', file=sys.stderr)
        return 1
    except BrokenProcessPool:
        print(
            f'{name}: a process was killed, perhaps for lack of memory; the '
            'same command goes on, also with fewer --workers',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print('\nStopped; start the same command again.', file=sys.stderr)
        return 130
    return 0
