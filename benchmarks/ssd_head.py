"""Speed and memory of SSD's head: ours against mmdet's, in turns.

    python -m benchmarks.ssd_head [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.ssd_head --memory [--only NAME ...]

``loss``: the head's loss forward and backward to its maps, the assignment of
targets included, for SSD300 on classes of VOC (20) or COCO (80). ``step``: a
whole training step of SSD300 with VGG-16. As in COCO, images have about seven
objects. Both heads get the same maps and objects, and their losses must agree
to 1e-6.

``--memory``: the most memory that one ``loss`` needs beyond its maps, in a
separate process (on a CPU, as Linux counts it).

Predicted before the first run, for two CPU cores: the loss 3 times faster at
batch 8 and 32 with 20 classes and 2.5 times with 80, because reading the
scores takes longer; a step 0.97 of mmdet's, because VGG-16 is nearly all of
it; memory 0.6 of mmdet's.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor

from benchmarks.memory import peak_mib
from benchmarks.timing import Result, Rivals, add_arguments, run_cases

LOSS_TARGET = 2.0
STEP_TARGET = 1.0
MEMORY_TARGET = 1.0
SIDE = 300
SIZES = (38, 19, 10, 5, 3, 1)
CLASSES = dict(voc=20, coco=80)
CONFIGS = dict(voc='pascal_voc/ssd300_voc0712.py', coco='ssd/ssd300_coco.py')
HEADS = dict(ours='mmocc.SSDIoUHead', other='mmdet.SSDHead')

Maps = list[list[Tensor]]
Cases = Iterator[tuple[str, Callable[[], Rivals | Result]]]


def device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def load_config(data: str) -> ConfigDict:
    """Return mmdet's model of SSD300, without weights to fetch."""
    cfg = get_config(f'mmdet::{CONFIGS[data]}').model
    cfg.backbone.pop('init_cfg')
    return cfg


def build(data: str, who: str) -> torch.nn.Module:
    """Return SSD300 with a head, with the same random weights each time."""
    init_default_scope('mmdet')
    cfg = load_config(data)
    cfg.bbox_head.type = HEADS[who]
    torch.manual_seed(0)
    return MODELS.build(cfg).to(device())


def objects(batch: int, classes: int) -> list[InstanceData]:
    """Draw ground truth: one and a number with mean 6, of many sizes."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(batch):
        count = 1 + rng.geometric(1 / 7) - 1
        size = np.exp(rng.uniform(np.log(15), np.log(250), (count, 2)))
        low = rng.uniform(0, SIDE - size)
        boxes = np.hstack([low, low + size])
        labels = rng.integers(0, classes, count)
        images.append(
            InstanceData(
                bboxes=torch.tensor(boxes).float().to(device()),
                labels=torch.tensor(labels).to(device()),
            )
        )
    return images


def batch_of(data: str, batch: int) -> dict:
    """Return uint8 images and objects, as a dataloader gives them."""
    image = torch.randint(256, (3, SIDE, SIDE), dtype=torch.uint8)
    return pack([image] * batch, objects(batch, CLASSES[data]))


def pack(images: Sequence[Tensor], truth: Sequence[InstanceData]) -> dict:
    """Return images and the objects on them, as a dataloader gives them."""
    samples = []
    for image, objects_of in zip(images, truth, strict=True):
        shape = tuple(image.shape[-2:])
        meta = dict.fromkeys(('img_shape', 'pad_shape', 'ori_shape'), shape)
        sample = DetDataSample(metainfo=dict(meta, scale_factor=(1.0, 1.0)))
        sample.gt_instances = objects_of
        sample.ignored_instances = objects_of[:0]
        samples.append(sample)
    return dict(inputs=list(images), data_samples=samples)


def make_maps(head: torch.nn.Module, batch: int) -> Maps:
    """Draw the maps of all levels: scores, then deltas."""
    generator = torch.Generator().manual_seed(0)
    return [
        [
            torch.randn(
                *(batch, priors * channels, size, size), generator=generator
            )
            .to(device())
            .requires_grad_()
            for priors, size in zip(head.num_base_priors, SIZES, strict=True)
        ]
        for channels in (head.cls_out_channels, 4)
    ]


def learn(
    head: torch.nn.Module, maps: Maps, gts: list[InstanceData]
) -> Tensor:
    """Return the head's loss, after the backward pass to the maps."""
    meta = dict.fromkeys(('img_shape', 'pad_shape'), (SIDE, SIDE))
    losses = head.loss_by_feat(*maps, gts, [meta] * len(gts))
    parts = (
        sum(value) if isinstance(value, list | tuple) else value
        for value in (losses['loss_cls'], losses['loss_bbox'])
    )
    loss = sum(part.sum() for part in parts)
    for leaf in (*maps[0], *maps[1]):
        leaf.grad = None
    loss.backward()
    return loss.detach()


