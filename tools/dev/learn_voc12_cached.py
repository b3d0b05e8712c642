"""The study of docs/results/learn_voc12.md, on maps that are computed once.

The first five stages of EfficientNet-Lite0 never train here, so their map (112
x 14 x 14) of each image, clean and occluded, is stored; a run of LEARN or of
the controls then takes minutes on one core.

    python tools/dev/learn_voc12_cached.py maps SHARED work_dirs/voc12
    python tools/dev/learn_voc12_cached.py mixes SHARED work_dirs/voc12
    python tools/dev/learn_voc12_cached.py run work_dirs/voc12 ROW SEED
    python tools/dev/learn_voc12_cached.py table work_dirs/voc12

SHARED holds voc07_rigid12_crops, dtd_80 and coco_cutouts. Occluders of the
test are those of the report with seed 0: other kinds of textures and other
photos than those of training.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from learn_voc12_maps import (
    CHANNELS,
    CLASSES,
    backbone,
    channels_last,
    store_maps,
    store_mixes,
    tail,
)
from learn_voc12_mixes import HIDING, MIXING
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmocc.models.learn.learn import LEARN
from mmocc.occlusion import HARD_LEVELS, cell_names

BATCH = 32
CLEAN_SHARE = 0.25  # of a training batch
HEAD_C = 0.02  # inverse regularisation of the linear head
INNER_VARIANCE = 41.0  # of the inner map; that of the last one is 0.6

# Rows of the table: what is trained, by which losses, and for how long.
INNER = dict(learns=('inner',), gate=True, rec=0.1, lr=2e-3, epochs=5)
TAIL = dict(tail=True, lr=5e-4, epochs=4)
LAST = dict(learns=('last',), lr=1e-3, epochs=8)
ROWS: dict[str, dict[str, Any]] = dict(
    frozen=dict(start='last'),
    head=dict(start='last', head=True, lr=1e-3, epochs=8),
    paper=dict(LAST, start='last', pool='max'),
    nopool=dict(LAST, start='last'),
    inner=INNER,
    inner_teacher=dict(INNER, teacher=True),
    tail=TAIL,
    tail_teacher=dict(TAIL, teacher=True),
    # beyond: another form of LEARN, and both at once
    inner_wide=dict(INNER, hidden=192, latent=96),
    tail_inner=dict(INNER, tail=True, lr=5e-4, epochs=5),
    tail_long=dict(TAIL, epochs=10),
    # the tail control, on other images than occluded ones
    **{f'tail_{kind}': dict(TAIL, images=kind) for kind in (*HIDING, *MIXING)},
)


# Mean answers of two models: rows, and by how much the seed is shifted.
MEANS = dict(
    tail_twice=(('tail', 0), ('tail', 1)),
    tail_and_frozen=(('tail', 0), ('frozen', 0)),
    teacher_and_frozen=(('inner_teacher', 0), ('frozen', 0)),
    tail_and_inner=(('tail', 0), ('inner', 0)),
    tail_and_teacher=(('tail', 0), ('inner_teacher', 0)),
)
SEEDS = (0, 1, 2)


def linear_head(folder: Path) -> nn.Linear:
    """Return the head: a logistic regression on clean pooled features."""
    label = np.load(folder / 'train.npz')['label']
    clean = np.load(folder / 'train_last.npy', mmap_mode='r')[0]
    # in parts, because the maps would fill the memory in float32
    features = np.concatenate(
        [
            clean[i : i + 256].mean((2, 3), np.float32)
            for i in range(0, len(clean), 256)
        ]
    )
    fit = LogisticRegression(C=HEAD_C, max_iter=400).fit(features, label)
    head = nn.Linear(features.shape[1], len(CLASSES))
    head.weight.data = torch.from_numpy(fit.coef_).float()
    head.bias.data = torch.from_numpy(fit.intercept_).float()
    return head


class Row(nn.Module):
    """A row of the table: the frozen classifier and what is trained in it.

    Args:
        head: The linear head.
        options: The row's entry in ``ROWS``.
    """

    def __init__(self, head: nn.Linear, options: dict[str, Any]) -> None:
        super().__init__()
        self.start = options.get('start', 'inner')
        net = backbone()
        del net['front']
        self.net, self.head = net, head
        self.requires_grad_(False)
        self.net.requires_grad_(options.get('tail', False))
        self.head.requires_grad_(options.get('head', False))
        self.learns = nn.ModuleDict()
        for place in options.get('learns', ()):
            self.learns[place] = LEARN(
                CHANNELS[place],
                pool=options.get('pool', 'none'),
                gate=options.get('gate', False),
                hidden_channels=options.get('hidden', 64),
                latent_channels=options.get('latent', 32),
            )
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits and the maps."""
        maps = tail(self.net, x, self.learns, self.start)
        return self.head(maps['last'].mean((2, 3))), maps


