"""Hooks that do to a run what clusters do; its config imports this module."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import (
    HOOKS,
    METRICS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
)


@HOOKS.register_module(force=True)
class KillHook(Hook):
    """Ends its process as ``kill -9`` does, when this iteration begins.

    Or hangs, and says so by a file ``hanging``.
    """

    def __init__(self, at_iter=-1, rank=0, hang=False):
        self.at_iter = at_iter
        self.rank = rank
        self.hang = hang

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if (runner.iter, runner.rank) == (self.at_iter, self.rank):
            if self.hang:
                Path(runner.work_dir, 'hanging').touch()
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module(force=True)
class BallastHook(Hook):
    """Makes checkpoints so large that writing one takes a while."""

    def __init__(self, megabytes=0):
        self.megabytes = megabytes

    def before_save_checkpoint(self, runner, checkpoint):
        if self.megabytes:
            size = self.megabytes * 2**20
            checkpoint['ballast'] = torch.ones(size, dtype=torch.uint8)


@TRANSFORMS.register_module(force=True)
class SpoilImage(BaseTransform):
    """Puts one NaN into the image of this name."""

    def __init__(self, name):
        self.name = name

    def transform(self, results):
        results['img'] = results['img'].astype(np.float32)
        if results['img_path'].endswith(self.name):
            results['img'][3, 5, 1] = np.nan
        return results


@TRANSFORMS.register_module(force=True)
class KillWorker(BaseTransform):
    """Ends the process that loads the image of this name."""

    def __init__(self, name):
        self.name = name

    def transform(self, results):
        if results['img_path'].endswith(self.name):
            os.kill(os.getpid(), signal.SIGKILL)
        return results


@OPTIM_WRAPPERS.register_module(force=True)
class HalfOptimWrapper(AmpOptimWrapper):
    """mmengine's mixed precision in float16, on a CPU."""

    def __init__(self, **kwargs):
        OptimWrapper.__init__(self, **kwargs)  # theirs wants a GPU
        self.loss_scaler = torch.amp.GradScaler('cpu')
        self._scale_update_param = None

    @contextmanager
    def optim_context(self, model):
        half = torch.autocast('cpu', torch.float16)
        with OptimWrapper.optim_context(self, model), half:
            yield


@METRICS.register_module(force=True)
class GrowingMetric(BaseMetric):
    """Finds each epoch better than the one before."""

    values = 0

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        GrowingMetric.values += 1
        return dict(value=GrowingMetric.values)


@HOOKS.register_module(force=True)
class KillBestHook(Hook):
    """Ends its process when the best checkpoint of an epoch is to be saved."""

    def __init__(self, epoch=-1):
        self.epoch = epoch

    def before_save_checkpoint(self, runner, checkpoint):
        best = 'optimizer' not in checkpoint
        if best and runner.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)
