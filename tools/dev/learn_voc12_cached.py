"""The study of docs/results/learn_voc12.md, on maps that are computed once.

The first five stages of EfficientNet-Lite0 never train here, so their map (112
x 14 x 14) of each image, clean and occluded, is stored; a run of LEARN or of
the controls then takes minutes on one core.

    python tools/dev/learn_voc12_cached.py maps SHARED work_dirs/voc12
    python tools/dev/learn_voc12_cached.py mixes SHARED work_dirs/voc12
    python tools/dev/learn_voc12_cached.py more SHARED work_dirs/voc12
    python tools/dev/learn_voc12_cached.py again work_dirs/voc12 BASE.pth OUT
    python tools/dev/learn_voc12_cached.py trial work_dirs/voc12 ROW KEY=VALUE
    python tools/dev/learn_voc12_cached.py run work_dirs/voc12 ROW SEED
    python tools/dev/learn_voc12_cached.py table work_dirs/voc12

SHARED holds voc07_rigid12_crops, dtd_80 and coco_cutouts. Occluders of the
test are those of the report with seed 0: other kinds of textures and other
photos than those of training. ``more`` stores further occluded copies, so that
none is seen twice. ``again`` stores the maps of a network that a run has kept
(BASE.pth, say whole_clean-0.pth): rows in OUT have another phase 1. ``trial``
trains on four fifths of the training photos, with other settings of a row, and
tests on the rest.
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
    BASE,
    CHANNELS,
    CLASSES,
    FILES,
    backbone,
    channels_last,
    prepare,
    store_again,
    store_maps,
    store_mixes,
    store_more,
    tail,
)
from learn_voc12_mixes import HIDING, MIXING
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmocc.models.learn.feature_losses import (
    InterClassLatentLoss,
    IntraClassLatentLoss,
)
from mmocc.models.learn.learn import LEARN
from mmocc.occlusion import HARD_LEVELS, cell_names
from mmocc.utils.amp import amp_pays

OTHERS = (*HIDING, *MIXING, 'twins')  # ways to change training images
BATCH = 32
CLEAN_SHARE = 0.25  # of a training batch
HEAD_C = 0.02  # inverse regularisation of the linear head
INNER_VARIANCE = 41.0  # of the inner map; that of the last one is 0.6

# Rows of the table: what is trained, by which losses, and for how long.
INNER = dict(learns=('inner',), gate=True, rec=0.1, lr=2e-3, epochs=5)
TAIL = dict(tail=True, lr=5e-4, epochs=4)
WHOLE = dict(start='images', front=True, tail=True, lr=3e-4, epochs=6)
LAST = dict(start='last', learns=('last',), lr=1e-3, epochs=15)
ROWS: dict[str, dict[str, Any]] = dict(
    frozen=dict(start='last'),
    blanked=dict(start='images', blank=True),
    head=dict(start='last', head=True, lr=1e-3, epochs=8),
    paper=dict(LAST, pool='max', latents=True),
    nopool=dict(LAST, latents=True),
    gated=dict(LAST, gate=True),
    inner=INNER,
    inner_teacher=dict(INNER, teacher=True),
    tail=TAIL,
    tail_teacher=dict(TAIL, teacher=True),
    whole=WHOLE,
    # longer
    inner_teacher_epochs15=dict(INNER, teacher=True, epochs=15),
    inner_teacher_epochs30=dict(INNER, teacher=True, epochs=30),
    tail_teacher_long=dict(TAIL, teacher=True, epochs=10),
    # no occluded copy is seen twice
    inner_teacher_epochs10=dict(INNER, teacher=True, epochs=10),
    inner_teacher_more=dict(INNER, teacher=True, epochs=10, images='more'),
    tail_teacher_more=dict(TAIL, teacher=True, epochs=10, images='more'),
    # phase 1: the whole network on clean images; keeps what it has trained
    whole_clean=dict(WHOLE, clean=1.0, keep=True),
    # beyond: another form of LEARN, and both at once
    inner_wide=dict(INNER, hidden=192, latent=96),
    tail_inner=dict(INNER, tail=True, lr=5e-4),
    tail_long=dict(TAIL, epochs=10),
    # what LEARN inside the network needs
    inner_rec0=dict(INNER, rec=0.0),
    inner_cls0=dict(INNER, classes=0.0),
    inner_variants1=dict(INNER, variants=1),
    inner_epochs15=dict(INNER, epochs=15),
    inner_latent8=dict(INNER, latent=8),
    inner_low_rank=dict(INNER, gate='low_rank'),
    inner_cell=dict(INNER, gate='cell'),
    inner_no_gate=dict(INNER, gate=False),
    tail_variants2=dict(TAIL, variants=2),
    # the tail control, on other images than those of mmocc.Occlude
    **{f'tail_{kind}': dict(TAIL, images=kind) for kind in OTHERS},
)


# Mean answers of two models: rows, and by how much the seed is shifted.
MEANS = dict(
    tail_twice=(('tail', 0), ('tail', 1)),
    tail_and_frozen=(('tail', 0), ('frozen', 0)),
    teacher_and_frozen=(('inner_teacher', 0), ('frozen', 0)),
    tail_and_inner=(('tail', 0), ('inner', 0)),
    tail_and_teacher=(('tail', 0), ('inner_teacher', 0)),
    whole_twice=(('whole', 0), ('whole', 1)),
    whole_and_frozen=(('whole', 0), ('frozen', 0)),
    whole_and_teacher=(('whole', 0), ('inner_teacher', 0)),
)
SEEDS = (0, 1, 2)


def linear_head(folder: Path) -> nn.Linear:
    """Return the head: a logistic regression on clean pooled features.

    A folder of ``again`` has its own.
    """
    if (folder / BASE).exists():
        head = nn.Linear(CHANNELS['last'], len(CLASSES))
        head.load_state_dict(torch.load(folder / BASE)['head'])
        return head
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
        net: The network, in parts.
        head: The linear head.
        options: The row's entry in ``ROWS``.
    """

    def __init__(
        self, net: nn.ModuleDict, head: nn.Linear, options: dict[str, Any]
    ) -> None:
        super().__init__()
        self.start = options.get('start', 'inner')
        self.net, self.head = net, head
        self.requires_grad_(False)
        self.net.requires_grad_(options.get('tail', False))
        self.net['front'].requires_grad_(options.get('front', False))
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
        start = self.start
        if start == 'images':
            x, start = self.net['front'](prepare(x)), 'inner'
        maps = tail(self.net, x, self.learns, start)
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

    The classes', or without labels the divergence from the clean answer; with
    a LEARN the distance from the clean maps, at the inner map as a share of
    its variance; and the two of latents, with LEARNClassifier's weights.
    """
    if options.get('teacher'):
        answer = row.head(clean['last'].mean((2, 3))).softmax(1)
        loss = F.kl_div(logits.log_softmax(1), answer, reduction='batchmean')
    else:
        loss = F.cross_entropy(logits, target)
    loss = options.get('classes', 1.0) * loss
    if len(row.learns):
        far = F.mse_loss(maps['last'], clean['last'])
        if 'inner' in row.learns:
            inner = F.mse_loss(maps['inner'], clean['inner'])
            far = far + inner / INNER_VARIANCE
        loss = loss + options.get('rec', 1.0) * far
    if options.get('latents'):
        latents = row.learns['last'].encode(clean['last']), maps['last latent']
        labels = target.argmax(1)
        loss = loss + IntraClassLatentLoss()(*latents, labels)
        loss = loss + InterClassLatentLoss()(*latents, labels)
    return loss


def take(
    maps: np.ndarray, variants: Any, places: np.ndarray, flips: Tensor
) -> Tensor:
    """Return images or maps as float32, some of them mirrored."""
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


def train(
    row: Row,
    folder: Path,
    options: dict[str, Any],
    seed: int,
    samples: np.ndarray,
) -> None:
    """Train a row: AdamW, one cycle, clean and occluded, flips.

    Args:
        row: The model.
        folder: What ``maps`` and ``mixes`` have stored.
        options: The row's entry in ``ROWS``.
        seed: Of the order, the variants and the flips.
        samples: Which of the training samples.
    """
    images = options.get('images')
    targets = targets_of(folder, images)
    maps = {
        name: np.load(folder / f'train_{name}.npy', mmap_mode='r')
        for name in FILES
    }
    given = maps[row.start]
    if images:
        given = np.load(folder / f'train_{images}_inner.npy', mmap_mode='r')
    variants = options.get('variants', len(given) - 1)
    trained = [x for x in row.parameters() if x.requires_grad]
    steps = len(samples) // BATCH
    total = options['epochs'] * steps
    optimizer = torch.optim.AdamW(trained, lr=options['lr'], weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options['lr'], total_steps=total + 1, pct_start=0.1
    )
    draw = np.random.default_rng(seed)
    for step in range(total):
        if step % steps == 0:
            order = draw.permutation(samples)
        places = order[step % steps * BATCH :][:BATCH]
        which = draw.integers(1, variants + 1, BATCH)
        if images == 'more':  # in each epoch another one
            which = 1 + (places + step // steps) % variants
        which[draw.random(BATCH) < options.get('clean', CLEAN_SHARE)] = 0
        flips = torch.from_numpy(draw.random(BATCH) < 0.5)
        x = take(given, which, places, flips)
        clean = {
            name: take(maps[name], 0, places, flips)
            for name in ('inner', 'last')
            if name in row.learns or (name == 'last' and needs_last(options))
        }
        logits, seen = row(x)
        target = targets[which if images else 0, places]
        loss = losses(row, logits, seen, clean, target, options)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def needs_last(options: dict[str, Any]) -> bool:
    """Return whether a row's losses look at the clean last map."""
    return 'learns' in options or options.get('teacher', False)


