r"""Train expressions of partly hidden faces on a folder of your own.

Example: mmocc train ofer --data my_faces
    my_faces/happy/*.jpg, my_faces/sad/*.jpg, ...

A folder for each class, or a CSV table; two stages are trained one after the
other: what finds occluded patches, and what recognises the expression. A fifth
of the people is for the test. If it is interrupted, the same command goes on.
WORK_DIR gets report.md, report.json and the checkpoints; then

    mmocc predict ofer WORK_DIR/expression/config.py CHECKPOINT photo.jpg

With --faces, faces are found in the photos, and aligned, now and later.
"""

import argparse

from mmocc.apis.face_detectors import find_detector
from mmocc.apis.ofer_training import Faces, cut_out, find_classes, train_ofer
from mmocc.utils import cli
from mmocc.utils.files import expand


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('--data', type=expand, required=True, help='the folder')
    add('--classes', nargs='+', help='default: the folders, sorted')
    add('--table', help='CSV file in the folder: columns path, expression')
    add('--label-column', default='expression', help='of the table')
    add(
        '--subjects',
        default=r'(.+)',
        help="regular expression of a person's name in a file's name, such\n"
        r'as "(.+)_\d+"; default: each photo is of another person',
    )
    add(
        '--faces',
        choices=('auto', 'yunet', 'mtcnn', 'haar', 'none'),
        default='none',
        help='what finds faces; none (default): photos are faces',
    )
    add('--face-model', help="the file of OpenCV's YuNet")
    add('--epochs', type=int, help='of the expression network (15; 25)')
    add(
        '--weaken',
        action='store_true',
        help='instead of fine-tuning the network: freeze it, and weaken its\n'
        'features where something hides the face (WORK_DIR/weakened)',
    )
    add('--work-dir', type=expand, help='default: work_dirs/ofer_FOLDER')
    args = parser.parse_args()
    if args.table and not args.classes:
        parser.error('--table needs --classes, in the order you want')
    return args


@cli.one_line_errors()
def main() -> None:
    """Train, test and report."""
    args = parse_args()
    work_dir = args.work_dir or expand(f'work_dirs/ofer_{args.data.name}')
    classes = tuple(args.classes or find_classes(args.data))
    faces = Faces(
        args.data, classes, args.table, args.label_column, args.subjects
    )
    find_faces = args.faces
    if args.face_model and find_faces == 'none':
        find_faces = 'yunet'
    if find_faces != 'none':
        detector = find_detector(find_faces, args.face_model)
        faces = cut_out(faces, detector, work_dir / 'faces')
    train_ofer(faces, work_dir, args.epochs, find_faces, args.weaken)
    print((work_dir / 'report.md').read_text(encoding='utf-8'))
    print(f'wrote {work_dir / "report.md"}')


if __name__ == '__main__':
    main()
