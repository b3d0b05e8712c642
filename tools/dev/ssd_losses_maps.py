"""Maps of a frozen trunk for ssd_losses.py, computed once."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from torch import Tensor, nn

from mmocc.registry import MODELS

CONFIG = Path(__file__).parents[2] / 'configs/dea/ssdlite-lite0_diou_bccd.py'
BATCH = 8
RIGID = (
    'aeroplane bicycle boat bottle bus car chair diningtable motorbike sofa '
    'train tvmonitor'
)
SETS: dict[str, dict[str, Any]] = {
    'bccd_voc': dict(
        classes=('RBC', 'WBC', 'Platelets'),
        train='train_subset',
        test='test',
        views=8,
    ),
    'voc07_rigid12_crops': dict(
        classes=tuple(RIGID.split()),
        train='train_whole',
        test='test_whole',
        views=2,
        # It cuts the objects: AP75 is 7 with it, and 50 without.
        without=('MinIoURandomCrop',),
    ),
}
# A link to bccd_voc of this name: the same photos, never cut.
SETS['bccd_voc_uncut'] = dict(SETS['bccd_voc'], without=('MinIoURandomCrop',))


class Cached(NamedTuple):
    """Maps of photos and what is in them."""

    maps: list[Tensor]  # each (n, C_l, h_l, w_l), float16
    samples: list[DetDataSample]  # n, without predictions


def read_config(data: Path) -> Config:
    """Return the config of a data set that SETS names."""
    chosen = SETS[data.name]
    cfg = Config.fromfile(CONFIG)
    for loader, key in (('train', 'train'), ('test', 'test')):
        cfg[f'{loader}_dataloader'].dataset.update(
            data_root=str(data),
            ann_file=f'ImageSets/Main/{chosen[key]}.txt',
            metainfo=dict(classes=chosen['classes']),
        )
    dataset = cfg.train_dataloader.dataset
    left_out = chosen.get('without', ())
    dataset.pipeline = [
        step for step in dataset.pipeline if step['type'] not in left_out
    ]
    return with_classes(cfg, data.name)


def with_classes(cfg: Config, name: str) -> Config:
    """Set the number of classes of a data set; return the config."""
    cfg.model.bbox_head.num_classes = len(SETS[name]['classes'])
    return cfg


def fix(seed: int) -> None:
    """Seed all draws."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@torch.no_grad()
def look(model: nn.Module, images: Iterable[dict]) -> Cached:
    """Return the cached maps of packed images, in their order."""
    parts, samples, batch = [], [], []

    def add() -> None:
        data = model.data_preprocessor(pseudo_collate(batch), False)
        maps = model.backbone(data['inputs'])
        parts.append([level.half() for level in maps])
        samples.extend(data['data_samples'])
        batch.clear()

    for image in images:
        batch.append(image)
        if len(batch) == BATCH:
            add()
    if batch:
        add()
    return Cached([torch.cat(x) for x in zip(*parts, strict=True)], samples)


def store_maps(data: Path, out: Path) -> None:
    """Write the maps of a data set: draws to train on, and plain photos."""
    cfg = read_config(data)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    train = DATASETS.build(cfg.train_dataloader.dataset)
    test = DATASETS.build(cfg.test_dataloader.dataset)
    held = cfg.test_dataloader.dataset.copy()
    held.ann_file = cfg.train_dataloader.dataset.ann_file
    held = DATASETS.build(held)

    def draws() -> Iterator[dict]:
        for view in range(SETS[data.name]['views']):
            fix(view)
            yield from (train[i] for i in range(len(train)))

    splits = dict(
        train=look(model, draws()),
        held=look(model, (held[i] for i in kept_back(len(held)))),
        test=look(model, (test[i] for i in range(len(test)))),
    )
    out.mkdir(parents=True, exist_ok=True)
    content = {name: tuple(part) for name, part in splits.items()}
    torch.save(dict(content, photos=len(train)), out / f'{data.name}.pth')


def kept_back(photos: int) -> range:
    """Return which of the training photos are for tuning: the last quarter."""
    return range(photos * 3 // 4, photos)
