"""Build a config's data sets and load its trained model, in its own scope."""

import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint
from torch import nn

# What older checkpoints may lack: counters that decide no answer.
COUNTERS = ('num_batches_tracked', 'occluder.steps')


def build_dataset(cfg: Config, phase: str = 'test') -> Any:
    """Build a config's data set of ``train``, ``val`` or ``test``.

    ValueError if the config has no such dataloader.
    """
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        raise ValueError(f'{cfg.filename} has no {phase}_dataloader')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = DATASETS.build(loader.dataset)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def load_model(cfg: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """Build a config's model and load a checkpoint that must fill it.

    ValueError if a tensor is missing; RuntimeError if it has another shape.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    model_cfg = copy.deepcopy(cfg.model)  # hosts read it by attribute
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(model_cfg)
    content = _load_checkpoint(checkpoint, map_location='cpu')
    state = content.get('state_dict', content)
    keys = model.load_state_dict(state, strict=False).missing_keys
    missing = [key for key in keys if not key.endswith(COUNTERS)]
    if missing:
        raise ValueError(
            f'{checkpoint} does not fit the model: {missing[0]} is missing '
            f'(and {len(missing) - 1} more)'
        )
    return model.to(device).eval()
