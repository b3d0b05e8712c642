"""Search settings of a config at random, one training for each trial.

Example:
    python tools/random_search.py \
        configs/hide_and_seek/resnet50_has-mixed_cub.py space.json \
        --metric max_box_acc/v2 --trials 30

space.json: {"optim_wrapper.optimizer.lr": {"log": [1e-5, 1]},
             "data_preprocessor.hide.hide_prob": {"uniform": [0, 1]},
             "data_preprocessor.hide.grid_sizes": {"choice": [[16], [56]]}}

The command resumes: trials with a result are not run again, one that was
interrupted goes on from its last checkpoint. Score trials on validation
images with boxes, never on those that are reported (docs/localization.md).
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from mmocc.utils.random_search import (
    RESULT,
    as_options,
    draw_trial,
    parse_space,
    ranking,
    read_metric,
)

TRAIN = Path(__file__).with_name('train.py')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('space', type=Path, help='JSON file of settings')
    parser.add_argument(
        '--metric', required=True, help='of the log; more is better'
    )
    parser.add_argument('--trials', type=int, default=30)
    parser.add_argument(
        '--first',
        type=int,
        default=0,
        help='number of the first trial; so that machines share a search',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--epoch',
        choices=['best', 'last'],
        default='best',
        help='whose value of the metric is the score',
    )
    parser.add_argument(
        '--work-dir', type=Path, help='default: work_dirs/CONFIG_search'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='for all trials, as of tools/train.py',
    )
    return parser.parse_args()


def note_search(args: argparse.Namespace, space: dict) -> None:
    """Write what is searched; exit if the folder has another search."""
    args.work_dir.mkdir(parents=True, exist_ok=True)
    search = dict(
        config=args.config,
        space=space,
        metric=args.metric,
        epoch=args.epoch,
        seed=args.seed,
        cfg_options=args.cfg_options,
    )
    file = args.work_dir / 'search.json'
    if file.exists():
        known = json.loads(file.read_text(encoding='utf-8'))
        others = [key for key, value in search.items() if known[key] != value]
        if others:
            sys.exit(
                f'{file}: this folder has a search with another '
                f'{", ".join(others)}; give another --work-dir'
            )
    file.write_text(json.dumps(search, indent=1), encoding='utf-8')


def run_trial(args: argparse.Namespace, number: int, values: dict) -> None:
    """Train with some values, and write the result of the trial."""
    folder = args.work_dir / f'trial_{number:02d}'
    folder.mkdir(exist_ok=True)
    options = [*args.cfg_options, *as_options(values)]
    command = [sys.executable, str(TRAIN), args.config, '--work-dir']
    command += [str(folder), '--resume', '--cfg-options', *options]
    begin = time.time()
    with (folder / 'train.log').open('a', encoding='utf-8') as log:
        code = subprocess.call(command, stdout=log, stderr=log)
    result = dict(trial=number, values=values, score=None)
    result['seconds'] = round(time.time() - begin)
    if code:
        lines = (folder / 'train.log').read_text(encoding='utf-8').split('\n')
        result['error'] = next(filter(None, reversed(lines)), f'code {code}')
    else:
        result['score'] = read_metric(folder, args.metric, args.epoch)
    text = json.dumps(result, indent=1)
    (folder / RESULT).write_text(text, encoding='utf-8')
    print(number, result['score'], *options, flush=True)
    if code:
        print(f'  failed, see {folder / "train.log"}: {result["error"]}')


def main() -> None:
    """Run the trials that have no result, and print the best."""
    args = parse_args()
    default = Path('work_dirs', f'{Path(args.config).stem}_search')
    args.work_dir = args.work_dir or default
    try:
        space = json.loads(args.space.read_text(encoding='utf-8'))
        settings = parse_space(space, str(args.space))
    except (OSError, ValueError) as error:
        sys.exit(f'{args.space}: {error}')
    note_search(args, space)
    for number in range(args.first, args.first + args.trials):
        if not (args.work_dir / f'trial_{number:02d}' / RESULT).exists():
            try:
                run_trial(
                    args, number, draw_trial(settings, args.seed, number)
                )
            except ValueError as error:  # no such metric: true of all trials
                sys.exit(str(error))
    for place, result in enumerate(ranking(args.work_dir)[:5], 1):
        options = ' '.join(as_options(result['values']))
        print(
            f'{place}. trial {result["trial"]}: {result["score"]}  {options}'
        )


if __name__ == '__main__':
    main()
