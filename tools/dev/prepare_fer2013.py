"""Prepare FER2013 and its occluders for configs/ofer/*_fer2013.py.

    prepare_fer2013.py FER2013 CUTOUTS MASKS HANDS [--out data/fer2013]

FER2013 has {train,validation,test}/CLASS/*.jpg, CUTOUTS is the output of
tools/dataset_converters/make_cutouts.py for COCO (its test may be named val),
MASKS is MaskTheFace's folder masks (templates and masks.cfg), HANDS a folder
of RGBA hands. Train and test occluders share no kind of thing and no file.

FER2013 has some photos several times, also across its splits. This tool leaves
out blank pictures, pictures of train that look like one of validation or test,
and pictures of validation that look like one of test. OUT/left_out.txt lists
them.
"""

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np

SPLITS = ('test', 'validation', 'train')  # repeats stay in the first
# By COCO's names; people include hands: skin, fingers, sleeves.
THINGS = dict(
    train=dict(
        animal='bear bird cat cow dog elephant giraffe horse sheep zebra',
        kitchen='bottle bowl cup fork knife spoon wine_glass',
        worn='backpack handbag tie umbrella',
        indoor='bed book chair couch scissors teddy_bear vase potted_plant',
        vehicle='bicycle boat bus car motorcycle train truck',
    ),
    test=dict(
        person='person',
        food='apple banana broccoli cake carrot donut orange pizza',
        electronic='cell_phone clock keyboard laptop mouse remote tv',
        sport='frisbee skateboard skis sports_ball surfboard tennis_racket',
    ),
)
MASKS = dict(
    train=dict(surgical_mask='surgical surgical_green surgical_blue'),
    test=dict(cloth_mask='cloth', respirator='N95 KN95 gas'),
)
VIEWS = ('', '_left', '_right')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in ('fer2013', 'cutouts', 'masks', 'hands'):
        parser.add_argument(name, type=Path)
    parser.add_argument('--out', type=Path, default=Path('data/fer2013'))
    parser.add_argument(
        '--alike',
        type=float,
        default=0.9,
        help='from this correlation on, blurred pictures are the same',
    )
    return parser.parse_args()


def outlines(paths: list[Path]) -> np.ndarray:
    """Return blurred pictures as float32 (n, 576) of length 1, 0 if blank.

    Raises:
        ValueError: If a file is not a picture.
    """
    rows = []
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise ValueError(f'{path} is not a picture; remove or replace it')
        small = cv2.resize(cv2.GaussianBlur(picture, (0, 0), 1), (24, 24))
        row = small.astype(np.float32).ravel()
        row -= row.mean()
        rows.append(row * (row.std() > 1) / max(np.linalg.norm(row), 1e-6))
    return np.stack(rows)


def copy_faces(source: Path, out: Path, alike: float) -> None:
    """Copy the pictures of all splits, without repeats and blank ones.

    Raises:
        FileNotFoundError: If a split has no picture.
    """
    before, names, notes = np.zeros((1, 576), np.float32), ['-'], []
    for split in SPLITS:
        paths = sorted((source / split).glob('*/*.jpg'))
        if not paths:
            raise FileNotFoundError(
                f'there is no CLASS/*.jpg in {source / split}'
            )
        rows = outlines(paths)
        likeness = rows @ before.T
        for path, row, like in zip(paths, rows, likeness, strict=True):
            name = path.relative_to(source)
            if not row.any():
                notes.append(f'{name} is blank')
            elif like.max() >= alike:
                notes.append(f'{name} is like {names[like.argmax()]}')
            else:
                place = out / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        before = np.vstack([before, rows])
        names += [path.relative_to(source) for path in paths]
    (out / 'left_out.txt').write_text(
        '\n'.join([*map(str, notes), '']), encoding='utf-8'
    )
    print(f'{len(notes)} pictures left out, see {out}/left_out.txt')


def copy_kind(files: list[Path], place: Path) -> None:
    """Copy the cut-outs of a kind to a new folder.

    Raises:
        FileNotFoundError: If there are none.
    """
    if not files:
        raise FileNotFoundError(f'there is no cut-out for {place}')
    place.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, place / file.name)


def copy_occluders(args: argparse.Namespace) -> None:
    """Sort all cut-outs into train and test kinds.

    Raises:
        FileNotFoundError: If a kind has no cut-out.
    """
    for split in THINGS:
        out = args.out / 'occluders' / split
        folder = args.cutouts / split
        if split == 'test' and not folder.is_dir():
            folder = args.cutouts / 'val'
        for kind, names in THINGS[split].items():
            files = [
                file
                for name in names.split()
                for file in sorted(folder.glob(f'{name}_[0-9]*.png'))
            ]
            copy_kind(files, out / kind)
        for kind, names in MASKS[split].items():
            files = [
                args.masks / 'templates' / f'{name}{view}.png'
                for name in names.split()
                for view in VIEWS
            ]
            copy_kind(files, out / kind)
            shutil.copyfile(args.masks / 'masks.cfg', out / kind / 'masks.cfg')
    copy_kind(sorted(args.hands.glob('*.png')), out / 'hand')


def main() -> None:
    """Copy faces, then occluders."""
    args = parse_args()
    copy_faces(args.fer2013, args.out, args.alike)
    copy_occluders(args)


if __name__ == '__main__':
    main()
