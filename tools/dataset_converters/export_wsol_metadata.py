r"""Write a config's test set in the public metadata format.

    python tools/dataset_converters/export_wsol_metadata.py \
        configs/hide_and_seek/resnet50_cam_cub.py metadata/cub/test

For any mmocc.WSOLDataset: image_ids.txt, class_labels.txt, image_sizes.txt
and, with boxes or masks, localization.txt, as clovaai/wsolevaluation and
eval_localization.py read them. Boxes are rounded to whole pixels.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction
from rich.progress import track

from mmocc.apis import samples
from mmocc.datasets.wsol.metadata import write_metadata
from mmocc.utils import cli
from mmocc.utils.photos import photo_size


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config file')
    add('out', type=Path, help='folder to write, such as metadata/cub/test')
    add('--phase', choices=['train', 'val', 'test'], default='test')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


@cli.one_line_errors()
def main() -> None:
    """Read the data set and write its metadata."""
    args = parse_args()
    cfg = cli.read_config(args.config, args.cfg_options)
    dataset = samples.build_dataset(cfg, args.phase)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if infos and 'image_id' not in infos[0]:
        raise ValueError(
            f'{args.config}: {type(dataset).__name__} has no image ids; '
            "use dict(type='mmocc.WSOLDataset', ...)"
        )
    sizes = {
        info['image_id']: photo_size(info['img_path'])
        for info in track(infos, 'reading sizes', transient=True)
    }
    write_metadata(args.out, infos, sizes)
    print(f'wrote {len(infos)} images to {args.out}')


if __name__ == '__main__':
    main()
