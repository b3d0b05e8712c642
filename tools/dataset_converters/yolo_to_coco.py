"""Turn labels in YOLO's layout (boxes or polygons) into a COCO json file.

    python tools/dataset_converters/yolo_to_coco.py IMAGES LABELS NAMES OUT

NAMES is a text file with a class name on each line; the first is class 0. A
blank line is a number that is not used, as in COCO's own category ids. OUT is
the json file to write.
"""

import argparse
import json
import sys
from pathlib import Path

from mmocc.datasets.yolo_coco import yolo_to_coco


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('images', type=Path, help='folder of images')
    parser.add_argument('labels', type=Path, help='folder of label files')
    parser.add_argument('names', type=Path, help='file of class names')
    parser.add_argument('out', type=Path, help='json file')
    return parser.parse_args()


def main() -> None:
    """Convert, write the file and print the counts."""
    args = parse_args()
    try:
        classes = [c.strip() for c in args.names.read_text().splitlines()]
        content, counts = yolo_to_coco(args.images, args.labels, classes)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(content) + '\n')
    print(
        f'{args.out}: {counts["images"]} images, {counts["objects"]} objects; '
        f'{counts["unlabelled"]} images without a label file, '
        f'{counts["no_image"]} label files without an image, '
        f'{counts["no_area"]} objects without area left out'
    )


if __name__ == '__main__':
    main()
