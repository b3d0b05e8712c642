r"""Mean and standard deviation of a config's training images, by channel.

Example: python tools/analysis_tools/dataset_mean.py \
    configs/learn/resnet18_cifar10-has.py

The images are those that the training pipeline hands to its packing step:
read, cropped, resized, flipped, ... as in training; a border that a crop adds
counts as well. Steps that hide parts of an image (Hide-and-Seek,
RandomErasing, ...) are left out, and named. Every pixel counts alike.

Prints lines to paste into a config: mean and std of the data preprocessor,
and the fill of mmocc.HideAndSeek. For any config of mmpretrain and mmdet.
"""

import argparse
import sys
from functools import partial

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.dataset import worker_init_fn
from mmengine.registry import DATASETS, init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset, Subset

from mmocc.datasets.channel_stats import ChannelStats, cut_pipelines
from mmocc.utils import cli


class StatsOf(Dataset):
    """The statistics of each image, computed where it is loaded."""

    def __init__(self, images: Dataset) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> ChannelStats:
        image = self.images[index]['img']
        if not isinstance(image, list | tuple):
            return ChannelStats.of(np.asarray(image))
        first, *others = (ChannelStats.of(np.asarray(i)) for i in image)
        return sum(others, first)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config of a training run')
    add('--every', type=int, default=1, help='take only every n-th image')
    add('--workers', type=int, default=2, help='loading processes')
    add('--seed', type=int, default=0, help='seed of crops and the like')
    add(
        '--rgb',
        action='store_true',
        help="the pipeline's images are RGB (mm's are BGR unless it turns "
        'them round)',
    )
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
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
    total = None
    for batch in track(loader, 'reading'):
        for stats in batch:
            total = stats if total is None else total + stats
    return total, len(chosen)


def tell(stats: ChannelStats, cfg: Config, rgb: bool) -> str:
    """Return the lines to paste.

    Args:
        stats: In the pipeline's channel order.
        cfg: Its data preprocessor says whether it turns the channels round.
        rgb: Whether the pipeline's order is RGB.
    """
    places = (cfg.get('data_preprocessor'), cfg.model.get('data_preprocessor'))
    settings = next((place for place in places if place), {})
    turn = any(
        settings.get(key) for key in ('to_rgb', 'bgr_to_rgb', 'rgb_to_bgr')
    )
    mean, std = (
        [round(float(v), 3) for v in values]
        for values in (stats.mean, stats.std)
    )
    fill, orders = tuple(mean), ['', '']
    if len(mean) == 3:
        orders = ['RGB', 'BGR'] if rgb else ['BGR', 'RGB']
        turned = slice(None, None, -1 if turn else 1)
        mean, std = mean[turned], std[turned]
        orders = [f'  # {orders[0]}', f'  # {orders[int(turn)]}']
    return (
        f'data_preprocessor: mean={mean}, std={std},{orders[1]}\n'
        f'mmocc.HideAndSeek: fill={fill},{orders[0]}'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    cli.check_types(cfg)
    stats, number = measure(cfg, args)
    print(f'{number} images, {stats.count} pixels')
    print(tell(stats, cfg, args.rgb))


if __name__ == '__main__':
    main()
