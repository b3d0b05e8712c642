"""Random state by epoch, so that a resumed run is the same run."""

import logging
import random
from functools import partial

import numpy as np
import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmocc.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed all random state at the start of each epoch, from (seed, epoch).

    mmengine seeds once at the start: a resumed run draws other augmentations
    and dropout masks than the run it continues, and workers that start again
    in each epoch repeat their augmentations. With this hook,
    ``persistent_workers=False`` and ``randomness.seed``, a resumed run on a
    CPU ends with the same weights to the last bit.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn if the workers cannot be seeded by epoch."""
        if runner.train_dataloader.persistent_workers:
            print_log(
                'mmocc.EpochSeedHook: set train_dataloader.persistent_workers'
                '=False; workers that live on cannot be seeded by epoch, so '
                'a resumed run will not repeat this one',
                logger='current',
                level=logging.WARNING,
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the main process and the workers that are about to start."""
        state = np.random.SeedSequence([runner.seed, runner.epoch, get_rank()])
        seed = int(state.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        loader = runner.train_dataloader
        if loader.num_workers and not loader.persistent_workers:
            loader.worker_init_fn = partial(
                worker_init_fn,
                num_workers=loader.num_workers,
                rank=get_rank(),
                seed=seed % 2**31,
            )
