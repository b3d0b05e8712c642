"""Train a model: any mmpretrain or mmdet config, with or without mmocc.

Example: python tools/train.py configs/learn/vgg16_voc.py --amp
"""

import argparse
import sys

from mmengine.config import Config

from mmocc.engine.check_weights_hook import CheckWeightsHook
from mmocc.engine.safe_checkpoint_hook import use_safe_checkpoints
from mmocc.utils import cli
from mmocc.utils.strict_images import use_strict_images
from mmocc.utils.whole_files import SaveError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    cli.add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint, or from the latest in the work '
        'directory',
    )
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate during training',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size',
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='start the workers of dataloaders again in each epoch',
    )
    return parser.parse_args()


def main() -> None:
    """Train as the config and the flags say."""
    args = parse_args()
    cfg = cli.load_config(args)
    with cli.one_line_errors(cfg):
        train(cfg, args)


def train(cfg: Config, args: argparse.Namespace) -> None:
    """Change the config as the flags say, and train."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        cli.use_amp(cfg)
    if args.auto_scale_lr:
        cli.scale_learning_rate(cfg)
    cli.set_resume(cfg, args.resume)
    cli.fill_dataloaders(
        cfg,
        ['train_dataloader', 'val_dataloader', 'test_dataloader'],
        pin_memory=not args.no_pin_memory,
        persistent_workers=not args.no_persistent_workers,
    )
    use_safe_checkpoints(cfg)
    flag, baseline = '--resume PATH', None
    if not cfg.get('resume'):
        flag = '--cfg-options load_from=PATH_OR_URL'
        baseline = cfg.get('baseline_config')
    cli.check_checkpoint(
        cfg.get('load_from'), flag, baseline, args.trust_checkpoint
    )
    use_strict_images(cfg)
    cli.start_cpu_group(cfg)
    runner = cli.build_runner(cfg)
    runner.register_hook(CheckWeightsHook())
    try:
        runner.train()
    except SaveError as error:
        sys.exit(f'{error} with --resume')


if __name__ == '__main__':
    main()
