"""The arithmetic of docs/scale.md is that of the configs and of mmengine."""

import math
import re

import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

ROW = re.compile(
    r'^\| `([\w/-]+)` \| (\d+) \| (\d+) \| (.*) \|$', re.MULTILINE
)
ROWS = ROW.findall((ROOT / 'docs/scale.md').read_text())
WORLDS = (1, 8, 64)


def test_there_are_rows():
    assert len(ROWS) == 5


@pytest.mark.parametrize(
    ('name', 'batch', 'images', 'cells'), ROWS, ids=[row[0] for row in ROWS]
)
def test_a_row_is_what_the_config_gives(
    monkeypatch, name, batch, images, cells
):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    batch, images = int(batch), int(images)
    assert cfg.train_dataloader.batch_size == batch
    lr, base = cfg.optim_wrapper.optimizer.lr, cfg.auto_scale_lr
    for world, cell in zip(WORLDS, cells.split(' | '), strict=True):
        told_lr, told_steps = cell.split(', ')
        scaled = lr * world * batch / base['base_batch_size']
        assert float(told_lr) == pytest.approx(scaled)
        assert int(told_steps) == math.ceil(math.ceil(images / world) / batch)
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda w=world: (0, w)
        )
        loader = DataLoader(
            range(images),
            batch_size=batch,
            sampler=DefaultSampler(range(images), shuffle=False, seed=0),
        )
        assert int(told_steps) == len(loader)
