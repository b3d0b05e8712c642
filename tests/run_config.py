"""Start or resume a config as tools/train.py does, in this process."""

import copy

from mmocc.utils import cli

LOADERS = ['train_dataloader', 'val_dataloader', 'test_dataloader']


def train(cfg, work_dir, epochs):
    """Train until so many epochs are done; return the runner."""
    cfg = copy.deepcopy(cfg)
    cfg.train_cfg.update(max_epochs=epochs, val_interval=1)
    cfg.update(work_dir=str(work_dir), launcher='none')
    cfg.experiment_name = f'{work_dir.parent.name}_{work_dir.name}_{epochs}'
    cli.set_resume(cfg, 'auto')
    cli.fill_dataloaders(cfg, LOADERS)
    cli.check_types(cfg)
    runner = cli.build_runner(cfg)
    runner.train()
    return runner
