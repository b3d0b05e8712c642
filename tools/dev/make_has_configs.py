"""Write the Hide-and-Seek configs: the variants of each ``*_cam_*.py``.

A baseline is written by hand; each variant names it and adds the hiding.
The patches are the paper's (arXiv 1704.04232) for images of 224 pixels, and
to scale for smaller ones. ``has-mixed`` draws one of them, or no
hiding, for each image.

Example: python tools/dev/make_has_configs.py
"""

import ast
from pathlib import Path

from config_files import update_configs

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
    wanted = {}
    for baseline in sorted(FOLDER.glob('*_cam_*.py')):
        wanted.update(variants(baseline))
    update_configs(wanted, FOLDER.glob('*_has*_*.py'))


if __name__ == '__main__':
    main()
