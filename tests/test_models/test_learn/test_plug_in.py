"""The config that docs/plug_in.md shows, copied as it is, trains LEARN."""

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

from mmocc.utils import cli

PAGE = ROOT / 'docs/plug_in.md'


@pytest.mark.skipif(
    not PAGE.exists(), reason='a source distribution has no docs'
)
def test_the_documented_config_trains_learn_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippet = PAGE.read_text().partition('```python\n')[2].partition('```')[0]
    (tmp_path / 'mine.py').write_text(snippet)
    cfg = Config.fromfile('mine.py')
    init_default_scope(cfg.default_scope)
    (tmp_path / 'base.py').write_text(snippet.splitlines()[0])
    baseline = MODELS.build(Config.fromfile('base.py').model).state_dict()
    torch.save(baseline, cfg.load_from)
    for label in range(2):
        path = tmp_path / f'images/{label}/0.png'
        path.parent.mkdir(parents=True)
        Image.new('RGB', (40, 40), (90, 80 * label, 60)).save(path)
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline[1].scale = 32
    cfg.train_dataloader.update(batch_size=2, num_workers=0)
    cfg.train_dataloader.dataset = dict(
        type='CustomDataset', data_root='images', pipeline=pipeline
    )
    for part in ('val', 'test'):
        for key in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{part}_{key}'] = None
    cfg.train_cfg.max_epochs = 1
    cfg.update(work_dir='work', launcher='none')
    cli.fill_dataloaders(cfg, ['train_dataloader'])
    runner = cli.build_runner(cfg)
    learn = {k: v.clone() for k, v in runner.model.learn.named_parameters()}
    runner.train()
    assert runner.iter == 1
    assert type(runner.optim_wrapper.optimizer).__name__ == 'AdamW'
    for name, value in runner.model.learn.named_parameters():
        assert not torch.equal(value.cpu(), learn[name].cpu()), name
    state = runner.model.state_dict()
    for name, value in baseline.items():
        assert torch.equal(state[name].cpu(), value), name
    for path in tmp_path.rglob('*.pth'):  # pytest keeps the folder: 200 MB
        path.unlink()
