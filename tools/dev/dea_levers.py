"""Why does DEA redraw defects? Trials with one thing changed each.

The trunk is frozen, so its maps of each image are computed once and a trial
takes a minute on one core. The box is the image, without a detector.

    python tools/dev/dea_levers.py data/magnetic_tile [--levers shipped ssim]
        [--steps 300] [--seeds 0 1 2] [--cache FILE]

Prints a row for each trial: image AUROC in percent by each way to make one
number of what differs, and pixel AUROC and AUPRO of the map.

* ``pearson``, ``mse``: of all pixels, as DEA has it; ``even``: MSE without
  the difference of the mean colours;
* ``mean``: the mean of the map of distances of features;
* ``bright``: the mean of the picture, nothing redrawn: far from 50, the lamp
  tells good from bad;
* ``peak``: the highest place of the map, blurred (sigma 4 pixels of 224);
* ``z peak``: the same of the map in deviations of the training images at each
  place, for parts that are all in one place.

Predicted before the first run, tiles: shipped 65 by pearson and 72 by peak;
small -2, masked +3, noisy +3, ssim +3; features 88. Screws: shipped 55,
features 75.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torchvision.ops import roi_align

from mmocc.apis.part_study import method_config
from mmocc.datasets.anomaly.find_layout import find_layout
from mmocc.evaluation.anomaly_values import (
    add_counts,
    aupro,
    count_pixels,
    pixel_auroc,
)
from mmocc.models.dea.anomaly_scores import pearson
from mmocc.models.dea.part_baseline import smooth_maps
from mmocc.models.dea.regions import crop_regions, jitter_boxes, keep_inside
from mmocc.models.patch_features import patch_grid

BATCH, LR, JITTER = 8, 1e-3, 0.05
SIDE = 224  # pixels of the inputs
LEVERS: dict[str, dict[str, Any]] = {
    'shipped': {},
    'small': dict(channels=8),  # 8 x 8 x 8 numbers instead of 8192
    'vector': dict(decoder='fc'),  # one average: the paper's form
    'masked': dict(drop=0.5),
    'noisy': dict(noise=1.0),
    'ssim': dict(loss='ssim'),
    'large': dict(widths=(40, 16, 8, 4)),  # pictures of 128 pixels
    'features': dict(target='features'),
    'features-small': dict(target='features', channels=16),
    'features-masked': dict(target='features', drop=0.5),
    'features-noisy': dict(target='features', noise=1.0),
    'features-fine': dict(target='features', level=1),
}


class Cached(NamedTuple):
    """The images of a split."""

    pictures: Tensor  # (n, 3, SIDE, SIDE) in [0, 1]
    maps: list[Tensor]  # each (n, C_l, h_l, w_l)
    kinds: list[str]
    truths: list[Tensor]  # (H, W), of original size


@torch.no_grad()
def look(cfg: Config, model: nn.Module, loader: str) -> Cached:
    """Return the cached images of a loader."""
    chosen = cfg[loader].copy()
    chosen.sampler.shuffle = False
    chosen.dataset.test_mode = True
    chosen.dataset.pipeline = cfg.test_dataloader.dataset.pipeline
    parts, kinds, truths = [], [], []
    for data in Runner.build_dataloader(chosen):
        data = model.data_preprocessor(data, False)
        inputs = data['inputs']
        parts.append((model.pictures(inputs), *model.extract_feat(inputs)))
        for sample in data['data_samples']:
            kinds.append(sample.kind)
            truths.append(sample.gt_sem_seg.sem_seg[0])
    pictures, *maps = (torch.cat(part) for part in zip(*parts, strict=True))
    return Cached(pictures, maps, kinds, truths)


def look_once(data: Path, cache: Path | None) -> tuple[Cached, Cached]:
    """Return the normal images and those of the test, from a cache if any."""
    if cache and cache.is_file():
        return tuple(Cached(*part) for part in torch.load(cache))
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    folder = find_layout(data)
    cfg = method_config('dea', folder, folder.categories[0])
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    both = tuple(
        look(cfg, model, name)
        for name in ('train_dataloader', 'test_dataloader')
    )
    if cache:
        torch.save([tuple(part) for part in both], cache)
    return both


class Redraw(nn.Module):
    """Extractor, decoder and loss of a trial."""

    def __init__(
        self,
        target: str = 'pixels',
        channels: int = 128,
        decoder: str = 'conv',
        widths: Sequence[int] = (40, 16, 8),
        loss: str = 'mse',
        drop: float = 0.0,
        noise: float = 0.0,
        level: int = 2,
    ) -> None:
        super().__init__()
        self.target, self.level = target, level
        self.drop, self.noise = drop, noise
        self.extractor = MODELS.build(
            dict(
                type='mmocc.PriorLevelRoIExtractor',
                in_channels=[40, 112, 320],
                featmap_strides=[8, 16, 32],
                out_channels=channels,
                output_size=8,
                sampling_ratio=0,
            )
        )
        if target == 'features':
            self.decoder = feature_decoder(channels, 40 + 112)
        elif decoder == 'fc':
            kind = dict(type='mmocc.FCDecoder', hidden=(256, 512), size=64)
        else:
            kind = dict(type='mmocc.ConvDecoder', roi_size=8, widths=widths)
        if target == 'pixels':
            kind.update(in_channels=channels, channels=3, loss=loss)
            self.decoder = MODELS.build(kind)
            self.decoder.init_weights()
        self.extractor.init_weights()

    def forward(
        self, batch: Cached, boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return redrawings, targets and the loss of whole images."""
        index = torch.arange(len(boxes))[:, None].float()
        rois = torch.cat([index, boxes], dim=1)
        levels = torch.full((len(boxes),), self.level)
        regions = self.extractor(batch.maps, rois, levels)
        if self.training and self.drop:
            keep = torch.rand_like(regions[:, :1]) >= self.drop
            regions = regions * keep
        if self.training and self.noise:
            spread = self.noise * regions.detach().std()
            regions = regions + spread * torch.randn_like(regions)
        recons = self.decoder(regions)
        if self.target == 'pixels':
            size = recons.shape[-1]
            target = crop_regions(batch.pictures, rois, size)
            return recons, target, self.decoder.loss(recons, target)
        grid = patch_grid(batch.maps[:2], 1)
        scale = grid.shape[-1] / SIDE
        target = roi_align(grid, rois, 16, scale, aligned=True)
        return recons, target, away(recons, target).mean()


