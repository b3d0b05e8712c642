r"""Which detector finds occluded patches of faces? Features, compared.

    ofer_detectors.py cartoon fer2013 mux6 [--masked data/face_mask]

For each set: the clean faces of training fit the detector, those of the test,
with occluders of unseen kinds pasted on, judge it. Three seeds draw both the
features in use and what is pasted. Rows:

    pixels      8 x 8 pixels of each patch, a Gaussian for each position
    imagenet    mmocc.PatchGaussian, as in configs/ofer/gaussian_lite0_SET.py,
                with 64 or all 256 features, and smoothed distances
    one         the same features, one Gaussian for all positions

AUROC and the recall at 5 % false positives, of patches; the share of clean
patches of clean test faces beyond the cross-fitted radius (nu = 0.05); and for
photos of really masked people the AUROC of photos, by the share of a photo's
patches beyond the radius, that of MUX6's detector, and the share of flagged
patches on clear faces. Features are kept in OUT: a second run is short.
"""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from sklearn.metrics import roc_auc_score

from mmocc.evaluation.patch_values import patch_values
from mmocc.models.gaussian import Gaussian, Moments, moments
from mmocc.models.ofer.patch_detector import RadiusFit
from mmocc.models.ofer.patch_gaussian import (
    PatchGaussian,
    fold_of_name,
    total,
)
from mmocc.registry import MODELS

