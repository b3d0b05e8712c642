"""Maps of EfficientNet-Lite0 on 12 classes of VOC, clean and occluded.

For ``learn_voc12_cached.py``. In most of its rows the first five stages never
train, so their map (112 x 14 x 14) and the last one (1280 x 7 x 7) of each
image are stored once, beside the image itself.
"""

import copy
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from learn_voc12_mixes import HIDING, Mixed, Twins
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmocc.datasets.transforms.occlude import Occlude
from mmocc.datasets.voc_objects import VOCObjects
from mmocc.models.backbones.efficientnet_lite import EfficientNetLite
from mmocc.models.backbones.packaged_weights import PackagedWeights
from mmocc.models.learn.learn import LEARN
from mmocc.occlusion import HARD_LEVELS, KINDS, OccluderBank, cell_names
from mmocc.report.cells import make_occlude, occlude_dataset

CLASSES = (
    'aeroplane', 'bicycle', 'boat', 'bottle', 'bus', 'car',
    'chair', 'diningtable', 'motorbike', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs'),
]
NUM_TRAIN_KINDS = 8  # of the ten kinds of DTD; the other two are for the test
VARIANTS = 5  # occluded copies of a training image
MIXES = 2  # mixed copies of one, for the other controls
MORE = 5  # further ones, so that in ten epochs none is seen twice
STAGES = ('inner', 'stage6', 'stage7', 'last')  # where a LEARN may stand
CHANNELS = dict(inner=112, stage6=192, stage7=320, last=1280)
FILES = dict(  # what is stored of an image
    images=((3, 224, 224), np.uint8),
    inner=((112, 14, 14), np.float16),
    last=((1280, 7, 7), np.float16),
)
BASE = 'base.pth'  # network and head of a folder, if not ImageNet's
Maps = dict[str, np.ndarray]


