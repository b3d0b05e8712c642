r"""Stage 3 of Latent-OFER on features: expressions of occluded faces.

    ofer_features.py maps mux6    features of all faces, once (minutes)
    ofer_features.py run mux6     all rows, seeds 0, 1 and 2
    ofer_features.py table mux6   the table of what was run

Data as for configs/ofer/gaussian_lite0_SET.py, whose detector finds what is
hidden. The network is EfficientNet-Lite0 of ImageNet, frozen, at 128 pixels.
The weakening is that of mmocc.WeakenedFeatureClassifier, whose functions it
uses. The faces of training are stored clean, also mirrored, and with three
occluders of the training kinds; those of the test clean, with two of unseen
kinds, and with what these hide filled with grey.
``ofer_features_rows.py`` explains the rows.
"""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from ofer_detectors import build, build_for, config, load
from ofer_features_rows import CONTROL, Faces, run_rows
from torch import Tensor

from mmocc.models.backbones.efficientnet_lite import EfficientNetLite
from mmocc.models.backbones.packaged_weights import PackagedWeights
from mmocc.models.ofer.feature_tokens import token_features
from mmocc.models.ofer.patch_gaussian import PatchGaussian
from mmocc.models.ofer.stage_model import to_rgb

SETS = ('cartoon', 'mux6')
SEEDS = (0, 1, 2)
COPIES = range(100, 103)  # seeds of the occluders of training
PASTES = range(2)  # and of the test
GRID = (8, 8)
READ = 256  # channels of a patch that the detector reads, the first ones


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('step', choices=('maps', 'run', 'table'))
    add('set', choices=SETS)
    add('--out', type=Path, default=Path('work_dirs/ofer_features'))
    add('--seeds', type=int, nargs='+', default=SEEDS)
    add('--rows', nargs='+', help='only these')
    add(
        '--held-back',
        action='store_true',
        help='train on four fifths of the people of training, judge on the\n'
        'fifth, with occluders of the training kinds: to choose options',
    )
    return parser.parse_args()


def dataset(cfg: Config, split: str, seed: int | None, flip: bool) -> dict:
    """Return the loader's config of a split; ``seed`` None pastes nothing."""
    loader = copy.deepcopy(cfg[f'{split}_dataloader'])
    steps = [dict(step) for step in loader.dataset.pipeline]
    if split == 'train' and seed is not None:
        steps = [dict(s) for s in cfg.val_dataloader.dataset.pipeline]
    if flip:  # before what is pasted: coverage is of the mirrored face
        turn = dict(type='RandomFlip', prob=1.0, direction='horizontal')
        place = [s['type'] for s in steps].index(
            'PackInputs' if seed is None else 'mmocc.PasteOcclusion'
        )
        steps.insert(place, turn)
    keys = (*steps[-1]['meta_keys'], 'occlusion_mask')
    steps[-1] = dict(steps[-1], meta_keys=keys)
    loader.dataset.pipeline = steps
    loader.sampler = dict(type='DefaultSampler', shuffle=False)
    loader.drop_last = False
    return loader


