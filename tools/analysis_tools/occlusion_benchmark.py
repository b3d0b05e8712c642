"""What does occlusion cost a classifier? Accuracy by occluder and level.

Example: python tools/analysis_tools/occlusion_benchmark.py \
    configs/learn/vgg16_voc-baseline.py baseline.pth \
    configs/learn/vgg16_voc.py learn.pth \
    --texture-bank TEXTURES --object-bank CUTOUTS --out work_dirs/occlusion

Each model is tested on its own test set: clean (L0), and with white, noise,
texture and object occluders that hide 20-40 % (L1), 40-60 % (L2) and 60-80 %
(L3) of the object. Every model sees the same occlusions.
"""

import argparse
import shlex
import sys
from datetime import date
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.logging import print_log

from mmocc.evaluation import occlusion_benchmark as bench
from mmocc.occlusion import KINDS
from mmocc.visualization.occlusion_plots import plot_accuracy


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'models', nargs='+', help='CONFIG CHECKPOINT [CONFIG CHECKPOINT ...]'
    )
    parser.add_argument('--names', nargs='+', help='names of the models')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=KINDS)
    parser.add_argument('--texture-bank', nargs='+', help='image folder(s)')
    parser.add_argument('--object-bank', nargs='+', help='cut-out folder(s)')
    parser.add_argument('--texture-size', type=int, default=256)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--every', type=int, default=1, help='take only every n-th test image'
    )
    parser.add_argument('--amp', action='store_true', help='half precision')
    parser.add_argument('--out', default='work_dirs/occlusion')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args()
    if len(args.models) % 2:
        parser.error('give a checkpoint for each config')
    args.pairs = list(zip(args.models[::2], args.models[1::2], strict=True))
    args.names = args.names or [Path(c).stem for c, _ in args.pairs]
    if len(set(args.names)) != len(args.pairs):
        parser.error('give each model a name of its own with --names')
    return args


def main() -> None:
    """Test all models in all cells, print the table, write the files."""
    args = parse_args()
    # Models with the same test data see each occluded image together.
    groups, results = [], {name: {} for name in args.names}
    for name, (config, checkpoint) in zip(args.names, args.pairs, strict=True):
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(args.cfg_options or {})
        model = bench.load_model(cfg, checkpoint, args.device)
        for other, models in groups:
            if other.test_dataloader == cfg.test_dataloader:
                models[name] = model
                break
        else:
            groups.append((cfg, {name: model}))
    for cfg, models in groups:
        for cell in bench.cell_names(args.kinds):
            found = bench.run_cell(
                models,
                cfg,
                cell,
                amp=args.amp,
                every=args.every,
                texture_bank=args.texture_bank,
                object_bank=args.object_bank,
                texture_size=args.texture_size,
                seed=args.seed,
            )
            for name, result in found.items():
                results[name][cell] = result
                print_log(f'{name:20s} {cell:12s} {result["accuracy"]:6.2f}')
    meta = dict(
        command=f'python {shlex.join(sys.argv)}',
        seed=args.seed,
        device=args.device,
        date=date.today().isoformat(),
    )
    bench.write_results(results, meta, args.out)
    plot_accuracy(results, Path(args.out) / 'occlusion.png')
    print_log('\n' + bench.markdown_table(results))
    print_log(f'wrote {args.out}/occlusion.json, .csv, .md and .png')


if __name__ == '__main__':
    main()
