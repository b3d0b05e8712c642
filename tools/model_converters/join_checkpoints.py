"""Join checkpoints of several models into one for ``mmocc.CAMEnsemble``.

Example: python tools/model_converters/join_checkpoints.py ensemble.pth \
    work_dirs/alexnet-gap_{cam,has16,has32,has44,has56}_in1k/epoch_55.pth
"""

import argparse
import sys
from pathlib import Path

import torch

from mmocc.utils import cli
from mmocc.utils.state_dicts import read_checkpoint, without_wrappers


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Join checkpoints for mmocc.CAMEnsemble'
    )
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument(
        'checkpoints',
        nargs='+',
        help="files or URLs, in the order of the ensemble's models",
    )
    cli.add_trust(parser)
    return parser.parse_args()


@cli.one_line_errors()
def main() -> None:
    """Write the weights of each model under ``models.N.``."""
    args = parse_args()
    if args.out.exists():
        sys.exit(f'{args.out} exists: name another file, or remove it.')
    joined = {}
    for number, path in enumerate(args.checkpoints):
        cli.check_checkpoint(
            path, 'OUT CHECKPOINT ...', trust=args.trust_checkpoint
        )
        weights = read_checkpoint(path)['state_dict']
        for key, value in without_wrappers(weights).items():
            joined[f'models.{number}.{key}'] = value
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=joined), args.out)
    print(f'{args.out}: {len(args.checkpoints)} models')


if __name__ == '__main__':
    main()