@torch.inference_mode()
def probabilities(row: Row, inputs: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, classes) of images or maps."""
    whole = row.start == 'images' and amp_pays()  # a third of the time
    with torch.autocast('cpu', torch.bfloat16, enabled=whole):
        parts = [
            row(channels_last(torch.tensor(inputs[i : i + 64]).float()))[0]
            for i in range(0, len(inputs), 64)
        ]
    return torch.cat(parts).float().softmax(1).numpy()


def answers(row: Row, folder: Path, options: dict[str, Any]) -> np.ndarray:
    """Return the probabilities (cells, images, classes) on the test set.

    Where the row's ``blank`` is set, each occluded pixel is grey.
    """
    cells = np.load(folder / f'test_{row.start}.npy', mmap_mode='r')
    found = []
    for cell in cells:
        if options.get('blank'):
            hidden = (cell != cells[0]).any(1, keepdims=True)
            cell = np.where(hidden, np.uint8(127), cell)
        found.append(probabilities(row, cell))
    return np.stack(found)


def build(folder: Path, options: dict[str, Any], seed: int) -> Row:
    """Return a row's model before its training."""
    torch.manual_seed(seed)
    base = folder / BASE
    net = backbone(base if base.exists() else None)
    return Row(net, linear_head(folder), options)