class Reader:
    """Reads the stored features of images.

    Args:
        detector: A ``PatchGaussian``: how images are prepared for it.
    """

    def __init__(self, detector: PatchGaussian) -> None:
        self.detector = detector
        self.net = EfficientNetLite(out_indices=(1, 2, 3, 4, 6))
        PackagedWeights('efficientnet-lite0')(self.net)
        self.net.eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return ``patches`` (N, 64, 416) and ``cells`` (N, 16, 320), float16.

        Of images (N, 3, H, W), RGB, 0 to 255.
        """
        if tuple(images.shape[-2:]) != (128, 128):
            images = F.interpolate(
                images, (128, 128), mode='bilinear', antialias=True
            )
        maps = self.net((images - 127) / 128)
        patches, cells = token_features(maps, GRID)
        return dict(patches=patches.half(), cells=cells.half())


def store(
    reader: Reader,
    cfg: Config,
    loader: dict,
    seed: int,
    path: Path,
    grey: bool = False,
) -> None:
    """Write the features of a loader; with ``grey`` also filled faces."""
    if path.exists():
        return
    found: dict[str, list] = {}
    for data in load(cfg, loader, seed):
        preprocessor = reader.detector.data_preprocessor
        data = preprocessor(data, False)
        images = to_rgb(data['inputs'], preprocessor)
        samples = data['data_samples']
        views = {'': images}
        masks = [s.get('occlusion_mask') for s in samples]
        if grey and masks[0] is not None:
            hidden = torch.from_numpy(np.stack(masks)).bool()[:, None]
            views['grey '] = images.masked_fill(hidden, 127.0)
        for view, pixels in views.items():
            for key, value in reader(pixels).items():
                found.setdefault(f'{view}{key}', []).append(value)
        coverage = [
            np.ravel(s.get('patch_coverage', np.zeros(64))) for s in samples
        ]
        facts = dict(
            coverage=torch.from_numpy(np.stack(coverage)),
            label=torch.tensor([int(s.gt_label) for s in samples]),
        )
        for key, value in facts.items():
            found.setdefault(key, []).append(value)
        names = [str(s.get('subject') or s.img_path) for s in samples]
        found.setdefault('subject', []).extend(names)
    tensors: dict[str, Any] = {
        key: value if key == 'subject' else torch.cat(value)
        for key, value in found.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    print(path.name, len(tensors['label']), flush=True)


def store_all(name: str, out: Path) -> None:
    """Write the features of all faces of a set."""
    clean, occluded = config(name), config(f'{name}-occluded')
    reader = Reader(build(clean))
    for flip in (False, True):
        loader = dataset(clean, 'train', None, flip)
        store(reader, clean, loader, 0, out / f'train_clean{int(flip)}.pt')
    for number, seed in enumerate(COPIES):
        loader = dataset(clean, 'train', seed, bool(number % 2))
        store(reader, clean, loader, seed, out / f'train_{number}.pt')
    loader = dataset(clean, 'test', None, False)
    store(reader, clean, loader, 0, out / 'test_clean.pt')
    for seed in PASTES:
        loader = dataset(occluded, 'test', seed, False)
        store(reader, occluded, loader, seed, out / f'test_{seed}.pt', True)


def detector_of(name: str, seed: int) -> PatchGaussian:
    """Return a set's detector, not fitted, for features that are stored."""
    return build_for(config(name), torch.empty(0, 64, READ), seed)


def table_text(results: dict) -> str:
    """Return the table in Markdown; the last column is over faces.

    It is the 95 % interval of the gain over the control, by 2,000 draws of
    faces with replacement, each face's gain being its mean over the seeds.
    """
    lines = ['| row | occluded | clean | gain | of faces |', '|---' * 5 + '|']
    if CONTROL not in results:
        return 'the control was not run'
    control = results[CONTROL]
    for name, values in results.items():
        seeds = [seed for seed in values if seed in control]
        cells = []
        for key in ('occluded', 'clean'):
            cells.append(spread([values[s][key] for s in seeds]))
        gains = [values[s]['occluded'] - control[s]['occluded'] for s in seeds]
        faces = np.mean(
            [
                np.subtract(values[s]['right'], control[s]['right'])
                for s in seeds
            ],
            axis=0,
        )
        draws = np.random.default_rng(0).integers(
            len(faces), size=(2000, len(faces))
        )
        ends = np.percentile(100 * faces[draws].mean(1), (2.5, 97.5))
        interval = f'{ends[0]:+.1f} to {ends[1]:+.1f}'
        cells += [spread(gains, '+'), interval]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def spread(numbers: list[float], sign: str = '') -> str:
    """Return a mean and a standard deviation."""
    deviation = np.std(numbers, ddof=1) if len(numbers) > 1 else 0.0
    return f'{np.mean(numbers):{sign}.1f} ± {deviation:.1f}'


def main() -> None:
    """Run a step."""
    args = parse_args()
    folder = args.out / args.set
    path = folder / ('held_back.json' if args.held_back else 'results.json')
    if args.step == 'maps':
        store_all(args.set, folder)
        return
    results = {}
    if path.exists():
        results = json.loads(path.read_text(encoding='utf-8'))
    if args.step == 'run':
        faces = Faces(folder, len(COPIES), len(PASTES), args.held_back)
        for seed in args.seeds:
            detector = detector_of(args.set, seed)
            for row, values in run_rows(faces, detector, seed, args.rows):
                results.setdefault(row, {})[str(seed)] = values
                text = json.dumps(results, indent=1)
                path.write_text(text, encoding='utf-8')
                cells = f'{values["occluded"]:.1f} clean {values["clean"]:.1f}'
                print(f'{seed} {row}: {cells}', flush=True)
    print(table_text(results))


if __name__ == '__main__':
    main()
