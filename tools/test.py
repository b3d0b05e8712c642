"""Test a model: any mmpretrain or mmdet config, with or without mmocc.

Example: python tools/test.py configs/learn/vgg16_voc.py epoch_12.pth
"""

import argparse

import mmengine
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults

from mmocc.engine.check_weights_hook import CheckWeightsHook
from mmocc.utils import cli
from mmocc.utils.amp import predict_in_float32
from mmocc.utils.config_types import host_of
from mmocc.utils.strict_images import use_strict_images


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    cli.add_common_arguments(parser)
    parser.add_argument('--out', help='file to write the results to')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what to write: predictions (a .pkl; the default) or metrics (a '
        '.json, .yaml or .pkl)',
    )
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument('--show-dir', help='folder to draw predictions to')
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every so many samples'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds per window'
    )
    parser.add_argument(
        '--tta', action='store_true', help='test-time augmentation'
    )
    args = parser.parse_args()
    if args.out_item and not args.out:
        parser.error('--out-item needs --out')
    return args


def main() -> None:
    """Test as the config and the flags say."""
    args = parse_args()
    cfg = cli.load_config(args)
    with cli.one_line_errors(cfg):
        test(cfg, args)


def test(cfg: Config, args: argparse.Namespace) -> None:
    """Change the config as the flags say, and test."""
    cfg.load_from, cfg.resume = args.checkpoint, False
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir:
        cli.show_predictions(cfg, args)
    if args.tta:
        cli.use_tta(cfg)
    cli.fill_dataloaders(
        cfg, ['test_dataloader'], pin_memory=not args.no_pin_memory
    )
    cli.check_checkpoint(
        args.checkpoint,
        'tools/test.py CONFIG PATH_OR_URL',
        args.config,
        args.trust_checkpoint,
    )
    use_strict_images(cfg)
    cli.start_cpu_group(cfg)
    runner = cli.build_runner(cfg)
    runner.register_hook(CheckWeightsHook(whole=True))
    if args.amp:
        predict_in_float32(runner.model)
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(dump_results(cfg, args.out))
    metrics = runner.test()
    if args.out and args.out_item == 'metrics' and is_main_process():
        mmengine.dump(metrics, args.out)


def dump_results(cfg: Config, path: str) -> DumpResults:
    """Return the metric that writes predictions in the host's format."""
    if host_of(cfg) == 'mmdet':
        from mmocc.evaluation import DumpObjects

        return DumpObjects(path)
    return DumpResults(path)


if __name__ == '__main__':
    main()
