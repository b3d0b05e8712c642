"""Write the configs of SSD with IoU losses: the variants of ``*_l1_*.py``.

A baseline with smooth-L1 is written by hand; each variant names it and sets
the loss on decoded boxes.

Example: python tools/dev/make_dea_configs.py
"""

import ast
from pathlib import Path

from config_files import update_configs

FOLDER = Path(__file__).resolve().parents[2] / 'configs/dea'
LOSSES = ('GIoU', 'DIoU', 'EIoU')
LOSS_WEIGHT = 10.0  # where a sweep may start
SWEPT = dict(bccd=2.0)  # by tools/dev/ssd_bccd.sh, see docs/results.md
TEXT = '''\
"""{title}, {loss} of boxes."""

# Written by tools/dev/make_dea_configs.py
_base_ = './{baseline}.py'

model = dict(
    bbox_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.{loss}Loss', loss_weight={weight}),
    )
)
'''


def variants(baseline: Path) -> dict[Path, str]:
    """Return path and text of each variant of a baseline."""
    model, _, data = baseline.stem.split('_')
    title = ast.get_docstring(ast.parse(baseline.read_text()))
    return {
        FOLDER / f'{model}_{loss.lower()}_{data}.py': TEXT.format(
            title=title.partition(', smooth-L1')[0],
            loss=loss,
            baseline=baseline.stem,
            weight=SWEPT.get(data, LOSS_WEIGHT),
        )
        for loss in LOSSES
    }


def main() -> None:
    """Write the files, or with ``--check`` say which are out of step."""
    wanted = {}
    for baseline in sorted(FOLDER.glob('ssd*_l1_*.py')):
        wanted.update(variants(baseline))
    update_configs(wanted, FOLDER.glob('ssd*_?iou_*.py'))


if __name__ == '__main__':
    main()
