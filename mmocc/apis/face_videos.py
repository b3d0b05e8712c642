"""Faces of a video: what each frame shows, as a table and a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmocc.apis.latent_ofer_inferencer import LatentOFERInferencer
from mmocc.utils.files import expand
from mmocc.visualization.face_pictures import draw_faces

ENDINGS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
WEBCAM = 'webcam'


def is_video(name: str) -> bool:
    """Return whether a name is that of a video, or of the webcam."""
    return name == WEBCAM or Path(name).suffix.lower() in ENDINGS


def open_video(name: str) -> cv2.VideoCapture:
    """Open a video file, or the first camera for ``webcam``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: OpenCV cannot read it.
    """
    if name != WEBCAM and not expand(name).is_file():
        raise FileNotFoundError(f'there is no video {name}')
    capture = cv2.VideoCapture(0 if name == WEBCAM else str(expand(name)))
    if not capture.isOpened():
        raise ValueError(
            f'{name} cannot be read by OpenCV: convert it to an MP4 with '
            'H.264, or plug in a camera'
        )
    return capture


def read_frames(
    capture: cv2.VideoCapture, every: int, limit: int | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield number and picture (H, W, 3) uint8 BGR of each n-th frame."""
    number = 0
    while limit is None or number < limit:
        ready, frame = capture.read()
        if not ready:
            return
        if number % every == 0:
            yield number, frame
        number += 1


def faces_of(
    infer: LatentOFERInferencer, frame: np.ndarray
) -> list[dict[str, Any]]:
    """Return the predictions of a frame's faces, (H, W, 3) uint8 BGR."""
    answers = []
    for batch in infer.preprocess([frame], batch_size=16):
        samples = infer.forward(batch)
        told = infer.postprocess(samples, [], photos=batch)
        answers += told['predictions']
    return answers


def predict_video(
    infer: LatentOFERInferencer,
    name: str,
    out: Path | None = None,
    every: int = 1,
    limit: int | None = None,
    show: bool = False,
) -> list[dict[str, Any]]:
    """Return the predictions of all faces of a video.

    Each has ``frame``, ``time`` in seconds, and what a photo's face has.

    Args:
        infer: With a face detector.
        name: A file, or ``webcam``.
        out: Video to write, an MP4 with boxes and expressions; None for none.
        every: Look at each n-th frame only.
        limit: Stop after so many frames of the video.
        show: Open a window; the key q ends.

    Raises:
        FileNotFoundError: There is no such video.
        ValueError: It cannot be read, has no frame, or ``every`` is not
            positive.
    """
    if every < 1:
        raise ValueError(f'every={every}: it must be 1 or more')
    capture = open_video(name)
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    writer, answers, seen = None, [], 0
    try:
        for number, frame in read_frames(capture, every, limit):
            seen += 1
            found = faces_of(infer, frame)
            for answer in found:
                answer.update(
                    name=f'{name}:{number}',
                    photo=name,
                    frame=number,
                    time=number / rate,
                )
            answers += found
            picture = draw_faces(frame[..., ::-1], found)[..., ::-1]
            if out is not None:
                writer = writer or _writer(out, rate / every, frame)
                writer.write(np.ascontiguousarray(picture))
            if show:
                cv2.imshow(name, picture)
                if cv2.waitKey(1) & 0xFF == ord('q'):
                    break
    except KeyboardInterrupt:  # the end of a webcam's stream
        if name != WEBCAM:
            raise
    finally:
        capture.release()
        if writer is not None:
            writer.release()
    if not seen:
        raise ValueError(f'{name} has no frame that can be read')
    return answers


def _writer(path: Path, rate: float, frame: np.ndarray) -> cv2.VideoWriter:
    """Return what writes an MP4 of such frames; OSError if it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), code, rate, frame.shape[1::-1])
    if not writer.isOpened():
        raise OSError(f'{path} cannot be written by OpenCV as an MP4')
    return writer
