"""The configs of action localization, which read features, not images."""

import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.runner import Runner

FOLDER = ROOT / 'configs' / 'hide_and_seek'
NAMES = ['temporal_full', 'temporal_has']


@pytest.mark.parametrize('name', NAMES)
def test_config_learns_to_localize_and_resumes(name, tmp_path):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.num_videos = 200
    cfg.test_dataloader = cfg.val_dataloader
    cfg.update(work_dir=str(tmp_path), launcher='none')
    cfg.train_cfg.update(max_epochs=12, val_interval=12)
    before = Runner.from_cfg(cfg).test()
    runner = Runner.from_cfg(cfg)
    runner.train()
    after = runner.test()
    # Five classes: 20 % by chance.
    assert after['accuracy/top1'] > 90
    assert before['temporal/mAP@0.1'] < 20
    assert after['temporal/mAP@0.1'] > 60
    cfg.train_cfg.max_epochs = 13
    cfg.resume = True
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    assert (resumed.epoch, resumed.iter) == (13, 13 * 6)


def test_only_training_hides_and_only_testing_knows_the_segments():
    full, has = (Config.fromfile(FOLDER / f'{name}.py') for name in NAMES)
    for cfg in (full, has):
        train = [s.type for s in cfg.train_dataloader.dataset.pipeline]
        test = [s.type for s in cfg.test_dataloader.dataset.pipeline]
        assert ('mmocc.HideSegments' in train) == (cfg is has)
        assert test == ['PackInputs']
        assert not cfg.train_dataloader.dataset.get('with_segments')
    for key in ('model', 'optim_wrapper', 'train_cfg', 'test_dataloader'):
        assert full[key] == has[key]
