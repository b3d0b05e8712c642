"""Measure again what the cards of the digits' models say.

Example: python tools/dev/check_zoo.py --out work_dirs/zoo

Both models are loaded by ``mmocc.load``, their weights are written to a
checkpoint each, and the report's tool tests these on the demo's data, banks
and images. It exits with 1 if a number is farther from its card than
rounding.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch

from mmocc import zoo
from mmocc.utils.find_config import find_config, home

NAMES = ('efficientnet-lite0_digits', 'learn_efficientnet-lite0_digits')
DATA = Path('data/digits_voc')
BANKS = DATA / 'occluders/test'
ROUNDING = 0.06  # of numbers with one digit after the point


def run(tool: str, *words: str) -> None:
    """Run a tool of the repository, with this Python."""
    subprocess.run(
        [sys.executable, home() / 'tools' / tool, *words], check=True
    )


def measure(out: Path) -> dict[str, dict[str, float]]:
    """Return L0 and L1-L3 of each model in percent."""
    out.mkdir(parents=True, exist_ok=True)
    models: list[str] = []
    for name in NAMES:
        model = zoo.load(name)
        path = out / f'{name}.pth'
        torch.save(dict(state_dict=model.state_dict()), path)
        models += [find_config(model.card.build['config']), str(path)]
    run('dataset_converters/make_digits_voc.py', '--out', str(DATA))
    run(
        'analysis_tools/occlusion_benchmark.py',
        *models,
        *('--names', *NAMES),
        *('--texture-bank', str(BANKS / 'textures')),
        *('--object-bank', str(BANKS / 'objects')),
        *('--texture-size', '112', '--every', '2', '--out', str(out)),
    )
    report = json.loads((out / 'occlusion.json').read_text(encoding='utf-8'))
    return {
        name: {k: model['means'][k]['accuracy'] for k in ('L0', 'L1-L3')}
        for name, model in report['models'].items()
    }


def main() -> None:
    """Print each number beside its card's; exit with 1 if they differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/zoo'))
    differ = False
    for name, numbers in measure(parser.parse_args().out).items():
        for level, value in numbers.items():
            card = zoo.cards()[name].numbers[level]
            print(f'{name:32} {level:6} {value:6.2f}   card {card:5.1f}')
            differ |= abs(value - card) > ROUNDING
    sys.exit(differ)


if __name__ == '__main__':
    main()