def loss_case(data: str, batch: int) -> Rivals:
    """Return both heads' losses, on the same maps and objects."""
    heads = {who: build(data, who).bbox_head for who in HEADS}
    maps = make_maps(heads['ours'], batch)
    gts = objects(batch, CLASSES[data])
    works = {
        who: partial(learn, head, maps, gts) for who, head in heads.items()
    }
    torch.testing.assert_close(
        works['ours'](), works['other'](), rtol=1e-6, atol=1e-6
    )
    return Rivals(
        f'loss {data}, batch {batch}, times faster than mmdet',
        **works,
        faster=True,
        target=LOSS_TARGET if batch == 32 else None,
    )


def step_case(data: str, batch: int) -> Rivals:
    """Return a whole training step of SSD300, with either head."""
    works = {}
    inputs = batch_of(data, batch)
    for who in HEADS:
        model = build(data, who).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
        works[who] = partial(model.train_step, inputs, OptimWrapper(optimizer))
    return Rivals(
        f'step {data}, batch {batch} / mmdet',
        **works,
        target=STEP_TARGET,
    )


def measure_memory(data: str, batch: int, who: str) -> float:
    """Return the most MiB that one loss needs beyond the maps."""
    head = build(data, who).bbox_head
    maps, gts = make_maps(head, batch), objects(batch, CLASSES[data])
    return peak_mib(lambda: learn(head, maps, gts))


def memory_of(data: str, batch: int, who: str) -> float:
    """Return :func:`measure_memory` in a separate process."""
    command = [sys.executable, '-m', 'benchmarks.ssd_head', '--child']
    result = subprocess.run(
        [*command, data, str(batch), who],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(result.stdout.split()[-1])


def print_memory(only: list[str]) -> None:
    """Print the memory that both heads need beyond their maps."""
    for batch in (8, 32):
        for data in CLASSES:
            if not any(part in f'loss-{data}-{batch}' for part in only):
                continue
            ours, other = (memory_of(data, batch, who) for who in HEADS)
            verdict = 'met' if ours <= other * MEMORY_TARGET else 'missed'
            print(
                f'memory of loss {data}, batch {batch}: ours {ours:.0f} MiB, '
                f'mmdet {other:.0f} MiB, ratio {ours / other:.2f} <= '
                f'{MEMORY_TARGET:.2f} {verdict}',
                flush=True,
            )


def cases() -> Cases:
    """Yield names of cases and what sets each up."""
    for batch in (8, 32):
        for data in CLASSES:
            yield f'loss-{data}-{batch}', partial(loss_case, data, batch)
    for batch in (2, 8, 32):
        yield f'step-voc-{batch}', partial(step_case, 'voc', batch)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure SSD's head")
    add_arguments(parser, 15, 'loss-coco-32 or step')
    parser.add_argument(
        '--memory', action='store_true', help='measure memory, not time'
    )
    parser.add_argument('--child', nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print one table, and write it."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.child:
        data, batch, who = args.child
        print(measure_memory(data, int(batch), who))
    elif args.memory:
        print_memory(args.only)
    else:
        run_cases(cases(), args)


if __name__ == '__main__':
    main()