def run(folder: Path, name: str, seed: int) -> None:
    """Train a row with a seed and store its answers."""
    options = ROWS[name]
    row = build(folder, options, seed)
    samples = np.arange(len(np.load(folder / 'train.npz')['label']))
    begin = time.process_time()
    if options.get('epochs'):
        train(row, folder, options, seed, samples)
    used = time.process_time() - begin
    row.eval()
    if options.get('keep'):
        state = dict(net=row.net.state_dict(), head=row.head.state_dict())
        torch.save(state, folder / f'{name}-{seed}.pth')
    np.savez(
        folder / f'{name}-{seed}.npz',
        answers=answers(row, folder, options),
        parameters=sum(x.numel() for x in row.parameters() if x.requires_grad),
        seconds=used,
    )
    print(
        name, seed, f'{used:.0f} s', score(hits_of(folder, [f'{name}-{seed}']))
    )


def trial(folder: Path, name: str, changes: Sequence[str]) -> None:
    """Print how a row with changed settings does on held-back photos.

    A fifth of the training photos, clean and in all stored variants; seed 0.
    """
    options = dict(ROWS[name])
    for change in changes:
        key, _, value = change.partition('=')
        options[key] = json.loads(value)
    stored = np.load(folder / 'train.npz')
    fifth = np.unique(stored['photo'])[::5]
    held = np.isin(stored['photo'], fifth)
    row = build(folder, options, 0)
    if options.get('epochs'):
        train(row, folder, options, 0, np.flatnonzero(~held))
    row.eval()
    cells = np.load(folder / f'train_{row.start}.npy', mmap_mode='r')
    hits = [
        (probabilities(row, cell[held]).argmax(1) == stored['label'][held])
        for cell in cells
    ]
    clean, *hidden = (100 * np.mean(hit) for hit in hits)
    print(name, *changes, f'L0 {clean:.1f} occluded {np.mean(hidden):.1f}')


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
    maps.add_argument('--every', type=int, default=1, help='n-th test image')
    mixes = commands.add_parser('mixes')
    mixes.add_argument('shared', type=Path)
    mixes.add_argument('folder', type=Path)
    mixes.add_argument('--kinds', nargs='+', choices=OTHERS, default=OTHERS)
    more = commands.add_parser('more')
    more.add_argument('shared', type=Path)
    more.add_argument('folder', type=Path)
    again = commands.add_parser('again')
    again.add_argument('folder', type=Path)
    again.add_argument('base', type=Path)
    again.add_argument('out', type=Path)
    other = commands.add_parser('trial')
    other.add_argument('folder', type=Path)
    other.add_argument('row', choices=list(ROWS))
    other.add_argument('changes', nargs='*', metavar='KEY=VALUE')
    one = commands.add_parser('run')
    one.add_argument('folder', type=Path)
    one.add_argument('row', choices=list(ROWS))
    one.add_argument('seed', type=int, choices=SEEDS)
    commands.add_parser('table').add_argument('folder', type=Path)
    args = parser.parse_args()
    if args.command == 'maps':
        store_maps(args.shared, args.folder, args.every)
    elif args.command == 'mixes':
        store_mixes(args.shared, args.folder, args.kinds)
    elif args.command == 'more':
        store_more(args.shared, args.folder)
    elif args.command == 'again':
        store_again(args.folder, args.base, args.out)
    elif args.command == 'trial':
        trial(args.folder, args.row, args.changes)
    elif args.command == 'run':
        run(args.folder, args.row, args.seed)
    else:
        print(json.dumps(table(args.folder), indent=1))


if __name__ == '__main__':
    main()