class Folded(nn.Module):
    """A block of the backbone with its batch norms inside its convolutions."""

    def __init__(self, pairs: Iterable[tuple], act: bool, skip: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(fuse_conv_bn_eval(*pair) for pair in pairs)
        self.act, self.skip = act, skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map; ReLU6 after all or all but the last."""
        y = x
        for number, conv in enumerate(self.convs, start=1):
            y = conv(y)
            if self.act or number < len(self.convs):
                y = F.relu6(y)
        return x + y if self.skip else y


def fold(block: nn.Module) -> Folded:
    """Return a block of ``EfficientNetLite``, folded."""
    parts = list(copy.deepcopy(block).eval().children())
    return Folded(zip(parts[::2], parts[1::2], strict=True), False, block.skip)


def backbone(base: Path | None = None) -> nn.ModuleDict:
    """Return the network in parts: up to the inner map, then its tail.

    With ImageNet's weights, or with those of ``base``, of a ``run``.
    """
    net = EfficientNetLite(init_cfg=None)
    PackagedWeights('efficientnet-lite0')(net)
    net.eval()
    stages = [nn.Sequential(*map(fold, stage)) for stage in net.blocks]
    stem = Folded([(net.conv_stem, net.bn1)], True, False)
    head = Folded([(net.conv_head, net.bn2)], True, False)
    parts = dict(
        front=nn.Sequential(stem, *stages[:5]),
        stage6=stages[5],
        stage7=stages[6],
        last=head,
    )
    found = nn.ModuleDict(parts)
    if base is not None:
        found.load_state_dict(torch.load(base)['net'])
    return found.to(memory_format=torch.channels_last)


def sample_set(root: Path, split: str, *steps: dict) -> VOCObjects:
    """Return the objects of a list; more steps come before the packing."""
    init_default_scope('mmpretrain')
    pipeline = [*PIPELINE[:-1], *steps, PIPELINE[-1]]
    found = VOCObjects(
        root / 'voc07_rigid12_crops', split, classes=CLASSES, pipeline=pipeline
    )
    found.full_init()
    return found


def whole_names(root: Path, split: str) -> set[str]:
    """Return the objects that nothing hides as photographed."""
    dataset = sample_set(root, f'{split}_whole')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {info['object_id'] for info in infos}


def bank_folders(root: Path, train: bool) -> tuple[list[Path], Path]:
    """Return the folders of textures and that of cut-outs."""
    kinds = sorted(p for p in (root / 'dtd_80').iterdir() if p.is_dir())
    part = kinds[:NUM_TRAIN_KINDS] if train else kinds[NUM_TRAIN_KINDS:]
    return part, root / 'coco_cutouts' / ('train' if train else 'val')


def bank(root: Path, train: bool) -> OccluderBank:
    """Return the occluders of training or those of the test."""
    return OccluderBank(list(KINDS), *bank_folders(root, train), 256)


@torch.inference_mode()
def write_maps(
    net: nn.ModuleDict, dataset: Any, places: Sequence[int], out: Maps
) -> None:
    """Write the images and the maps of some samples, where asked for."""
    for start in range(0, len(places), 16):
        some = places[start : start + 16]
        images = torch.stack([dataset[i]['inputs'] for i in some])
        maps = net['front'](prepare(images))
        part = slice(start, start + len(some))
        out['inner'][part] = maps.half().numpy()
        if 'images' in out:
            out['images'][part] = images.numpy()
        if 'last' in out:
            out['last'][part] = tail(net, maps)['last'].half().numpy()


def prepare(images: Tensor) -> Tensor:
    """Return BGR images of 0 to 255 as the network takes them."""
    return channels_last((images.flip(1).float() - 127) / 128)


def store_maps(root: Path, out: Path, every: int) -> None:
    """Store the maps of all variants of train, and of all cells of test."""
    out.mkdir(parents=True, exist_ok=True)
    net = backbone()
    for split, occlusions, step in (
        ('train', train_variants(root), 1),
        ('test', test_cells(root), every),
    ):
        dataset = sample_set(root, split)
        places = range(0, len(dataset), step)
        infos = [dataset.get_data_info(i) for i in places]
        labels = [info['gt_label'] for info in infos]
        names = whole_names(root, split)
        whole = [info['object_id'] in names for info in infos]
        photos = [Path(info['img_path']).stem for info in infos]
        np.savez(out / f'{split}.npz', label=labels, whole=whole, photo=photos)
        size = len(occlusions), len(places)
        files = {name: new_file(out, split, name, size) for name in FILES}
        for number, occlude in enumerate(occlusions):
            seen = dataset
            if occlude is not None:
                seen = occlude_dataset(dataset, occlude, split)
            part = {name: maps[number] for name, maps in files.items()}
            write_maps(net, seen, places, part)
            print(split, number + 1, 'of', len(occlusions), flush=True)


def new_file(
    out: Path, split: str, name: str, size: tuple[int, int]
) -> np.ndarray:
    """Return an empty file of images or maps: size[0] times size[1] of them.

    What is behind an underscore in a file's name is the kind of its maps.
    """
    shape, dtype = FILES[name.split('_')[-1]]
    path = out / f'{split}_{name}.npy'
    return np.lib.format.open_memmap(path, 'w+', dtype, (*size, *shape))


class Stored:
    """Images of a file, as a data set gives them."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return one image."""
        return dict(inputs=torch.tensor(self.images[index]))


def store_again(folder: Path, base: Path, out: Path) -> None:
    """Store the maps of the same images by a network that has been trained.

    Args:
        folder: What ``maps`` has stored.
        base: The network and its head, kept by a ``run``.
        out: Where the maps go, as ``maps`` would have them.
    """
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(base, out / BASE)
    net = backbone(base)
    for split in ('train', 'test'):
        shutil.copy(folder / f'{split}.npz', out)
        images = out / f'{split}_images.npy'
        images.unlink(missing_ok=True)
        images.symlink_to((folder / images.name).resolve())
        stored = np.load(images, mmap_mode='r')
        size = stored.shape[:2]
        files = {
            name: new_file(out, split, name, size)
            for name in ('inner', 'last')
        }
        for number, seen in enumerate(stored):
            part = {name: maps[number] for name, maps in files.items()}
            write_maps(net, Stored(seen), range(size[1]), part)
            print(split, number + 1, 'of', size[0], flush=True)


def store_more(root: Path, out: Path) -> None:
    """Store the inner maps of further occluded copies of training images.

    ``train_more_inner.npy`` has those of ``train_inner.npy`` first.
    """
    net = backbone()
    stored = np.load(out / 'train_inner.npy', mmap_mode='r')
    label = np.load(out / 'train.npz')['label']
    size = len(stored) + MORE, len(label)
    maps = new_file(out, 'train', 'more_inner', size)
    maps[: len(stored)] = stored
    dataset = sample_set(root, 'train')
    for number, occlude in enumerate(train_variants(root, 2000, MORE)[1:]):
        seen = occlude_dataset(dataset, occlude, 'train')
        part = dict(inner=maps[len(stored) + number])
        write_maps(net, seen, range(len(label)), part)
        print('more', number + 1, 'of', MORE, flush=True)
    np.savez(
        out / 'train_more.npz', other=[label] * size[0], share=np.ones(size)
    )


def store_mixes(root: Path, out: Path, kinds: Iterable[str]) -> None:
    """Store the inner maps of the other controls' training images.

    ``train_KIND_inner.npy`` has the clean ones first, as the file of the
    occluded ones; ``train_KIND.npz`` the partner's label and the own share.
    """
    net = backbone()
    clean = np.load(out / 'train_inner.npy', mmap_mode='r')
    label = np.load(out / 'train.npz')['label']
    places = range(len(label))
    for kind in kinds:
        size = 1 + MIXES, len(label)
        maps = new_file(out, 'train', f'{kind}_inner', size)
        maps[0] = clean[0]
        others, shares = [label], [np.ones(len(label))]
        for number in range(1, len(maps)):
            np.random.seed(1000 + number)  # the pipeline's own source
            steps = [HIDING[kind]] if kind in HIDING else []
            seen = sample_set(root, 'train', *steps)
            other = label
            if kind == 'twins':
                folders = bank_folders(root, train=True)
                seen = Twins(seen, 1000 + number, *folders)
            elif kind not in HIDING:
                seen = Mixed(seen, kind, 1000 + number)
                other = label[seen.partners]
            others.append(other)
            write_maps(net, seen, places, dict(inner=maps[number]))
            shares.append(getattr(seen, 'shares', np.ones(len(label))))
            print(kind, number, 'of', len(maps) - 1, flush=True)
        np.savez(out / f'train_{kind}.npz', other=others, share=shares)


def train_variants(
    root: Path, start: int = 1000, count: int = VARIANTS
) -> list[Occlude | None]:
    """Return what makes each variant of a training image: clean first."""
    args = dict(kind=KINDS, level=HARD_LEVELS, bank=bank(root, train=True))
    seeds = range(start, start + count)
    return [None, *(Occlude(seed=seed, **args) for seed in seeds)]


def test_cells(root: Path) -> list[Occlude | None]:
    """Return the occlusions of the report's 13 cells."""
    args = dict(seed=0, bank=bank(root, train=False))
    return [make_occlude(cell, **args) for cell in cell_names()]


def channels_last(x: Tensor) -> Tensor:
    """Return a map in the memory layout that is fastest on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


def tail(
    net: nn.ModuleDict,
    x: Tensor,
    learns: dict[str, LEARN] | nn.ModuleDict = {},
    start: str = 'inner',
) -> dict[str, Tensor]:
    """Return the maps from ``start`` to the last one, repaired; latents."""
    maps = {}
    for place in STAGES[STAGES.index(start) :]:
        if place != start:
            x = net[place](x)
        if place in learns:
            x, maps[f'{place} latent'] = learns[place].repair_map(x)
        maps[place] = x
    return maps
