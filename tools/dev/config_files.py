"""Writes configs that a script derives from others."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path


def update_configs(wanted: dict[Path, str], present: Iterable[Path]) -> None:
    """Write the files, or with ``--check`` say which are out of step.

    Args:
        wanted: Path and text of each.
        present: What the script wrote earlier; what is not wanted any more
            is removed.
    """
    script = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(description='Write the derived configs')
    parser.add_argument(
        '--check', action='store_true', help='write nothing, only compare'
    )
    args = parser.parse_args()
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text() != text
    ]
    stale += sorted(set(present) - set(wanted))
    if args.check and stale:
        names = ', '.join(path.name for path in stale)
        sys.exit(f'Run tools/dev/{script} for: {names}.')
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    print(f'{len(wanted)} configs, {len(stale)} of them out of step')