def feature_decoder(channels: int, above: int) -> nn.Module:
    """Return a decoder from 8 x 8 over 4 x 4 to features of 16 x 16."""
    steps, below, stride = [], channels, 2
    for width in (128, above):
        steps += [
            nn.Conv2d(below, 4 * width, 3, stride, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
        ]
        below, stride = width, 1
    return nn.Sequential(*steps[:-1])


def away(recons: Tensor, target: Tensor) -> Tensor:
    """Return maps (n, h, w) of 1 - cosine, summed over the two stages."""
    pairs = zip(
        *(x.split([40, 112], 1) for x in (recons, target)), strict=True
    )
    return sum(1 - F.cosine_similarity(a, b, dim=1) for a, b in pairs)


def whole(count: int) -> Tensor:
    """Return the boxes (count, 4) of images."""
    return torch.tensor([[0.0, 0, SIDE, SIDE]]).repeat(count, 1)


def take(cached: Cached, index: Tensor) -> Cached:
    """Return the images at these places, for a batch."""
    maps = [part[index] for part in cached.maps]
    return Cached(cached.pictures[index], maps, [], [])


def train(trial: Redraw, known: Cached, steps: int) -> None:
    """Train a trial on normal images."""
    optimizer = torch.optim.AdamW(trial.parameters(), LR, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    trial.train()
    size = torch.full((BATCH, 2), float(SIDE))
    for _ in range(steps):
        index = torch.randint(len(known.pictures), (BATCH,))
        boxes = keep_inside(jitter_boxes(whole(BATCH), JITTER), size)
        *_, loss = trial(take(known, index), boxes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()


@torch.no_grad()
def judge(trial: Redraw, cached: Cached) -> tuple[dict[str, Tensor], Tensor]:
    """Return scores (n,) by name and maps (n, SIDE, SIDE)."""
    trial.eval()
    maps, alike, even = [], [], []
    for index in torch.arange(len(cached.pictures)).split(BATCH):
        recons, target, _ = trial(take(cached, index), whole(len(index)))
        if trial.target == 'pixels':
            diff = recons - target
            maps.append(diff.square().mean(1))
            even.append(diff.var((2, 3), correction=0).mean(1))
            alike.append(1 - pearson(recons, target))
        else:
            maps.append(away(recons, target))
    small = torch.cat(maps)
    scores = {'mean': small.mean((1, 2))}
    if alike:
        scores = {
            'pearson': torch.cat(alike),
            'mse': scores['mean'],
            'even': torch.cat(even),
        }
    scores['bright'] = cached.pictures.mean((1, 2, 3))
    return scores, smooth_maps(small, (SIDE, SIDE), 4.0)


def evaluate(trial: Redraw, known: Cached, test: Cached) -> dict[str, float]:
    """Return the values of a row, in percent."""
    scores, maps = judge(trial, test)
    normal = judge(trial, known)[1]
    spread = normal.std(0) + 0.1 * normal.std(0).mean()
    usual = (maps - normal.mean(0)) / spread
    scores['peak'] = maps.amax((1, 2))
    scores['z peak'] = usual.amax((1, 2))
    bad = [kind != 'good' for kind in test.kinds]
    row = {k: float(roc_auc_score(bad, v)) for k, v in scores.items()}
    counts = [
        count_pixels(
            F.interpolate(one[None, None], truth.shape, mode='bilinear')
            .squeeze()
            .numpy(),
            truth.numpy(),
        )
        for one, truth in zip(maps, test.truths, strict=True)
    ]
    counts = add_counts(counts)
    row['pixel'] = pixel_auroc(counts)
    row['aupro'] = aupro(counts)
    return {k: 100 * v for k, v in row.items()}


def main() -> None:
    """Run the trials and print them."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').split('\n')[0]
    )
    parser.add_argument('data', type=Path)
    parser.add_argument(
        '--levers', nargs='+', choices=LEVERS, default=[*LEVERS]
    )
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--cache', type=Path, help='file of the maps')
    args = parser.parse_args()
    known, test = look_once(args.data, args.cache)
    print(f'{len(known.kinds)} normal images, {len(test.kinds)} in the test')
    for name in args.levers:
        for seed in args.seeds:
            torch.manual_seed(seed)
            trial = Redraw(**LEVERS[name])
            began = time.process_time()
            train(trial, known, args.steps)
            cost = (time.process_time() - began) / args.steps
            row = evaluate(trial, known, test)
            values = ' '.join(f'{k} {v:.1f}' for k, v in row.items())
            print(f'{name} {seed}: {values}, {1000 * cost:.0f} ms a step')


if __name__ == '__main__':
    main()
