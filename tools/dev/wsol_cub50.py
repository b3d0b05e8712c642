r"""CAM and its rivals on CUB-50 with a pretrained network, on one CPU core.

    python tools/dev/wsol_cub50.py maps CUB50 OUT
    python tools/dev/wsol_cub50.py run OUT has-mixed 0
    python tools/dev/wsol_cub50.py table OUT > table.json

EfficientNet-Lite0 with ImageNet's weights. Its first six stages are frozen
and their maps stored (``wsol_cub50_maps.py``): hiding is done in the image,
before them. Stage 7, the last convolution and the classifier train; in the
rows "frozen" stage 7 does not. Thresholds come from validation.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from learn_voc12_maps import STAGES, backbone, channels_last, tail
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from wsol_cub50_maps import (
    CELLS,
    CLASSES,
    DRAWS,
    GRIDS,
    KINDS,
    PARTS,
    read_maps,
    store_maps,
    trunk,
)
from wsol_cub50_table import table

from mmocc.models.hide_and_seek import ADL, ACoLHead, CAMHead

HAS = {f'has{grid}': (f'has{grid}',) for grid in GRIDS}
MIXED = ('whole', *HAS)
# The kinds of training images, and what else differs
ROWS: dict[str, dict[str, Any]] = {
    'cam': dict(kinds=('whole',)),
    **{name: dict(kinds=kinds) for name, kinds in HAS.items()},
    'has-mixed': dict(kinds=MIXED),
    'cutmix': dict(kinds=('cutmix',)),
    'adl': dict(kinds=('whole',), adl=True),
    # ACoL without and with 3x3 convolutions of its classifiers' own
    'acol': dict(kinds=('whole',), acol=()),
    'acol-convs': dict(kinds=('whole',), acol=(256, 256)),
    # Twice as long; hiding in the first half of the epochs only
    'cam-long': dict(kinds=('whole',), longer=2),
    'has-long': dict(kinds=MIXED, longer=2),
    'has-early': dict(kinds=MIXED, early=0.5),
    # Stage 7 does not train
    'cam-frozen': dict(kinds=('whole',), start='stage7'),
    'has-frozen': dict(kinds=MIXED, start='stage7'),
}
EPOCHS, STEP, LR, HEAD_LR = 6, 32, 2e-3, 2e-2
Draw = tuple[np.ndarray, np.ndarray]  # maps (kinds, photos, ...), scores


class Net(nn.Module):
    """The network behind the stored maps."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.start = options.get('start', 'stage6')
        names = STAGES[STAGES.index(self.start) + 1 :]
        parts = backbone()
        self.tail = nn.ModuleDict({name: parts[name] for name in names})
        self.adl = ADL() if options.get('adl') else nn.Identity()
        kind: Any = CAMHead
        args: dict[str, Any] = dict(num_classes=CLASSES, in_channels=1280)
        if 'acol' in options:
            kind = ACoLHead
            args['channels'] = options['acol']
        self.head = kind(**args)
        self.head.init_weights()
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the last map."""
        return (self.adl(tail(self.tail, x, start=self.start)['last']),)

    def loss(self, x: Tensor, scores: Tensor) -> Tensor:
        """Return the loss of maps (N, C, 7, 7), scores (N, classes)."""
        feats = self(x)
        if isinstance(self.head, ACoLHead):
            samples = [
                DataSample().set_gt_label(int(s.argmax())) for s in scores
            ]
            losses = self.head.loss(feats, samples)
            return losses['loss_a'] + losses['loss_b']
        return F.cross_entropy(self.head(feats), scores)


def read_draws(folder: Path, start: str, kinds: Sequence[str]) -> list[Draw]:
    """Return maps (kinds, photos, C, 7, 7) and scores of each whole draw.

    Raises:
        FileNotFoundError: If not one draw is stored.
    """
    at = [KINDS.index(kind) for kind in kinds]
    draws = []
    for draw in range(DRAWS):
        names = [f'train_{draw}_{part}' for part in range(PARTS)]
        if all((folder / f'{name}.npz').exists() for name in names):
            maps = [read_maps(folder, name, start)[at] for name in names]
            scores = [
                np.load(folder / f'{name}.npz')['scores'][at] for name in names
            ]
            draws.append(
                (np.concatenate(maps, axis=1), np.concatenate(scores, axis=1))
            )
    if not draws:
        raise FileNotFoundError(
            f'{folder} has no whole draw of training maps: run `maps` first'
        )
    return draws


def batches(
    draws: Sequence[Draw],
    options: dict[str, Any],
    epochs: int,
    seed: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield training batches of maps and scores."""
    kinds = len(options['kinds'])
    number = draws[0][1].shape[1]
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(number)
        late = epoch >= epochs * options.get('early', 1)
        for start in range(0, number - STEP + 1, STEP):
            at = order[start : start + STEP]
            kind = rng.integers(1 if late else kinds, size=STEP)
            draw = rng.integers(len(draws), size=STEP)
            some = list(zip(draw, kind, at, strict=True))
            maps, scores = (
                torch.from_numpy(
                    np.stack([draws[d][n][k, i] for d, k, i in some])
                )
                for n in (0, 1)
            )
            yield channels_last(maps.float()), scores


