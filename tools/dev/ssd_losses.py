"""SSDLite with each loss of boxes, on maps of a frozen trunk.

The trunk of ``configs/dea/ssdlite-lite0_diou_bccd.py`` is frozen, so its maps
of some draws of the training pipeline are computed once; a run then trains
the config's neck and head in less than a minute on one core.

    python tools/dev/ssd_losses.py maps DATA/bccd_voc work_dirs/ssd_losses
    python tools/dev/ssd_losses.py tune work_dirs/ssd_losses bccd_voc
    python tools/dev/ssd_losses.py run work_dirs/ssd_losses bccd_voc
    python tools/dev/ssd_losses.py table work_dirs/ssd_losses bccd_voc

``tune`` trains on three quarters of the training photos with each rate and
weight, seed 0, and tests on the rest; ``run`` trains on all with the best of
them and tests on the test photos. What ``results.jsonl`` has is not done
again.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.evaluation import VOCMetric
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import init_default_scope
from ssd_losses_maps import (
    BATCH,
    CONFIG,
    SETS,
    Cached,
    fix,
    kept_back,
    store_maps,
    with_classes,
)
from torch import Tensor, nn

from mmocc.registry import MODELS

WARM_UP, CLIP, DECAY = 60, 35.0, 0.05  # as the config has them
THRESHOLDS = (0.5, 0.75, 0.9)
NAMES = tuple(f'AP{round(100 * share)}' for share in THRESHOLDS)
LOSSES: dict[str, dict[str, Any]] = {
    'smooth-L1': dict(type='mmdet.SmoothL1Loss', beta=1.0),
    'GIoU': dict(type='mmocc.GIoULoss'),
    'DIoU': dict(type='mmocc.DIoULoss'),
    'CIoU': dict(type='mmocc.CIoULoss'),
    'EIoU': dict(type='mmocc.EIoULoss'),
    'Focal-EIoU, boxes': dict(type='mmocc.FocalEIoULoss'),
    'Focal-EIoU, weights': dict(type='mmocc.FocalEIoULoss', divisor='weights'),
}
# Rates and weights that are tried, of smooth-L1; IoU losses have ten
# times as much for the same gradient.
TRIED = ((3e-3, 1.0), (1e-2, 1.0))
IOU_FACTOR = 10.0


class Setting(NamedTuple):
    """What a run can differ in."""

    loss: str
    rate: float
    weight: float


def rate_share(step: int, steps: int) -> float:
    """Return the share of the rate at a step: warm-up, then a cosine."""
    warm = min(1.0, 0.01 + 0.99 * step / WARM_UP)
    return warm * (1 + math.cos(math.pi * step / steps)) / 2


def build(name: str, setting: Setting) -> nn.Module:
    """Return a detector with a loss of boxes, without its trunk."""
    cfg = with_classes(Config.fromfile(CONFIG), name).model
    cfg.backbone.init_cfg = None
    loss = dict(LOSSES[setting.loss], loss_weight=setting.weight)
    cfg.bbox_head.update(
        loss_bbox=loss, reg_decoded_bbox='IoU' in setting.loss
    )
    model = MODELS.build(cfg)
    model.neck.init_weights()
    model.bbox_head.init_weights()
    del model.backbone
    return model


def pick(cached: Cached, index: Tensor) -> tuple[tuple, list]:
    """Return maps in float32 and samples at these places, for a batch."""
    maps = tuple(level[index].float() for level in cached.maps)
    return maps, [cached.samples[i] for i in index.tolist()]


def train(
    model: nn.Module, cached: Cached, rows: Tensor, steps: int, rate: float
) -> None:
    """Train neck and head on these rows, drawn with replacement."""
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(
        weights, rate, weight_decay=DECAY, fused=True
    )
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_share(step, steps)
    )
    model.train()
    for _ in range(steps):
        drawn = rows[torch.randint(len(rows), (BATCH,))]
        maps, samples = pick(cached, drawn)
        losses = model.bbox_head.loss(model.neck(maps), samples)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()
        plan.step()


@torch.no_grad()
def test(model: nn.Module, cached: Cached, name: str) -> dict[str, float]:
    """Return AP50, AP75 and AP90 in percent."""
    metric = VOCMetric(iou_thrs=list(THRESHOLDS), eval_mode='area')
    metric.dataset_meta = dict(classes=SETS[name]['classes'])
    model.eval()
    for index in torch.arange(len(cached.samples)).split(BATCH):
        maps, samples = pick(cached, index)
        answers = model.bbox_head.predict(
            model.neck(maps), samples, rescale=True
        )
        rows = [
            dict(sample.to_dict(), pred_instances=answer.to_dict())
            for sample, answer in zip(samples, answers, strict=True)
        ]
        metric.process({}, rows)
    values = metric.evaluate(len(cached.samples))
    return {key: 100 * values[f'pascal_voc/{key}'] for key in NAMES}


def settings(loss: str) -> list[Setting]:
    """Return what is tried for a loss."""
    factor = IOU_FACTOR if 'IoU' in loss else 1.0
    return [Setting(loss, rate, factor * w) for rate, w in TRIED]


def read(out: Path) -> list[dict[str, Any]]:
    """Return the results so far."""
    path = out / 'results.jsonl'
    lines = path.read_text(encoding='utf-8') if path.is_file() else ''
    return [json.loads(line) for line in lines.splitlines()]


def best(results: Sequence[dict[str, Any]], name: str, loss: str) -> Setting:
    """Return the tuned setting: the largest mean of the three AP.

    Raises:
        ValueError: The loss was not tuned on this data set.
    """
    tuned = [
        one
        for one in results
        if (one['data'], one['loss'], one['part']) == (name, loss, 'held')
    ]
    if not tuned:
        raise ValueError(f'{loss} has no tuning on {name}: run "tune" first')
    top = max(tuned, key=lambda one: sum(one[key] for key in NAMES))
    return Setting(loss, top['rate'], top['weight'])


def once(
    out: Path,
    name: str,
    content: dict[str, Any],
    setting: Setting,
    part: str,
    seed: int,
    steps: int,
) -> None:
    """Train and test, and add a line to the results, unless it is there."""
    job = dict(setting._asdict(), data=name, part=part, seed=seed, steps=steps)
    if any(job.items() <= one.items() for one in read(out)):
        return
    train_set, test_set = Cached(*content['train']), Cached(*content[part])
    photos = content['photos']
    rows = torch.arange(len(train_set.samples))
    if part == 'held':
        rows = rows[rows % photos < kept_back(photos).start]
    fix(seed)
    began = time.process_time()
    model = build(name, setting)
    train(model, train_set, rows, steps, setting.rate)
    trained = time.process_time() - began
    values = test(model, test_set, name)
    line = dict(job, **values, train_s=round(trained, 1))
    print(line, flush=True)
    with (out / 'results.jsonl').open('a', encoding='utf-8') as file:
        file.write(json.dumps(line) + '\n')


def table(results: Sequence[dict[str, Any]], name: str, steps: int) -> str:
    """Return the tests of a data set in Markdown: mean ± deviation."""
    wanted = dict(data=name, part='test', steps=steps)
    lines = ['| loss | rate | weight | seeds | ' + ' | '.join(NAMES) + ' |']
    lines.append('|---|' + '---:|' * (3 + len(NAMES)))
    for loss in LOSSES:
        own = [
            one
            for one in results
            if dict(wanted, loss=loss).items() <= one.items()
        ]
        if not own:
            continue
        cells = [loss, f'{own[0]["rate"]:g}', f'{own[0]["weight"]:g}']
        cells.append(str(len(own)))
        for key in NAMES:
            values = [one[key] for one in own]
            spread = np.std(values, ddof=1) if len(values) > 1 else math.nan
            cells.append(f'{np.mean(values):.1f} ± {spread:.1f}')
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main() -> None:
    """Do one of the four."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('what', choices=('maps', 'tune', 'run', 'table'))
    parser.add_argument('first', type=Path, help='the data, or the results')
    parser.add_argument('second', type=Path, help='the results, or a name')
    parser.add_argument('--losses', nargs='+', choices=LOSSES)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--tuned', help='data set of the tuning, if another')
    args = parser.parse_args()
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    if args.what == 'maps':
        store_maps(args.first, args.second)
        return
    out, name = args.first, args.second.name
    if args.what == 'table':
        print(table(read(out), name, args.steps))
        return
    content = torch.load(out / f'{name}.pth', weights_only=False)
    losses = args.losses or list(LOSSES)
    tuning = args.what == 'tune'
    for seed in [0] if tuning else args.seeds:
        for loss in losses:
            part = 'held' if tuning else 'test'
            tried = (
                settings(loss)
                if tuning
                else [best(read(out), args.tuned or name, loss)]
            )
            for setting in tried:
                once(out, name, content, setting, part, seed, args.steps)


if __name__ == '__main__':
    main()