def losses(
    row: Row,
    logits: Tensor,
    maps: dict[str, Tensor],
    clean: dict[str, Tensor],
    target: Tensor,
    options: dict[str, Any],
) -> Tensor:
    """Return the loss of a batch.

    The classes', or without labels the divergence from the clean answer; and
    with a LEARN the distance from the clean maps, at the inner map as a share
    of its variance.
    """
    if options.get('teacher'):
        answer = row.head(clean['last'].mean((2, 3))).softmax(1)
        loss = F.kl_div(logits.log_softmax(1), answer, reduction='batchmean')
    else:
        loss = F.cross_entropy(logits, target)
    if len(row.learns):
        far = F.mse_loss(maps['last'], clean['last'])
        if 'inner' in row.learns:
            inner = F.mse_loss(maps['inner'], clean['inner'])
            far = far + inner / INNER_VARIANCE
        loss = loss + options.get('rec', 1.0) * far
    return loss


def take(
    maps: np.ndarray, variants: Any, places: np.ndarray, flips: Tensor
) -> Tensor:
    """Return maps as float32, some of them mirrored."""
    x = torch.from_numpy(maps[variants, places]).float()
    x = torch.where(flips.view(-1, 1, 1, 1), x.flip(3), x)
    return channels_last(x)


def targets_of(folder: Path, images: str | None) -> Tensor:
    """Return the class probabilities (variants, N, classes) of training."""
    label = np.load(folder / 'train.npz')['label']
    one_hot = torch.eye(len(CLASSES))
    if images is None:
        return one_hot[label][None]
    mix = np.load(folder / f'train_{images}.npz')
    share = torch.from_numpy(mix['share']).float()[..., None]
    return share * one_hot[label] + (1 - share) * one_hot[mix['other']]


def train(row: Row, folder: Path, options: dict[str, Any], seed: int) -> None:
    """Train a row: AdamW, one cycle, clean and occluded maps, flips."""
    images = options.get('images')
    targets = targets_of(folder, images)
    files = dict(inner=f'{images}_inner' if images else 'inner', last='last')
    maps = {
        name: np.load(folder / f'train_{file}.npy', mmap_mode='r')
        for name, file in files.items()
    }
    count = targets.shape[1]
    trained = [x for x in row.parameters() if x.requires_grad]
    steps = count // BATCH
    total = options['epochs'] * steps
    optimizer = torch.optim.AdamW(trained, lr=options['lr'], weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options['lr'], total_steps=total + 1, pct_start=0.1
    )
    draw = np.random.default_rng(seed)
    for step in range(total):
        if step % steps == 0:
            order = draw.permutation(count)
        places = order[step % steps * BATCH :][:BATCH]
        variants = draw.integers(1, len(maps['inner']), BATCH)
        variants[draw.random(BATCH) < CLEAN_SHARE] = 0
        flips = torch.from_numpy(draw.random(BATCH) < 0.5)
        x = take(maps[row.start], variants, places, flips)
        clean = {
            name: take(maps[name], 0, places, flips)
            for name in ('inner', 'last')
            if name == 'last' or name in row.learns
        }
        logits, seen = row(x)
        target = targets[variants if images else 0, places]
        loss = losses(row, logits, seen, clean, target, options)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.inference_mode()
def answers(row: Row, folder: Path) -> np.ndarray:
    """Return the probabilities (cells, images, classes) on the test set."""
    maps = np.load(folder / f'test_{row.start}.npy', mmap_mode='r')
    cells = []
    for cell in maps:
        parts = [
            row(channels_last(torch.tensor(cell[i : i + 64]).float()))[0]
            for i in range(0, len(cell), 64)
        ]
        cells.append(torch.cat(parts).softmax(1).numpy())
    return np.stack(cells)