FOLDER = Path(__file__).resolve().parents[2] / 'configs/ofer'
SEEDS = (0, 1, 2)
ROWS = {
    'pixels': dict(features='pixels', dims=None, smooth=0.0),
    'imagenet, one Gaussian for all positions': dict(one=True, smooth=0.0),
    'imagenet, 64 features': dict(smooth=0.0),
    'imagenet, all 256 features': dict(dims=None, smooth=0.0),
    'imagenet, 64 features, smoothed (the configs)': dict(),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('sets', nargs='*', choices=('cartoon', 'fer2013', 'mux6', []))
    add('--masked', action='store_true', help='also really masked people')
    add('--out', type=Path, default=Path('work_dirs/ofer_detectors'))
    return parser.parse_args()


def config(name: str) -> Config:
    """Return a config, with its model's scope set."""
    cfg = Config.fromfile(FOLDER / f'gaussian_lite0_{name}.py')
    init_default_scope(cfg.default_scope)
    return cfg


def build(cfg: Config, **options: Any) -> PatchGaussian:
    """Return a config's detector with other options."""
    model = copy.deepcopy(cfg.model.to_dict()) | options
    model.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    model = MODELS.build(model)
    model.init_weights()
    return model


def seeded(pipeline: list, seed: int) -> list:
    """Return a pipeline that pastes by another seed."""
    return [
        dict(step, seed=seed) if 'seed' in step else step for step in pipeline
    ]


def load(cfg: Config, loader: dict, seed: int = 0) -> list[dict]:
    """Return the batches of a loader, collated, without workers."""
    loader = copy.deepcopy(loader)
    loader.update(num_workers=0, persistent_workers=False, batch_size=32)
    loader.dataset.pipeline = seeded(loader.dataset.pipeline, seed)
    return Runner.build_dataloader(loader)


@torch.no_grad()
def read(model: PatchGaussian, loader: list, path: Path) -> dict:
    """Return all features, pixels, coverage, names and labels of a loader."""
    if path.exists():
        return torch.load(path, weights_only=False)
    found: dict = dict(maps=[], pixels=[], coverage=[], subject=[], label=[])
    for data in loader:
        data = model.data_preprocessor(data, False)
        images = data['inputs']
        found['maps'].append(model.features(images).half())
        found['pixels'].append(pixel_features(images, model.patches))
        for sample in data['data_samples']:
            coverage = sample.get('patch_coverage')
            coverage = (
                np.zeros(model.patches) if coverage is None else coverage
            )
            found['coverage'].append(np.ravel(coverage))
            name = sample.get('subject') or sample.img_path
            found['subject'].append(name)
            found['label'].append(int(sample.gt_label))
    for key in ('maps', 'pixels'):
        found[key] = torch.cat(found[key])
    found['coverage'] = np.stack(found['coverage'])
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(found, path)
    return found


def pixel_features(images: torch.Tensor, grid: tuple) -> torch.Tensor:
    """Return each patch's 8 x 8 grey pixels (N, L, 64)."""
    size = tuple(8 * side for side in grid)
    grey = torch.nn.functional.interpolate(
        images.mean(1, keepdim=True), size, mode='bilinear', antialias=True
    )
    rows = torch.nn.functional.unfold(grey, 8, stride=8)
    return rows.transpose(1, 2).half()


def fit(
    model: PatchGaussian, rows: torch.Tensor, names: list, one: bool
) -> RadiusFit:
    """Fit to clean faces as PatchGaussian.fit does; return the RadiusFit.

    From features that were read before. With ``one``, all positions share a
    Gaussian.
    """
    folds = torch.tensor([fold_of_name(n, model.folds) for n in names])
    parts = [
        pooled(moments(rows[folds == f]), one) for f in range(model.folds)
    ]
    whole = model._gaussian(total(parts))
    model.centre.copy_(whole.mean)
    model.factor.copy_(whole.factor)
    faces = [None] * len(rows)
    for fold in range(model.folds):
        other = model._without(parts, fold)
        places = (folds == fold).nonzero().flatten().tolist()
        distances = model.judge(rows[places], other)
        for place, row in zip(places, distances, strict=True):
            faces[place] = row
    return model.set_radius(faces)


def pooled(sums: Moments, one: bool) -> Moments:
    """Return moments in which all positions have the sums of all."""
    if not one:
        return sums
    return type(sums)(*(s.sum(0, keepdim=True).expand_as(s) for s in sums))


def main() -> None:
    """Print a table for each set, and write them to OUT/table.json."""
    args = parse_args()
    table, detectors = {}, {}
    for name in args.sets:
        clean, occluded = config(name), config(f'{name}-occluded')
        model = build(clean)
        folder = args.out / name
        train = read(
            model, load(clean, clean.train_dataloader), folder / 'train.pt'
        )
        test = read(
            model, load(clean, clean.test_dataloader), folder / 'test.pt'
        )
        for row, options in ROWS.items():
            options = dict(options)
            key = options.pop('features', 'maps')
            one = options.pop('one', False)
            values = []
            for seed in SEEDS:
                path = folder / f'occluded{seed}.pt'
                pasted = read(
                    model, load(occluded, occluded.test_dataloader, seed), path
                )
                detector = build_for(clean, train[key], seed, **options)
                chosen = detector.chosen
                fitted = fit(
                    detector,
                    train[key][..., chosen].float(),
                    train['subject'],
                    one,
                )
                values.append(judge(detector, test[key], pasted, key))
                values[-1]['cross_fitted'] = 100 * fitted.false_alarms
                detectors.setdefault((name, row), []).append(detector)
            table[f'{name}: {row}'] = values
            print(line(f'{name}: {row}', values), flush=True)
    if args.masked and 'mux6' in args.sets:
        masked = config('masked_mux6')
        photos = read(
            build(masked),
            load(masked, masked.test_dataloader),
            args.out / 'masked.pt',
        )
        for (name, row), found in detectors.items():
            if name == 'mux6' and not row.startswith('pixels'):
                values = [judge_masked(d, photos) for d in found]
                table[f'masked: {row}'] = values
                print(line(f'masked: {row}', values), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(table, indent=1)
    (args.out / 'table.json').write_text(text, encoding='utf-8')


class Ready(torch.nn.Module):
    """Stands for a backbone whose features were read before."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return a map of so many channels."""
        return (images.new_zeros(len(images), self.channels, 8, 8),)


def build_for(
    cfg: Config, rows: torch.Tensor, seed: int, **options: Any
) -> PatchGaussian:
    """Return a detector of features that were read before."""
    model = {**cfg.model.to_dict(), **options, 'seed': seed}
    model['backbone'] = Ready(rows.shape[-1])
    return PatchGaussian(**{k: v for k, v in model.items() if k != 'type'})


def judge(
    detector: PatchGaussian, clean: torch.Tensor, pasted: dict, key: str
) -> dict:
    """Return the values of a detector on clean and on occluded faces."""
    own = Gaussian(detector.centre, detector.factor)
    chosen = detector.chosen
    distances = detector.judge(pasted[key][..., chosen].float(), own).numpy()
    alarms = detector.judge(clean[..., chosen].float(), own)
    radius = float(detector.radius)
    values = patch_values(
        (pasted['coverage'] >= 0.5 - 1e-6).ravel(),
        (distances > radius).ravel(),
        distances.ravel(),
    )
    values['false_alarms'] = 100 * float((alarms > radius).float().mean())
    return values


def judge_masked(detector: PatchGaussian, photos: dict) -> dict:
    """Return the values of a detector on masked and clear people."""
    own = Gaussian(detector.centre, detector.factor)
    rows = photos['maps'][..., detector.chosen].float()
    flagged = (detector.judge(rows, own) > detector.radius).float().mean(1)
    truth = np.array(photos['label'])
    mean = detector.judge(rows, own).mean(1)
    return dict(
        auroc=100 * roc_auc_score(truth, flagged),
        auroc_mean=100 * roc_auc_score(truth, mean),
        flagged_clear=100 * float(flagged[truth == 0].mean()),
        flagged_masked=100 * float(flagged[truth == 1].mean()),
    )


def line(title: str, values: list[dict]) -> str:
    """Return the means and standard deviations over seeds."""
    parts = []
    for key in values[0]:
        numbers = [v[key] for v in values]
        spread = np.std(numbers, ddof=1)
        parts.append(f'{key} {np.mean(numbers):.1f} ± {spread:.1f}')
    return f'{title}: {", ".join(parts)}'


if __name__ == '__main__':
    main()
