"""A copy of a folder of photographs, all of one exposure.

The values of each photo are multiplied so that their median is ``--median``.
For parts before a plain ground, whose brightness is that of the lamp. Masks
(files or folders with ``mask`` or ``ground_truth`` in the name) and other
files are copied as they are.

    python tools/dev/even_exposure.py data/mvtec_screw OUT [--median 200]
"""

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np

PHOTOS = ('.png', '.jpg', '.jpeg', '.bmp')
MASKS = ('mask', 'ground_truth')


def even(image: np.ndarray, median: float) -> np.ndarray:
    """Return an image (H, W) or (H, W, C) uint8 of this median.

    Values above 255 are cut off. An image whose median is 0 stays as it is.
    """
    own = float(np.median(image))
    if own == 0:
        return image
    return (image * (median / own)).round().clip(0, 255).astype(np.uint8)


def copy(source: Path, out: Path, median: float) -> int:
    """Copy a folder; return the number of photos.

    Raises:
        ValueError: A photo cannot be read.
    """
    photos = 0
    for path in sorted(source.rglob('*')):
        if not path.is_file():
            continue
        name = path.relative_to(source)
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        is_mask = any(word in part for part in name.parts for word in MASKS)
        if is_mask or path.suffix.lower() not in PHOTOS:
            shutil.copyfile(path, target)
            continue
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise ValueError(f'{path} cannot be read')
        cv2.imwrite(str(target), even(image, median))
        photos += 1
    return photos


def main() -> None:
    """Copy a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('source', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--median', type=float, default=200.0)
    args = parser.parse_args()
    print(f'{copy(args.source, args.out, args.median)} photos')


if __name__ == '__main__':
    main()
