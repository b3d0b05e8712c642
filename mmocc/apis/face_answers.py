"""What was found in photos and videos of faces, written for people."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.apis.face_videos import WEBCAM, is_video, predict_video
from mmocc.apis.latent_ofer_inferencer import LatentOFERInferencer
from mmocc.utils.files import fit_name
from mmocc.utils.whole_files import write_whole
from mmocc.visualization.face_pictures import draw_faces
from mmocc.visualization.sheet import write_image

COLUMNS = (
    *('photo', 'frame', 'time', 'face', 'left', 'top', 'right', 'bottom'),
    *('expression', 'score', 'occluded'),
)


def write_table(answers: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a CSV file with a line for each face.

    Its columns: photo, frame and time (of videos), face, left, top, right,
    bottom (pixels; empty if no face was looked for), expression, score,
    occluded (share of the patches), and the score of each class.

    Args:
        answers: Predictions of ``mmocc.apis.LatentOFERInferencer``.
        path: The file.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    number = max((len(one['pred_scores']) for one in answers), default=0)
    classes = [f'score{place}' for place in range(number)]
    writer.writerow([*COLUMNS, *classes])
    for one in answers:
        mask = one.get('mask')
        writer.writerow(
            [
                one.get('photo', one['name']),
                one.get('frame', ''),
                f'{one["time"]:.3f}' if 'time' in one else '',
                one.get('face', ''),
                *one.get('box', [''] * 4),
                one.get('pred_class', one['pred_label']),
                f'{one["pred_score"]:.4f}',
                '' if mask is None else f'{np.mean(mask):.4f}',
                *(f'{score:.4f}' for score in one['pred_scores']),
            ]
        )
    write_whole(text.getvalue().encode(), path)


def write_photos(
    infer: LatentOFERInferencer, answers: Sequence[dict[str, Any]], out: Path
) -> int:
    """Write each photo in which faces were found; return their number.

    Args:
        infer: What found them; it loads the photos again.
        answers: Its predictions; those without ``photo`` are left alone.
        out: Folder; a photo gets the name of its file, and ``_faces``.
    """
    photos = defaultdict(list)
    for answer in answers:
        if 'photo' in answer and 'frame' not in answer:
            photos[answer['photo']].append(answer)
    for place, (name, found) in enumerate(photos.items()):
        image = infer.pipeline.read(name)[1]
        picture = draw_faces(image[..., ::-1], found)
        stem = f'{place:06d}_{Path(name).stem}'
        write_image(picture, out / fit_name(stem, '_faces.png'))
    return len(photos)


def predict_videos(
    infer: LatentOFERInferencer,
    names: Sequence[str],
    out: Path,
    every: int,
    show: bool,
) -> list[dict[str, Any]]:
    """Return the predictions of videos; write each with its faces to OUT.

    Names that are no videos are left alone. ValueError if there is a video
    and no face detector.
    """
    answers = []
    for name in filter(is_video, names):
        if infer.detector is None:
            raise ValueError(
                f'{name} is a video: say what finds its faces, such as '
                '--faces auto'
            )
        stem = WEBCAM if name == WEBCAM else Path(name).stem
        path = out / fit_name(f'{stem}_faces', '.mp4')
        answers += predict_video(infer, name, path, every, show=show)
    return answers
