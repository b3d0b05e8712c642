"""Build a config's data sets and load its trained model, in its own scope."""

import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

from mmocc.utils.config_types import scope_of
from mmocc.utils.one_line import MISSING, missing_line
from mmocc.utils.state_dicts import read_checkpoint
from mmocc.utils.weights import fill_model


def build_dataset(cfg: Config, phase: str = 'test') -> Any:
    """Build a config's data set of ``train``, ``val`` or ``test``.

    ValueError if the config has no such dataloader; FileNotFoundError, which
    says what makes them, if files are missing.
    """
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        raise ValueError(f'{cfg.filename} has no {phase}_dataloader')
    init_default_scope(scope_of(cfg))
    try:
        dataset = DATASETS.build(loader.dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    except MISSING as error:
        raise type(error)(missing_line(error, cfg)) from error
    return dataset


def build_model(cfg: Config) -> nn.Module:
    """Build a config's model; its weights are random."""
    init_default_scope(scope_of(cfg))
    model_cfg = copy.deepcopy(cfg.model)  # hosts read it by attribute
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    return MODELS.build(model_cfg)


def load_model(cfg: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """Build a config's model and load a checkpoint that must fill it.

    CheckpointError, a ValueError, if a tensor is missing or misfits.
    """
    model = build_model(cfg)
    weights = read_checkpoint(checkpoint)['state_dict']
    fill_model(model, weights, checkpoint)
    return model.to(device).eval()
