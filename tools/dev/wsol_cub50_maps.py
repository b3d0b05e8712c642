"""Inner maps of EfficientNet-Lite0 on CUB-50, whole, hidden and occluded.

For ``wsol_cub50.py``. The first six stages never train there, so their map
(192 x 7 x 7) of each image is stored once; of a training image for each draw
of crop and flip, whole, hidden by Hide-and-Seek and mixed by CutMix; of some
test photos also in a few cells of the report.
"""

import io
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from learn_voc12_maps import backbone, channels_last
from mmengine.registry import init_default_scope
from mmpretrain.models.utils.batch_augments import CutMix
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import one_hot

from mmocc.datasets.wsol_dataset import WSOLDataset
from mmocc.models.hide_and_seek import BatchHideAndSeek
from mmocc.occlusion import OccluderBank, split_cell
from mmocc.report.cells import make_occlude

CLASSES = 50
GRIDS = (16, 32, 44, 56)
KINDS = ('whole', *(f'has{grid}' for grid in GRIDS), 'cutmix')
CELLS = ('L1 white', 'L2 white', 'L3 white', 'L2 texture', 'L2 object')
EVERY_CELL = 4  # every fourth test photo is occluded
DRAWS, PARTS = 3, 6
BATCH = 16
SHAPE = (192, 7, 7)
Front = Callable[[Tensor], Tensor]
MEAN = (124.0, 128.8, 112.4)  # of the training photos, RGB; what hides
VALIDATION = 5  # each fifth training photo of a class
LOAD = dict(type='LoadImageFromFile')
PACK = dict(type='PackInputs')
TEST = [LOAD, dict(type='Resize', scale=(224, 224)), PACK]
# As clovaai/wsolevaluation
TRAIN = [
    LOAD,
    dict(type='Resize', scale=(256, 256)),
    dict(type='RandomCrop', crop_size=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    PACK,
]


def photos(root: Path, split: str, with_boxes: bool = True) -> WSOLDataset:
    """Return the photos of a split; training reads no boxes."""
    init_default_scope('mmpretrain')
    return WSOLDataset(
        'cub',
        str(root),
        split,
        with_boxes=with_boxes,
        pipeline=TEST if with_boxes else TRAIN,
    )


def split_train(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of training and of validation photos."""
    order = np.zeros(len(labels), int)
    for label in np.unique(labels):
        own = labels == label
        order[own] = np.arange(own.sum())
    held = order % VALIDATION == VALIDATION - 1
    return np.flatnonzero(~held), np.flatnonzero(held)


def load(dataset: WSOLDataset, places: np.ndarray) -> Tensor:
    """Return normalised photos (N, 3, 224, 224)."""
    images = torch.stack([dataset[int(i)]['inputs'] for i in places])
    return (images.flip(1).float() - 127) / 128  # BGR to RGB


def variants(images: Tensor, scores: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return images and scores (N, classes) of each of :data:`KINDS`."""
    pairs = [(images, scores)]
    # The hidden value is the data's mean; that of the network is another.
    mean = ((torch.tensor(MEAN) - 127) / 128).view(3, 1, 1)
    for grid in GRIDS:
        hide = BatchHideAndSeek((grid,)).train()
        pairs.append((hide(images - mean)[0] + mean, scores))
    pairs.append(CutMix(alpha=1.0).mix(images.clone(), scores.clone()))
    return pairs


@torch.inference_mode()
def store_part(
    front: Front, root: Path, out: Path, draw: int, part: int
) -> None:
    """Store the maps of a part of the training photos, in one draw."""
    dataset = photos(root, 'train', with_boxes=False)
    labels = np.array([d['gt_label'] for d in dataset.load_data_list()])
    places, _ = split_train(labels)
    # CutMix takes its partners from the batch: its classes are mixed.
    order = np.random.default_rng(draw).permutation(len(places))
    order = order[part::PARTS]
    np.random.seed(1000 * draw + part)
    torch.manual_seed(1000 * draw + part)
    maps, scores = [], []
    for start in range(0, len(order), BATCH):
        at = places[order[start : start + BATCH]]
        target = one_hot(torch.tensor(labels[at]), CLASSES).float()
        pairs = variants(load(dataset, at), target)
        maps.append([front(x).half().numpy() for x, _ in pairs])
        scores.append([y.numpy() for _, y in pairs])
    np.savez(
        out / f'train_{draw}_{part}.npz',
        maps=np.concatenate(maps, axis=1),  # (kinds, photos, *SHAPE)
        scores=np.concatenate(scores, axis=1),
    )


@torch.inference_mode()
def store_test(front: Front, root: Path, out: Path, split: str) -> None:
    """Store the maps and the truth of ``val`` or ``test``."""
    dataset = photos(root, 'test' if split == 'test' else 'train')
    infos = dataset.load_data_list()
    labels = np.array([info['gt_label'] for info in infos])
    places = np.arange(len(infos))
    if split == 'val':
        _, places = split_train(labels)
    maps = [
        front(load(dataset, places[i : i + BATCH]))
        for i in range(0, len(places), BATCH)
    ]
    # One box in each photo
    boxes = np.stack([infos[i]['gt_bboxes'][0] for i in places])
    sizes = [Image.open(infos[i]['img_path']).size[::-1] for i in places]
    np.savez(
        out / f'{split}.npz',
        maps=torch.cat(maps).half().numpy(),
        label=labels[places],
        boxes=boxes,
        sizes=sizes,
    )


@torch.inference_mode()
def store_cell(front: Front, root: Path, out: Path, number: int) -> None:
    """Store the maps of some test photos in a cell of the report.

    The object is the bird's box, in the photo as it was loaded.
    """
    cell = CELLS[number]
    dataset = photos(root, 'test')
    bank = OccluderBank(
        [split_cell(cell)[1]], 'builtin:test', 'builtin:test', 256
    )
    occlude = make_occlude(cell, seed=0, bank=bank, region='box')
    dataset.pipeline.transforms.insert(1, occlude)
    places = np.arange(0, len(dataset), EVERY_CELL)
    maps = [
        front(load(dataset, places[i : i + BATCH]))
        for i in range(0, len(places), BATCH)
    ]
    np.savez(out / f'cell_{number}.npz', maps=torch.cat(maps).half().numpy())


def trunk() -> Front:
    """Return the frozen part of the network.

    With ``onnxruntime`` and ``onnx`` installed, it runs there: the maps agree
    to 5e-5, in less than half of the time.
    """
    parts = backbone()
    net = nn.Sequential(parts['front'], parts['stage6']).eval()
    if find_spec('onnxruntime') is None or find_spec('onnx') is None:
        return lambda images: net(channels_last(images))
    import onnxruntime

    file = io.BytesIO()
    example = torch.zeros(2, 3, 224, 224)
    torch.onnx.export(
        net,
        (example,),
        file,
        dynamo=False,
        input_names=['images'],
        dynamic_axes=dict(images={0: 'number'}),
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file.getvalue(), options)

    def run(images: Tensor) -> Tensor:
        feed = dict(images=images.contiguous().numpy())
        return torch.from_numpy(session.run(None, feed)[0])

    return run


@torch.inference_mode()
def read_maps(folder: Path, name: str, start: str) -> np.ndarray:
    """Return stored maps (..., C, 7, 7) of ``stage6``, or of ``stage7``.

    Those of stage 7 are made from those of stage 6 once, and stored.
    """
    file = folder / f'{name}_{start}.npy'
    if start == 'stage6':
        return np.load(folder / f'{name}.npz')['maps']
    if not file.exists():
        stage7 = backbone()['stage7']
        maps = read_maps(folder, name, 'stage6')
        flat = torch.from_numpy(maps.reshape(-1, *SHAPE))
        found = [
            stage7(channels_last(part.float())).half()
            for part in flat.split(64)
        ]
        whole = torch.cat(found).numpy()
        half = file.with_suffix(f'.{os.getpid()}.npy')
        np.save(half, whole.reshape(*maps.shape[:-3], *whole.shape[1:]))
        half.rename(file)
    return np.load(file)


def store_maps(front: Front, root: Path, out: Path, draws: int) -> None:
    """Store all maps; what is there already stays."""
    out.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple] = [(store_test, 'val', ('val',))]
    jobs += [(store_test, 'test', ('test',))]
    for draw in range(draws):
        for part in range(PARTS):
            jobs.append((store_part, f'train_{draw}_{part}', (draw, part)))
    for number in range(len(CELLS)):
        jobs.append((store_cell, f'cell_{number}', (number,)))
    for store, name, args in jobs:
        if not (out / f'{name}.npz').exists():
            begin = time.process_time()
            store(front, root, out, *args)
            used = time.process_time() - begin
            print(name, f'{used:.0f} s', flush=True)
