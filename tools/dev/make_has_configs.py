"""Write the Hide-and-Seek configs: the variants of each ``*_cam_*.py``.

A baseline is written by hand; each variant names it and adds the hiding.
The patches are the paper's (arXiv 1704.04232) for images of 224 pixels, and
to scale for smaller ones. ``has-mixed`` draws one of them, or no
hiding, for each image.

Example: python tools/dev/make_has_configs.py
"""

import argparse
import ast
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / 'configs/hide_and_seek'
SIZES = {
    'in1k': (16, 32, 44, 56),
    'cub': (16, 32, 44, 56),
    'voc': (16, 32, 44, 56),
    'tiny-imagenet': (4, 8, 12, 16),  # images of 64 pixels
    'digits': (4, 8, 12, 16),
    'cifar10': (2, 4, 6, 8),  # 32 pixels
}
TEXT = '''\
"""Hide-and-Seek, patches of {sizes}: {what}."""

# Written by tools/dev/make_has_configs.py
_base_ = './{baseline}.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes={grid_sizes},
        hide_prob=0.5,
    ),
)
'''


def variants(baseline: Path) -> dict[Path, str]:
    """Return path and text of each variant of a baseline."""
    model, _, data = baseline.stem.split('_')
    title = ast.get_docstring(ast.parse(baseline.read_text())).splitlines()[0]
    what = title.removesuffix('.').partition('CAM with ')[2]
    sizes = SIZES[data]
    plans = {f'has{size}': ((size,), f'{size} pixels') for size in sizes}
    plans['has-mixed'] = ((0, *sizes), 'mixed sizes')
    return {
        FOLDER / f'{model}_{name}_{data}.py': TEXT.format(
            sizes=words,
            what=what,
            baseline=baseline.stem,
            grid_sizes=grid_sizes,
        )
        for name, (grid_sizes, words) in plans.items()
    }


def main() -> None:
    """Write the files, or with ``--check`` say which are out of step."""
    parser = argparse.ArgumentParser(description='Write the HaS configs')
    parser.add_argument(
        '--check', action='store_true', help='write nothing, only compare'
    )
    args = parser.parse_args()
    wanted = {}
    for baseline in sorted(FOLDER.glob('*_cam_*.py')):
        wanted.update(variants(baseline))
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text() != text
    ]
    stale += sorted(set(FOLDER.glob('*_has*_*.py')) - set(wanted))
    if args.check and stale:
        names = ', '.join(path.name for path in stale)
        sys.exit(f'Run tools/dev/make_has_configs.py for: {names}.')
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    print(f'{len(wanted)} configs, {len(stale)} of them out of step')


if __name__ == '__main__':
    main()
