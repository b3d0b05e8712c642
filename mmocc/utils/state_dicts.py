"""The weights in a checkpoint, whoever wrote it, under a model's own names."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmocc.utils.checkpoints import read_plainly
from mmocc.utils.hosts import usable

# What older checkpoints may lack: counters that decide no answer.
COUNTERS = ('num_batches_tracked', 'occluder.steps')
# Where files have their weights: averaged ones (EMA) come first. mmengine's
# EMAHook saves these as state_dict, and the others as ema_state_dict.
PLACES = (
    'state_dict_ema', 'model_ema', 'ema_model', 'state_dict',
    'model_state_dict', 'model_state', 'model', 'network', 'net', 'module',
    'ema_state_dict', 'ema',
)  # fmt: skip
# What wrappers put before each name: DDP and EMA, torch.compile, Lightning.
WRAPPERS = ('module.', '_orig_mod.', 'model.')
# Names of others, and the rules, one after the other, that change them into
# those of mmpretrain's classifiers.
_BACKBONE = (r'^(?!head\.)', 'backbone.')
LAYOUTS = {
    'torchvision or timm, ResNet and kin': (
        (r'^fc\.', 'head.fc.'),
        _BACKBONE,
    ),
    'timm, ViT and DeiT': (
        (r'^head\.', 'head.layers.head.'),
        (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
        (r'^norm\.', 'ln1.'),
        (r'^blocks\.(\d+)\.norm(\d)\.', r'layers.\1.ln\2.'),
        (r'^blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
        (r'^blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
        (r'^blocks\.', 'layers.'),
        _BACKBONE,
    ),
    'torchvision, ViT': (
        (r'^heads\.head\.', 'head.layers.head.'),
        (r'^class_token$', 'cls_token'),
        (r'^conv_proj\.', 'patch_embed.projection.'),
        (r'^encoder\.pos_embedding$', 'pos_embed'),
        (r'^encoder\.ln\.', 'ln1.'),
        (r'^encoder\.layers\.encoder_layer_', 'layers.'),
        (r'^(layers\.\d+)\.ln_(\d)\.', r'\1.ln\2.'),
        (r'\.self_attention\.in_proj_', '.attn.qkv.'),
        (r'\.self_attention\.out_proj\.', '.attn.proj.'),
        (r'\.mlp\.(?:0|linear_1)\.', '.ffn.layers.0.0.'),
        (r'\.mlp\.(?:3|linear_2)\.', '.ffn.layers.1.'),
        _BACKBONE,
    ),
    'timm, for TIMMBackbone': (
        (r'^(?:fc|head|classifier)\.(?=weight|bias)', 'head.fc.'),
        (r'^(?!head\.)', 'backbone.timm_model.'),
    ),
    'timm, for TimmClassifier': ((r'^', 'model.'),),
}


class CheckpointError(ValueError):
    """A checkpoint that does not fit, in words for the user."""


def read_checkpoint(path: str, trust: bool = False) -> dict[str, Any]:
    """Return a checkpoint of a file or URL; its weights are ``state_dict``.

    CheckpointError if it holds no weights. ``meta`` is always a dict.
    ``trust`` lets a file run code where mmengine is not installed; mmengine
    does so unless it is forbidden (:mod:`mmocc.utils.checkpoints`).
    """
    content = _load(str(path), trust)
    state = find_weights(content, str(path))
    meta = content.get('meta')
    return dict(
        state_dict=state, meta=meta if isinstance(meta, Mapping) else {}
    )


def find_weights(content: Any, source: str) -> Mapping[str, Any]:
    """Return the tensors by name in what a file holds (``PLACES``).

    CheckpointError, which names ``source``, if there is none.
    """
    if isinstance(content, Mapping):
        for place in PLACES:
            inner = content.get(place)
            if isinstance(inner, Mapping) and inner:
                return find_weights(inner, source)
        if any(isinstance(value, Tensor) for value in content.values()):
            return content
    raise CheckpointError(
        f'{source} holds no weights: neither tensors by name, nor any of '
        f'{", ".join(PLACES)}'
    )


def without_wrappers(
    state: Mapping[str, Any], own: Iterable[str] = ()
) -> Mapping[str, Any]:
    """Return weights without what a wrapper put before their names.

    ``own`` are the model's names: what these begin with stays.
    """
    own = list(own)
    for prefix in WRAPPERS:
        mine = any(name.startswith(prefix) for name in own)
        if mine or not any(name.startswith(prefix) for name in state):
            continue
        if own or all(name.startswith(prefix) for name in state):
            state = rename(state, lambda name, p=prefix: name.removeprefix(p))
            return without_wrappers(state, own)
    return state


def rename(state: Mapping[str, Any], change: Any) -> Mapping[str, Any]:
    """Return weights under changed names, with the versions of their parts."""
    renamed = OrderedDict((change(name), state[name]) for name in state)
    versions = getattr(state, '_metadata', None)
    if versions is not None:
        renamed._metadata = OrderedDict(  # type: ignore[attr-defined]
            (change(f'{part}.')[:-1], value)
            for part, value in versions.items()
        )
    return renamed


def named_as(
    state: Mapping[str, Any], own: Iterable[str]
) -> tuple[Mapping[str, Any], str | None]:
    """Return weights under the names of a model, and the layout they had.

    A layout of ``LAYOUTS`` is recognised where no name is the model's and, by
    its rules, all are. Else it is None, and only wrappers are taken off.
    """
    own = set(own)
    state = without_wrappers(state, own)
    if own & set(state):
        return state, None
    for layout, rules in LAYOUTS.items():
        changed = rename(state, lambda name, r=rules: _translate(name, r))
        if all(name in own or name.endswith(COUNTERS) for name in changed):
            return changed, layout
    return state, None


def _translate(name: str, rules: Iterable[tuple[str, str]]) -> str:
    """Return a name by the rules of a layout."""
    for pattern, text in rules:
        name = re.sub(pattern, text, name)
    return name


def _load(path: str, trust: bool) -> Any:
    """Return what a file or URL holds, by mmengine or by torch alone."""
    if usable('mmengine'):
        from mmengine.runner.checkpoint import _load_checkpoint

        return _load_checkpoint(path, map_location='cpu')
    if '://' in path:
        return torch.hub.load_state_dict_from_url(
            path, map_location='cpu', weights_only=not trust
        )
    if Path(path).suffix == '.safetensors':
        return load_safetensors(path)
    if trust:
        return torch.load(path, map_location='cpu', weights_only=False)
    return read_plainly(path)


def load_safetensors(path: str) -> dict[str, Tensor]:
    """Load a ``.safetensors`` file; CheckpointError without the package."""
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f'{path} needs a package: pip install safetensors'
        ) from error
    return load_file(Path(path).expanduser())


def load_from_file(path: str, map_location: Any) -> Any:
    """Load a local checkpoint as mmengine does, or a ``.safetensors`` file."""
    if Path(path).suffix == '.safetensors':
        return load_safetensors(path)
    from mmengine.runner.checkpoint import load_from_local

    return load_from_local(path, map_location)


if usable('mmengine'):
    from mmengine.runner.checkpoint import CheckpointLoader

    CheckpointLoader.register_scheme('', load_from_file, force=True)