def run(folder: Path, name: str, seed: int) -> None:
    """Train a row with a seed and store its answers."""
    options = ROWS[name]
    torch.manual_seed(seed)
    row = Row(linear_head(folder), options)
    begin = time.process_time()
    if options.get('epochs'):
        train(row, folder, options, seed)
    used = time.process_time() - begin
    row.eval()
    np.savez(
        folder / f'{name}-{seed}.npz',
        answers=answers(row, folder),
        parameters=sum(x.numel() for x in row.parameters() if x.requires_grad),
        seconds=used,
    )
    print(
        name, seed, f'{used:.0f} s', score(hits_of(folder, [f'{name}-{seed}']))
    )


def hits_of(folder: Path, runs: Sequence[str]) -> np.ndarray:
    """Return (cells, images), whether the mean answer of runs is right."""
    mean = sum(np.load(folder / f'{run}.npz')['answers'] for run in runs)
    return mean.argmax(2) == np.load(folder / 'test.npz')['label']


def score(hits: np.ndarray) -> dict[str, float]:
    """Return the accuracies of levels and cells, in percent."""
    cells = 100 * hits.mean(1)
    names = cell_names()
    levels = {
        level: float(cells[[level in name for name in names]].mean())
        for level in ('L0', *HARD_LEVELS)
    }
    return {
        'L1-L3': float(cells[1:].mean()),
        **levels,
        **dict(zip(names[1:], map(float, cells[1:]), strict=True)),
    }


def mean_and_spread(scores: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return mean and standard deviation over seeds of each score."""
    table = {}
    for key in scores[0]:
        values = [s[key] for s in scores]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        table[key] = [float(np.mean(values)), spread]
    return table


def difference(hits: np.ndarray, control: np.ndarray) -> list[float]:
    """Return the paired difference over L1-L3 and half its 95 % interval.

    Over images: each has one number, the mean over cells and seeds.

    Args:
        hits: (seeds, cells, images)
        control: Of the same cells and images.
    """
    per_image = hits[:, 1:].mean((0, 1)) - control[:, 1:].mean((0, 1))
    half = 1.96 * per_image.std(ddof=1) / len(per_image) ** 0.5
    return [float(100 * per_image.mean()), float(100 * half)]


def table(folder: Path) -> dict[str, Any]:
    """Return the scores of all rows that were run, and of mean answers."""
    rows: dict[str, list[np.ndarray]] = {}
    for name in (*ROWS, *MEANS):
        parts = MEANS.get(name, ((name, 0),))
        for seed in SEEDS:
            runs = [
                f'{row}-{(seed + shift) % len(SEEDS)}' for row, shift in parts
            ]
            if all((folder / f'{run}.npz').exists() for run in runs):
                rows.setdefault(name, []).append(hits_of(folder, runs))
    whole = np.load(folder / 'test.npz')['whole']
    control = np.stack(rows['tail'])
    return {
        name: dict(
            seeds=len(hits),
            all=mean_and_spread([score(h) for h in hits]),
            whole=mean_and_spread([score(h[:, whole]) for h in hits]),
            to_tail=difference(np.stack(hits), control),
        )
        for name, hits in rows.items()
    }


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    commands = parser.add_subparsers(dest='command', required=True)
    maps = commands.add_parser('maps')
    maps.add_argument('shared', type=Path)
    maps.add_argument('folder', type=Path)
    maps.add_argument('--every', type=int, default=2, help='n-th test image')
    mixes = commands.add_parser('mixes')
    mixes.add_argument('shared', type=Path)
    mixes.add_argument('folder', type=Path)
    one = commands.add_parser('run')
    one.add_argument('folder', type=Path)
    one.add_argument('row', choices=list(ROWS))
    one.add_argument('seed', type=int, choices=SEEDS)
    commands.add_parser('table').add_argument('folder', type=Path)
    args = parser.parse_args()
    if args.command == 'maps':
        store_maps(args.shared, args.folder, args.every)
    elif args.command == 'mixes':
        store_mixes(args.shared, args.folder)
    elif args.command == 'run':
        run(args.folder, args.row, args.seed)
    else:
        print(json.dumps(table(args.folder), indent=1))


if __name__ == '__main__':
    main()
