"""See LEARN repair an occluded classifier on real handwritten digits.

Makes the embedded data set, trains a VGG-16 on clean digits and then LEARN
inside the frozen VGG-16, tests both without and with occlusion, and writes
table, plot and example images to work_dirs/demo/. The textures and cut-outs of
the test come from another photo than those of training. LEARN comes after the
second stage, which goes beyond the paper (configs/learn/README.md). An
interrupted demo continues where it stopped. It computes in mixed precision
where that is faster (a GPU, or a CPU with bfloat16).
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from mmocc.occlusion import cell_names
from mmocc.report.cells import make_occlude, occlude_dataset, share_bank
from mmocc.report.plots import plot_examples
from mmocc.utils import cli
from mmocc.utils.amp import amp_pays
from mmocc.utils.from_config import build_dataset, load_model

DATA = Path('data/digits_voc')
CONFIGS = {
    'VGG-16': 'configs/learn/vgg16_digits-baseline.py',
    'VGG-16 + LEARN': 'configs/learn/vgg16_digits-stage2.py',
}
BANKS = dict(
    texture_bank=str(DATA / 'occluders/test/textures'),
    object_bank=str(DATA / 'occluders/test/objects'),
    texture_size=64,
    seed=0,
)
EXAMPLES = 8
AMP = ['--amp'] if amp_pays() else []


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'))
    return parser.parse_args()


def run(title: str, *command: str) -> None:
    """Run a tool of this repository; stop if it fails."""
    print(f'\n=== {title}\n$ python {shlex.join(command)}', flush=True)
    result = subprocess.run([sys.executable, *command], check=False)
    if result.returncode:
        sys.exit(f'{command[0]} failed; see the lines above')


def train(name: str, config: str, out: Path, *options: str) -> str:
    """Return a config's checkpoint in ``out``; train it if it is missing."""
    epochs = Config.fromfile(config).train_cfg.max_epochs
    checkpoint = out / f'epoch_{epochs}.pth'
    if checkpoint.exists():
        print(f'\n=== {name}: already trained, {checkpoint}')
    else:
        command = ['tools/train.py', config, '--work-dir', str(out)]
        command += ['--resume', *AMP]
        command += ['--cfg-options', *options] if options else []
        run(f'Train {name}', *command)
    return str(checkpoint)


def test(checkpoints: dict[str, str], out: Path) -> dict:
    """Test all models on the same occlusions; return the report's numbers."""
    models = [(CONFIGS[name], path) for name, path in checkpoints.items()]
    run(
        'Test both on the same occlusions',
        'tools/analysis_tools/occlusion_benchmark.py',
        *chain(*models),
        *('--names', *checkpoints),
        *('--texture-bank', BANKS['texture_bank']),
        *('--object-bank', BANKS['object_bank']),
        *('--texture-size', str(BANKS['texture_size'])),
        *('--out', str(out)),
        *AMP,
    )
    return json.loads((out / 'occlusion.json').read_text(encoding='utf-8'))


@torch.no_grad()
def draw_examples(
    models: dict[str, nn.Module], cfg: Config, path: Path
) -> None:
    """Draw some test images, clean and occluded, with both models' answers."""
    rows, truth = [], []
    test_set = build_dataset(cfg)
    cells = cell_names(levels=['L2'])
    shared = share_bank(cells, **BANKS)
    for cell in cells:
        dataset = occlude_dataset(test_set, make_occlude(cell, **shared), cell)
        picks = np.linspace(0, len(dataset) - 1, EXAMPLES).astype(int)
        batch = [dataset[int(pick)] for pick in picks]
        answers = {
            name: [
                int(sample.pred_label)
                for sample in model.test_step(pseudo_collate(batch))
            ]
            for name, model in models.items()
        }
        images = [
            (
                packed['inputs'].permute(1, 2, 0).numpy(),
                {name: labels[place] for name, labels in answers.items()},
            )
            for place, packed in enumerate(batch)
        ]
        truth = [int(p['data_samples'].gt_label) for p in batch]
        rows.append((cell, images))
    plot_examples(rows, truth, cfg.classes, path)


def main() -> None:
    """Make data, train, test, draw, and print the result."""
    args = parse_args()
    start = time.time()
    tool = 'tools/dataset_converters/make_digits_voc.py'
    run('Make the digits', tool, '--out', str(DATA))
    baseline, learn = CONFIGS.values()
    first = train('VGG-16, clean digits', baseline, args.out / 'baseline')
    second = train(
        'LEARN inside the frozen VGG-16',
        learn,
        args.out / 'learn',
        f'load_from={first}',
    )
    checkpoints = dict(zip(CONFIGS, (first, second), strict=True))
    report = test(checkpoints, args.out)
    models = {
        name: load_model(cli.read_config(CONFIGS[name]), path)
        for name, path in checkpoints.items()
    }
    draw_examples(models, Config.fromfile(baseline), args.out / 'examples.png')
    before, after = (report['models'][name]['means'] for name in CONFIGS)
    print()
    for key, what in (('L1-L3', 'occluded'), ('L0', 'clean')):
        old, new = before[key]['accuracy'], after[key]['accuracy']
        print(f'{what:9s} {old:5.1f} -> {new:5.1f} ({new - old:+.1f} points)')
    minutes = (time.time() - start) / 60
    print(
        f'\nOpen {args.out}/occlusion.html for the report. Beside it: '
        'occlusion.json, .csv and .md (the table), occlusion.png\n(accuracy '
        "by occlusion), examples.png (images with both models' answers). "
        f'Took {minutes:.1f} minutes.'
    )


if __name__ == '__main__':
    main()
