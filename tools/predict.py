r"""Ask a trained model about photos: a line for each, pictures and a file.

Example: python tools/predict.py localization \
    CONFIG CHECKPOINT photo.jpg more_photos --out work_dirs/answers

Photos are files, URLs and folders; nothing of the data of training is needed.
METHOD is localization (class and box of a classifier with mmocc.CAMHead, or
of any with --map-method), dea (objects of a page, and which are anomalous) or
ofer (expression of a face, and its occluded patches). OUT gets a picture of
each photo, and predictions.json: all but maps and pictures; with dea also
predictions.csv, and maps as .npy and .tiff.

With ofer, --faces finds the faces of each photo, and a photo may be a video,
or webcam; OUT also gets predictions.csv, and photos and videos with what was
found drawn on them. Example:
    mmocc predict ofer CONFIG CHECKPOINT holiday.jpg party.mp4 --faces auto
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import DictAction

from mmocc import apis
from mmocc.apis.anomaly_answers import write_anomalies
from mmocc.apis.face_answers import (
    predict_videos,
    write_photos,
    write_table,
)
from mmocc.apis.face_videos import is_video
from mmocc.apis.photos import UnreadablePhotoError
from mmocc.utils import cli

METHODS = dict(
    localization='LocalizationInferencer',
    dea='DEAInferencer',
    ofer='LatentOFERInferencer',
)
PICTURES = (
    'map', 'reconstructions', 'anomaly_map', 'reconstruction', 'attention',
    'align_matrix',
)  # fmt: skip


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('method', choices=METHODS, metavar='METHOD', help=', '.join(METHODS))
    add('config', help='config file')
    add('checkpoint', help='checkpoint file')
    add('photos', nargs='+', help='files, URLs or folders')
    add('--out', type=Path, default=Path('work_dirs/predict'))
    add('--batch-size', type=int, default=1)
    add('--skip-corrupt', action='store_true', help='leave out bad files')
    add('--show', action='store_true', help='open a window for each photo')
    add('--classes', nargs='+', help="default: the checkpoint's")
    add('--map-method', help='of localization, such as gradcam')
    add(
        '--faces',
        choices=('auto', 'yunet', 'mtcnn', 'haar', 'none'),
        help='of ofer: what finds faces; auto takes the best that is there, '
        "none takes a photo as one face (default: what the config's "
        'find_faces says, or none)',
    )
    add('--face-model', help="of ofer: the file of OpenCV's YuNet")
    add('--every', type=int, default=1, help='of videos: each n-th frame')
    add('--device', help='default: the GPU if there is one')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    args = parser.parse_args()
    if args.map_method and args.method != 'localization':
        parser.error('--map-method is for localization')
    if (args.faces or args.face_model) and args.method != 'ofer':
        parser.error('--faces and --face-model are for ofer')
    videos = [name for name in args.photos if is_video(name)]
    if videos and args.method != 'ofer':
        parser.error(f'{videos[0]}: only ofer takes videos')
    return args


def in_words(answer: dict[str, Any]) -> str:
    """Return a prediction as a line."""
    if 'anomalous' in answer:
        bad, count = int(answer['anomalous'].sum()), len(answer['anomalous'])
        return f'{answer["name"]}: {bad} of {count} objects anomalous'
    label = answer.get('pred_class', f'class {answer["pred_label"]}')
    parts = [f'{label} {100 * answer["pred_score"]:.0f} %']
    parts += [f'box {np.round(box)}' for box in answer.get('boxes', ())]
    if 'mask' in answer:
        mask = answer['mask']
        parts.append(f'{int(mask.sum())} of {mask.size} patches occluded')
    return f'{answer["name"]}: {", ".join(parts)}'


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction without pictures, as JSON has it."""
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in answer.items()
        if key not in PICTURES
    }


@cli.one_line_errors()
def main() -> None:
    """Answer all photos."""
    args = parse_args()
    cfg = cli.read_config(args.config, args.cfg_options)
    usage = 'METHOD CONFIG CHECKPOINT'
    cli.check_checkpoint(
        args.checkpoint, usage, args.config, args.trust_checkpoint
    )
    options: dict[str, Any] = {}
    if args.map_method:
        options['method'] = args.map_method
    if args.method == 'ofer':
        options.update(faces=args.faces, face_model=args.face_model)
    infer = getattr(apis, METHODS[args.method])(
        cfg,
        args.checkpoint,
        args.device,
        classes=args.classes,
        trust_checkpoint=args.trust_checkpoint,
        **options,
    )
    photos = [p for p in args.photos if not is_video(p)]
    answers: dict[str, list] = dict(predictions=[], skipped=[])
    try:
        if photos:
            answers = infer(
                photos,
                batch_size=args.batch_size,
                skip_corrupt=args.skip_corrupt,
                show=args.show,
                out_dir=args.out,
            )
    except UnreadablePhotoError as error:
        sys.exit(str(error).replace('skip_corrupt=True', '--skip-corrupt'))
    predictions = answers['predictions']
    args.out.mkdir(parents=True, exist_ok=True)
    number = len(predictions)
    if args.method == 'ofer':
        number += write_photos(infer, predictions, args.out)
        predictions += predict_videos(
            infer, args.photos, args.out, args.every, args.show
        )
        write_table(predictions, args.out / 'predictions.csv')
    if args.method == 'dea':
        write_anomalies(predictions, args.out)
    print('\n'.join(map(in_words, predictions)))
    content = dict(
        predictions=[plain(one) for one in predictions],
        skipped=answers['skipped'],
    )
    path = args.out / 'predictions.json'
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text, encoding='utf-8')
    print(f'wrote {path} and {number} pictures')


if __name__ == '__main__':
    main()
