"""Speed of LEARN: its training step, its inference, and its occluder.

    python -m benchmarks.learn [--quick] [--only NAME ...] [--json FILE]

``step``: one training step of ``mmocc.LEARNClassifier``, from uint8 images to
updated weights, over its floor: the frozen forward of the same clean and
occluded images, LEARN's and the head's own forward and backward, and the
optimizer's step. Occluder, losses, normalisation and checks must fit between.

``cache``: a training step that reads the clean images' features from disk
(``clean_cache``, float16, all of them there) over the same without, from uint8
images to updated weights.

``inference``: the classifier with LEARN over the same one without.

``occluder``: uint8 images to a normalised occluded batch, by
``mmocc.BatchOccluder`` and, image by image, by ``mmocc.Occlude``: how many
times faster the first is.

Predicted before the first run, for two CPU cores: steps at 1.02 (VGG-16),
1.04 (ResNet-50) and 1.06 (ResNet-18 at 32 px); inference at 1.01 and 1.04;
occluder 3 times faster over all kinds, 5 for white, 2 for object. Of
``cache``, which saves half of the backbone's work: 0.55 (VGG-16, ResNet-50)
and 0.65 (ResNet-18 at 32 px, where a file of 16 KiB costs as much as some of
the forward pass that it saves).
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from benchmarks.timing import Rivals, add_arguments, run_cases
from mmocc.datasets.transforms import Occlude
from mmocc.models.learn import BatchOccluder
from mmocc.models.learn.clean_cache import CleanCache
from mmocc.occlusion import KINDS

CONFIGS = Path(__file__).parents[1] / 'configs' / 'learn'
STEPS = (  # config, batch, side of the images
    ('resnet18_cifar10', 128, 32),
    ('resnet50_voc', 8, 224),
    ('vgg16_voc', 8, 224),
)
STEP_TARGET = 1.10
OCCLUDER_TARGET = 3.0
CACHE_TARGET = 0.75
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
AREA = (0.2, 0.8)

Cases = Iterator[tuple[str, Callable[[], Rivals]]]


def device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def write_banks(folder: Path) -> dict[str, str]:
    """Write textures and cut-outs; return them as bank arguments."""
    rng = np.random.default_rng(0)
    banks = dict(texture_bank=folder / 'textures', object_bank=folder / 'cuts')
    for bank in banks.values():
        bank.mkdir()
    y, x = np.mgrid[:128, :128]
    for index in range(8):
        coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
        texture = cv2.resize(coarse, (256, 256))
        cv2.imwrite(str(banks['texture_bank'] / f'{index}.png'), texture)
        inside = np.hypot(y - 64, (x - 64) * (1 + index / 8)) < 60
        cut = np.dstack([texture[:128, :128], 255 * inside.astype(np.uint8)])
        cv2.imwrite(str(banks['object_bank'] / f'{index}.png'), cut)
    return {name: str(bank) for name, bank in banks.items()}


def load_config(name: str, banks: dict[str, str]) -> Config:
    """Return a config of ours that needs no file but the given banks."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.data_preprocessor = cfg.data_preprocessor
    if 'texture_bank' in cfg.model.get('occluder', {}):
        cfg.model.occluder.update(banks)
    return cfg


def build(cfg: Config) -> ImageClassifier:
    """Build a config's model, with random weights."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg.model).to(device())


def batch_of(batch: int, side: int, classes: int) -> dict:
    """Return uint8 images and their labels, as a dataloader gives them."""
    images = torch.randint(256, (batch, 3, side, side), dtype=torch.uint8)
    samples = [
        DataSample(metainfo=dict(sample_idx=i)).set_gt_label(i % classes)
        for i in range(batch)
    ]
    return dict(inputs=images, data_samples=samples)


def training_step(
    name: str, batch: int, side: int, banks: dict[str, str]
) -> Rivals:
    """Return a config's training step and its floor."""
    cfg = load_config(name, banks)
    torch.manual_seed(0)
    model = build(cfg).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data = batch_of(batch, side, model.head.num_classes)
    inputs = model.data_preprocessor(data, True)['inputs']
    both = torch.cat([inputs, model.occluder(inputs)[0]])
    feat = model.frozen_feature(both)
    repaired, z = model.learn.repair(feat)
    parts = (repaired, z, model.logits(repaired))
    grads = [1e-6 * torch.randn_like(part) for part in parts]

    def floor() -> None:
        feat = model.frozen_feature(both)
        repaired, z = model.learn.repair(feat)
        parts = (repaired, z, model.logits(repaired))
        torch.autograd.backward(parts, grads)
        optim_wrapper.step()
        optim_wrapper.zero_grad()

    return Rivals(
        f'step {name} at {side} px, batch {batch} / floor',
        lambda: model.train_step(data, optim_wrapper),
        floor,
        target=STEP_TARGET,
    )


