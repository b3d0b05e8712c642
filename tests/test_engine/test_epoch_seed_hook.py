import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import worker_init_fn
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmocc.registry import HOOKS


class Draws:
    """A data set whose items are what augmentations draw from."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.rand(), random.random(), float(torch.rand(()))


def start_of_run(num_workers=0, seed=0, epoch=0, persistent=False):
    """Return a runner of which the hook sees what it reads."""

    def init(worker_id):  # as mmengine seeds workers without the hook
        worker_init_fn(worker_id, num_workers, rank=0, seed=seed)

    loader = DataLoader(
        Draws(),
        batch_size=None,
        num_workers=num_workers,
        persistent_workers=persistent,
        worker_init_fn=init,
    )
    return SimpleNamespace(seed=seed, epoch=epoch, train_dataloader=loader)


def run_epochs(runner, num, with_hook=True):
    """Return the draws of each epoch, and one of the main process."""
    hook = HOOKS.build(dict(type='mmocc.EpochSeedHook'))
    epochs = []
    for _ in range(num):
        if with_hook:
            hook.before_train_epoch(runner)
        main = np.random.rand(), random.random(), float(torch.rand(()))
        epochs.append((main, *map(tuple, runner.train_dataloader)))
        runner.epoch += 1
    return epochs


@pytest.mark.parametrize('num_workers', [0, 2])
def test_each_epoch_sees_other_augmentations(num_workers):
    epochs = run_epochs(start_of_run(num_workers), 3)
    draws = [draw for epoch in epochs for item in epoch for draw in item]
    assert len(set(draws)) == len(draws) == 3 * 5 * 3


def test_without_it_new_workers_repeat_their_augmentations():
    first, second = run_epochs(start_of_run(2), 2, with_hook=False)
    assert first[1:] == second[1:]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_an_epoch_is_the_same_whatever_came_before(num_workers):
    *_, third = run_epochs(start_of_run(num_workers), 3)
    assert run_epochs(start_of_run(num_workers, epoch=2), 1) == [third]


def test_the_seed_decides():
    same, again, other = (
        run_epochs(start_of_run(seed=seed), 1) for seed in (1, 1, 2)
    )
    assert same == again
    assert same != other


def test_ranks_draw_apart(monkeypatch):
    epochs = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmocc.engine.epoch_seed_hook.get_rank', lambda rank=rank: rank
        )
        epochs += run_epochs(start_of_run(2), 1)
    draws = [draw for epoch in epochs for item in epoch for draw in item]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize('persistent', [False, True])
def test_it_warns_of_workers_that_it_cannot_seed(monkeypatch, persistent):
    said = []
    hook = HOOKS.build(dict(type='mmocc.EpochSeedHook'))
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'log', lambda _, text: said.append(text))
    runner = start_of_run(2, persistent=persistent)
    before = runner.train_dataloader.worker_init_fn
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert len(said) == persistent
    if persistent:
        assert 'train_dataloader.persistent_workers=False' in said[0]
    untouched = runner.train_dataloader.worker_init_fn is before
    assert untouched == persistent
