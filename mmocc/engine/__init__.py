"""Hooks and optimizer constructors."""

from mmocc.engine.epoch_seed_hook import EpochSeedHook
from mmocc.engine.trainable_constructor import (
    TrainableOptimWrapperConstructor,
)

__all__ = ['EpochSeedHook', 'TrainableOptimWrapperConstructor']
