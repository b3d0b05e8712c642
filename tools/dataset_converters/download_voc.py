"""Download Pascal VOC 2007 and 2012 (torchvision fetches and checks them).

    python tools/dataset_converters/download_voc.py --out data

makes, from about 2.8 GB of archives, which stay,

    data/VOCdevkit/VOC2007/    trainval and test
    data/VOCdevkit/VOC2012/    trainval
        Annotations/ JPEGImages/ ImageSets/Main/ SegmentationObject/ ...

which ``mmocc.VOCObjects(data_root='data/VOCdevkit/VOC2007', ...)`` reads.
A complete split is not fetched again.
"""

import argparse
import sys
from pathlib import Path

from torchvision.datasets import VOCDetection
from torchvision.datasets.voc import DATASET_YEAR_DICT

from mmocc.utils.data_tool import run_tool
from mmocc.utils.files import expand, read_text

SPLITS = {'2007': ('trainval', 'test'), '2012': ('trainval',)}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', type=expand, default=Path('data'))
    parser.add_argument(
        '--years', nargs='+', choices=list(SPLITS), default=list(SPLITS)
    )
    return parser.parse_args()


def archive(year: str, split: str) -> dict[str, str]:
    """Return torchvision's url, filename and folder of one archive."""
    return DATASET_YEAR_DICT[f'{year}-test' if split == 'test' else year]


def is_complete(root: Path, split: str) -> bool:
    """Return whether every image that the split lists is there, with XML."""
    path = root / 'ImageSets' / 'Main' / f'{split}.txt'
    ids = read_text(path).split() if path.is_file() else []
    return bool(ids) and all(
        (root / 'JPEGImages' / f'{img_id}.jpg').is_file()
        and (root / 'Annotations' / f'{img_id}.xml').is_file()
        for img_id in ids
    )


def fetch(out: Path, year: str, split: str) -> None:
    """Fetch one split of one year, unless it is there.

    Raises:
        OSError: The download failed, or is not complete; says which archive
            to put where by hand.
    """
    source = archive(year, split)
    root = out / source['base_dir']
    if is_complete(root, split):
        print(f'{root}: {split} is already there')
        return
    print(f'{root}: fetching {split} from {source["url"]}', flush=True)
    out.mkdir(parents=True, exist_ok=True)
    try:
        VOCDetection(str(out), year=year, image_set=split, download=True)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f'could not fetch VOC{year} {split} ({error}). Without access to '
            f'the internet, fetch {source["url"]} elsewhere, put it here as '
            f'{out / source["filename"]} and run this again'
        ) from error
    if not is_complete(root, split):
        raise OSError(
            f'{root}: {split} is still incomplete after the download; remove '
            f'{out / source["filename"]} and run this again'
        )


def main() -> None:
    """Fetch all years."""
    args = parse_args()
    for year in dict.fromkeys(args.years):
        for split in SPLITS[year]:
            fetch(args.out, year, split)


if __name__ == '__main__':
    sys.exit(run_tool('download_voc', main))