def train(net: Net, folder: Path, options: dict[str, Any], seed: int) -> None:
    """Train a row: SGD, one cycle.

    Not Adam: its steps, alike for all classes, move all weights of the
    classifier down together, which no score shows; but class maps then are
    negative on the object.
    """
    epochs = EPOCHS * options.get('longer', 1)
    draws = read_draws(folder, net.start, options['kinds'])
    rates = [LR, HEAD_LR]
    optimizer = torch.optim.SGD(
        [
            dict(params=part.parameters(), lr=rate)
            for part, rate in zip((net.tail, net.head), rates, strict=True)
        ],
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        rates,
        epochs=epochs,
        steps_per_epoch=draws[0][1].shape[1] // STEP,
        pct_start=0.1,
    )
    for x, scores in batches(draws, options, epochs, seed):
        loss = net.train().loss(x, scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.inference_mode()
def answers(net: Net, folder: Path, split: str) -> dict[str, np.ndarray]:
    """Return the scores and the true classes' maps of ``val`` or ``test``."""
    maps = read_maps(folder, split, net.start)
    label = torch.from_numpy(np.load(folder / f'{split}.npz')['label'])
    net.eval()
    scores, cams = [], []
    for start in range(0, len(maps), 64):
        part = slice(start, start + 64)
        feats = net(channels_last(torch.tensor(maps[part]).float()))
        scores.append(net.head(feats))
        cams.append(net.head.class_maps(feats, label[part]))
    found = dict(scores=torch.cat(scores), cams=torch.cat(cams))
    return {f'{split}_{k}': v.numpy() for k, v in found.items()}


@torch.inference_mode()
def cell_scores(net: Net, folder: Path) -> np.ndarray:
    """Return scores (cells, photos, classes) of the occluded test photos."""
    net.eval()
    found = []
    for number in range(len(CELLS)):
        maps = torch.from_numpy(read_maps(folder, f'cell_{number}', net.start))
        scores = [
            net.head(net(channels_last(part.float())))
            for part in maps.split(64)
        ]
        found.append(torch.cat(scores).numpy())
    return np.stack(found)


def run(folder: Path, name: str, seed: int) -> None:
    """Train a row with a seed and store its answers."""
    file = folder / f'{name}-{seed}.npz'
    if file.exists():
        return
    torch.manual_seed(seed)
    net = Net(ROWS[name])
    begin = time.process_time()
    train(net, folder, ROWS[name], seed)
    used = time.process_time() - begin
    found = answers(net, folder, 'val') | answers(net, folder, 'test')
    found['cell_scores'] = cell_scores(net, folder)
    np.savez(file, seconds=used, **found)
    hits = [
        (
            found[f'{s}_scores'].argmax(1)
            == np.load(folder / f'{s}.npz')['label']
        )
        for s in ('val', 'test')
    ]
    shares = [f'{100 * h.mean():.1f} %' for h in hits]
    print(name, seed, f'{used:.0f} s', *shares, flush=True)


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    commands = parser.add_subparsers(dest='command', required=True)
    maps = commands.add_parser('maps')
    maps.add_argument('photos', type=Path)
    maps.add_argument('folder', type=Path)
    maps.add_argument('--draws', type=int, default=DRAWS)
    one = commands.add_parser('run')
    one.add_argument('folder', type=Path)
    one.add_argument('row', choices=list(ROWS))
    one.add_argument('seed', type=int)
    commands.add_parser('table').add_argument('folder', type=Path)
    args = parser.parse_args()
    if args.command == 'maps':
        store_maps(trunk(), args.photos, args.folder, args.draws)
    elif args.command == 'run':
        run(args.folder, args.row, args.seed)
    else:
        print(json.dumps(table(args.folder), indent=1))


if __name__ == '__main__':
    main()
