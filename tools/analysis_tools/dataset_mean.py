r"""Mean and standard deviation of a config's training images, by channel.

Example: python tools/analysis_tools/dataset_mean.py \
    configs/learn/resnet18_cifar10-has.py

The images are those that reach the packing step of the training pipeline:
read, cropped, resized, flipped, ... as in training; a border that a crop adds
counts as well. Steps that hide parts of an image (Hide-and-Seek,
RandomErasing, ...) are left out, and named. All pixels count alike.

Prints lines to paste into a config: mean and std of the data preprocessor,
and the fill of mmocc.HideAndSeek. For any config of mmpretrain and mmdet.
"""

import argparse
import sys
from functools import partial, reduce
from operator import add

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.dataset import worker_init_fn
from mmengine.registry import DATASETS, init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset, Subset

from mmocc.datasets.channel_stats import ChannelStats, cut_pipelines
from mmocc.utils import cli
from mmocc.utils.config_types import scope_of


class StatsOf(Dataset):
    """The statistics of each image, computed by the process that loads it."""

    def __init__(self, images: Dataset) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> ChannelStats:
        image = self.images[index]['img']
        images = image if isinstance(image, list | tuple) else [image]
        first, *others = (ChannelStats.of(np.asarray(i)) for i in images)
        return sum(others, first)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    option = parser.add_argument
    option('config', help='config of a training run')
    option('--every', type=int, default=1, help='take only every n-th image')
    option('--workers', type=int, default=2, help='loading processes')
    option('--seed', type=int, default=0, help='seed of crops and the like')
    option(
        '--rgb',
        action='store_true',
        help="the pipeline's images are RGB (mm loads BGR)",
    )
    option('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def measure(cfg: Config, args: argparse.Namespace) -> tuple[ChannelStats, int]:
    """Return the statistics of the training images and their number."""
    config, left_out = cut_pipelines(cfg.train_dataloader.dataset)
    for kind in left_out:
        print(f'left out: {kind}')
    dataset = DATASETS.build(config)
    chosen = Subset(dataset, range(0, len(dataset), args.every))
    if not len(chosen):
        sys.exit(f'The training set of {args.config} has no image.')
    np.random.seed(args.seed)
    loader = DataLoader(
        StatsOf(chosen),
        batch_size=16,
        num_workers=args.workers,
        collate_fn=list,
        worker_init_fn=partial(
            worker_init_fn, num_workers=args.workers, rank=0, seed=args.seed
        ),
    )
    images = (stats for batch in track(loader, 'reading') for stats in batch)
    return reduce(add, images), len(chosen)


def lines_to_paste(stats: ChannelStats, cfg: Config, rgb: bool) -> str:
    """Return the lines to paste; ``rgb`` is the pipeline's channel order."""
    settings = cfg.get('data_preprocessor') or cfg.model.get(
        'data_preprocessor', {}
    )
    reverse = any(
        settings.get(key) for key in ('to_rgb', 'bgr_to_rgb', 'rgb_to_bgr')
    )
    mean, std = (
        [round(float(v), 3) for v in values]
        for values in (stats.mean, stats.std)
    )
    fill, before, after = tuple(mean), '', ''
    if len(mean) == 3:
        before = after = '  # RGB' if rgb else '  # BGR'
        if reverse:
            mean, std, after = mean[::-1], std[::-1], f'  # {before[:-4:-1]}'
    return (
        f'data_preprocessor: mean={mean}, std={std},{after}\n'
        f'mmocc.HideAndSeek: fill={fill},{before}'
    )


@cli.one_line_errors()
def main() -> None:
    """Measure and print."""
    args = parse_args()
    cfg = cli.read_config(args.config, args.cfg_options)
    init_default_scope(scope_of(cfg, 'mmengine'))
    stats, number = measure(cfg, args)
    print(f'{number} images, {stats.count} pixels')
    print(lines_to_paste(stats, cfg, args.rgb))


if __name__ == '__main__':
    main()