def cached_step(
    name: str, batch: int, side: int, banks: dict[str, str]
) -> Rivals:
    """Return a config's training step with clean features on disk."""
    cfg = load_config(name, banks)
    torch.manual_seed(0)
    folder = Path(banks['texture_bank']).parent / f'cache-{name}'
    cfg.model.clean_cache = str(folder)
    model = build(cfg).train()
    cache = model.clean_cache
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data = batch_of(batch, side, model.head.num_classes)

    def step(cache: CleanCache | None) -> None:
        model.clean_cache = cache
        model.train_step(data, optim_wrapper)

    return Rivals(
        f'step {name} at {side} px, batch {batch}, clean features on disk / '
        'without',
        partial(step, cache),
        partial(step, None),
        target=CACHE_TARGET,
    )


def inference(name: str, batch: int, side: int) -> Rivals:
    """Return a config's inference with LEARN and without it."""
    cfg = load_config(name, {})
    model = build(cfg).eval()
    plain = build(load_config(f'{name}-baseline', {})).eval()
    inputs = torch.randn(batch, 3, side, side, device=device())

    @torch.no_grad()
    def infer(model: ImageClassifier) -> Tensor:
        return model(inputs, mode='tensor')

    return Rivals(
        f'inference {name} at {side} px, batch {batch} / without LEARN',
        partial(infer, model),
        partial(infer, plain),
        per=batch,
    )


def occluder(
    kinds: tuple[str, ...], banks: dict[str, str], batch: int = 64
) -> Rivals:
    """Return the occluder of batches, and the loop over images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, 224, 224, 3), np.uint8)
    norm = dict(mean=MEAN, std=STD, bgr_to_rgb=True)
    ours = BatchOccluder(kinds=kinds, area=AREA, **norm, **banks)
    ours.to(device())
    one = Occlude(kind=kinds, level=AREA, region='image', **banks)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    whole = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def normalise(image: Tensor) -> Tensor:
        image = image.flip(-3).float()
        return image.sub_(mean.to(image.device)).div_(std.to(image.device))

    def as_batch() -> Tensor:
        return ours(normalise(whole.to(device())), inplace=True)[0]

    def as_loop() -> Tensor:
        done = []
        for index, image in enumerate(images):
            result = one(dict(img=image, sample_idx=index))['img']
            done.append(normalise(torch.from_numpy(result).permute(2, 0, 1)))
        return torch.stack(done).to(device())

    name = kinds[0] if len(kinds) == 1 else 'all kinds'
    return Rivals(
        f'occluder {name} at 224 px, batch {batch}, times faster than a loop',
        as_batch,
        as_loop,
        per=batch,
        faster=True,
        target=OCCLUDER_TARGET if len(kinds) > 1 else None,
    )


def cases(banks: dict[str, str]) -> Cases:
    """Yield names of cases and what sets each up."""
    for kinds in (KINDS, *((kind,) for kind in KINDS)):
        name = kinds[0] if len(kinds) == 1 else 'all'
        yield f'occluder-{name}', partial(occluder, kinds, banks)
    for name, batch, side in STEPS:
        yield f'step-{name}', partial(training_step, name, batch, side, banks)
    for name, batch, side in STEPS:
        yield f'cache-{name}', partial(cached_step, name, batch, side, banks)
    for name, batch, side in STEPS[1:]:
        yield f'inference-{name}', partial(inference, name, batch, side)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Measure the speed of LEARN')
    add_arguments(parser, 15, 'step-vgg16, inference or occluder-white')
    return parser.parse_args()


def main() -> None:
    """Measure, print one table, and write it."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        run_cases(cases(write_banks(Path(folder))), args)


if __name__ == '__main__':
    main()
