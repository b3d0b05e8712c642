"""Speed of LEARN: its training step, its inference, and its occluder.

    python -m benchmarks.learn [--quick] [--only NAME ...] [--json FILE]

``step``: one training step of ``mmocc.LEARNClassifier``, from uint8 images to
updated weights, compared with its floor: the frozen forward of the same clean
and occluded images, LEARN's and the head's forward and backward, and the
optimizer's step. Occluder, losses, normalisation and checks must fit between.

``cache``: the same step with the clean images' features read from disk
(``clean_cache``, float16, all of them there), compared with the step without.

``epoch``: the step of the first epoch, compared with the frozen network's
forward of the clean and the occluded images alone; and that of later ones,
with the clean features on disk, compared with its forward of the occluded
images. Predicted: VGG-16 1.03 and 1.05, ResNet-50 1.10 and 1.20,
EfficientNet-Lite0 1.3 and 1.6: the smaller the network, the more LEARN weighs.

``inference``: the classifier with LEARN, compared with the one without.

``occluder``: how many times faster than a loop of ``mmocc.Occlude``
``mmocc.BatchOccluder`` turns uint8 images into a normalised occluded batch.
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
from mmengine.optim import OptimWrapper, build_optim_wrapper
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
EPOCH_TARGET = 1.15
EPOCHS = (*STEPS[1:], ('efficientnet-lite0_voc12', 32, 224))
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


def load_config(
    name: str, banks: dict[str, str], **changes: str | None
) -> Config:
    """Return a config of ours that needs no file but the given banks."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.update(data_preprocessor=cfg.data_preprocessor, **changes)
    if 'texture_bank' in cfg.model.get('occluder', {}):
        cfg.model.occluder.update(banks, variants=None)
    return cfg


def build(cfg: Config) -> ImageClassifier:
    """Build a config's model, with random weights."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg.model).to(device())


def prepare(
    name: str,
    batch: int,
    side: int,
    banks: dict[str, str],
    **changes: str | None,
) -> tuple[ImageClassifier, OptimWrapper, dict]:
    """Return a config's model, its optimizer, and uint8 images with labels."""
    cfg = load_config(name, banks, **changes)
    model = build(cfg).train()
    images = torch.randint(256, (batch, 3, side, side), dtype=torch.uint8)
    samples = [
        DataSample(metainfo=dict(sample_idx=i)).set_gt_label(
            i % model.head.num_classes
        )
        for i in range(batch)
    ]
    return (
        model,
        build_optim_wrapper(model, cfg.optim_wrapper),
        dict(inputs=images, data_samples=samples),
    )


def training_step(
    name: str, batch: int, side: int, banks: dict[str, str]
) -> Rivals:
    """Return a config's training step and its floor."""
    model, optim_wrapper, data = prepare(name, batch, side, banks)
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
    folder = Path(banks['texture_bank']).parent / f'cache-{name}'
    model, optim_wrapper, data = prepare(
        name, batch, side, banks, clean_cache=str(folder)
    )
    cache = model.clean_cache

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


def epoch_step(
    later: bool, name: str, batch: int, side: int, banks: dict[str, str]
) -> Rivals:
    """Return a training step and the frozen network's share of it.

    Args:
        later: The clean features are on disk, as from the second epoch on.
        name: Of the config.
        batch: Clean images of a step.
        side: Of the images, in pixels.
        banks: Of the occluder.
    """
    folder = Path(banks['texture_bank']).parent / f'epoch-{name}'
    cache = str(folder) if later else None  # a config may have one of its own
    model, optim_wrapper, data = prepare(
        name, batch, side, banks, clean_cache=cache
    )
    inputs = model.data_preprocessor(data, True)['inputs']
    seen = model.occluder(inputs)[0]
    if not later:
        seen = torch.cat([inputs, seen])
    return Rivals(
        f'{"later" if later else "first"} epoch of {name} at {side} px, '
        f'batch {batch} / frozen network alone',
        lambda: model.train_step(data, optim_wrapper),
        lambda: model.frozen_feature(seen),
        target=EPOCH_TARGET,
    )


def inference(name: str, batch: int, side: int) -> Rivals:
    """Return a config's inference with LEARN and without it."""
    model, plain = (
        build(load_config(f'{name}{suffix}', {})).eval()
        for suffix in ('', '-baseline')
    )
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
        occluded = (
            one(dict(img=image, sample_idx=index))['img']
            for index, image in enumerate(images)
        )
        images_chw = (torch.from_numpy(x).permute(2, 0, 1) for x in occluded)
        return torch.stack(list(map(normalise, images_chw))).to(device())

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
    """Yield names of cases and functions that set them up."""
    for kinds in (KINDS, *((kind,) for kind in KINDS)):
        name = kinds[0] if len(kinds) == 1 else 'all'
        yield f'occluder-{name}', partial(occluder, kinds, banks)
    for what, step in (('step', training_step), ('cache', cached_step)):
        for case in STEPS:
            yield f'{what}-{case[0]}', partial(step, *case, banks)
    for case in EPOCHS:
        for later in (False, True):
            name = f'epoch-{case[0]}-{"later" if later else "first"}'
            yield name, partial(epoch_step, later, *case, banks)
    for case in STEPS[1:]:
        yield f'inference-{case[0]}', partial(inference, *case)


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
