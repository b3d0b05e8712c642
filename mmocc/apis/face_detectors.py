"""Faces in a photo, by what this machine has: YuNet, MTCNN or Haar cascades.

======  ==========================================  ======================
yunet   OpenCV's ``FaceDetectorYN``; its file of    five points; best
        0.2 MB is not in OpenCV's wheel
mtcnn   ``facenet-pytorch``                         five points
haar    in OpenCV's wheel                           points are estimated;
                                                    upright faces only
======  ==========================================  ======================
"""

from abc import abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from mmocc.utils.files import expand, note

YUNET_URL = 'https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx'
YUNET_SHA256 = (
    '8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4'
)
LONGEST = 1280  # pixels of a photo's longer side that a detector sees
# Where an upright face has eyes, nose and mouth in Haar's box, as shares of
# it, by usual proportions; not measured.
HAAR_POINTS = (
    (0.31, 0.39),
    (0.69, 0.39),
    (0.5, 0.58),
    (0.36, 0.77),
    (0.64, 0.77),
)


class FoundFace(NamedTuple):
    """A face in a photo.

    Attributes:
        box: (4,) float32, xyxy in pixels.
        points: (5, 2) float32, x and y: the picture's left and right eye, tip
            of the nose, left and right corner of the mouth.
        score: How sure the detector is; 0 to 1, or above for Haar cascades.
    """

    box: np.ndarray
    points: np.ndarray
    score: float


class FaceDetector:
    """Base of the detectors: a photo in, faces out, from left to right.

    Args:
        min_size: Shorter side of the smallest face, in pixels of the photo.
        border: Where no face is found, it looks again with a grey border of
            this share of the longer side: detectors miss faces that fill the
            photo. 0 for never.
    """

    name = ''
    estimates_points = False

    def __init__(self, min_size: int = 24, border: float = 0.25) -> None:
        self.min_size, self.border = min_size, border

    def __call__(self, image: np.ndarray) -> list[FoundFace]:
        """Return the faces of a photo (H, W, 3) uint8 BGR."""
        scale = min(1.0, LONGEST / max(image.shape[:2]))
        seen = image
        if scale < 1:
            seen = cv2.resize(
                image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
            )
        seen = np.ascontiguousarray(seen)
        found = self.find(seen)
        if not found and self.border:
            width = round(self.border * max(seen.shape[:2]))
            found = inside_border(self.find(with_border(seen, width)), width)
        faces = [
            FoundFace(box / scale, points / scale, score)
            for box, points, score in found
        ]
        large = [f for f in faces if shorter_side(f.box) >= self.min_size]
        return sorted(large, key=lambda face: float(face.box[0]))

    @abstractmethod
    def find(self, image: np.ndarray) -> list[FoundFace]:
        """Return the faces of a photo of ``LONGEST`` pixels and a border."""


def with_border(image: np.ndarray, width: int) -> np.ndarray:
    """Return an image with a grey border of so many pixels."""
    grey = (127, 127, 127)
    sides = (width,) * 4
    return cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=grey)


def inside_border(faces: list[FoundFace], width: int) -> list[FoundFace]:
    """Return the faces of an image with a border, in pixels without it."""
    return [
        FoundFace(box - width, points - width, score)
        for box, points, score in faces
    ]


def shorter_side(box: np.ndarray) -> float:
    """Return the shorter side of a box (4,), xyxy."""
    return float(min(box[2] - box[0], box[3] - box[1]))


class YuNet(FaceDetector):
    """OpenCV's ``FaceDetectorYN`` (Wu et al., 2023).

    Args:
        model: Its ONNX file.
        score: Least score of a face, 0 to 1.
        **kwargs: Of :class:`FaceDetector`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YuNet.
    """

    name = 'yunet'

    def __init__(
        self, model: str | Path, score: float = 0.6, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        path = expand(model)
        if not path.is_file():
            raise FileNotFoundError(
                f'there is no face detector {path}; fetch {YUNET_URL}, and '
                'name it by --face-model'
            )
        try:
            self.net = cv2.FaceDetectorYN.create(
                str(path), '', (320, 320), score
            )
        except cv2.error as error:
            raise ValueError(
                f'{path} is no YuNet model ({error.err}); fetch {YUNET_URL}'
            ) from error

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """Return the faces of a photo."""
        self.net.setInputSize(image.shape[1::-1])
        rows = self.net.detect(image)[1]
        faces = []
        for row in [] if rows is None else rows:
            x, y, width, height = row[:4]
            box = np.array([x, y, x + width, y + height], np.float32)
            points = row[4:14].reshape(5, 2)
            faces.append(FoundFace(box, points, float(row[14])))
        return faces


class MTCNN(FaceDetector):
    """The MTCNN (Zhang et al., 2016) of facenet-pytorch.

    ``pip install --no-deps facenet-pytorch``, and ``pip install requests
    tqdm``: with its dependencies, pip would replace PyTorch by an old one.

    Args:
        score: Least score of a face, 0 to 1.
        **kwargs: Of :class:`FaceDetector`.
    """

    name = 'mtcnn'

    def __init__(self, score: float = 0.9, **kwargs) -> None:
        super().__init__(**kwargs)
        from facenet_pytorch import MTCNN as Net

        self.score = score
        self.net = Net(keep_all=True, min_face_size=self.min_size)

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """Return the faces of a photo."""
        rgb = np.ascontiguousarray(image[..., ::-1])
        boxes, scores, points = self.net.detect(rgb, landmarks=True)
        if boxes is None:
            return []
        return [
            FoundFace(
                np.asarray(box, np.float32),
                np.asarray(own, np.float32),
                float(score),
            )
            for box, own, score in zip(boxes, points, scores, strict=True)
            if score >= self.score
        ]


class HaarFaces(FaceDetector):
    """OpenCV's bundled cascade of frontal faces (Viola and Jones, 2001).

    The last resort: it finds about half of the clear, and fewer masked faces,
    and knows no points. They are put where upright faces have them.
    """

    name = 'haar'
    estimates_points = True

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        folder = Path(cv2.data.haarcascades)
        path = folder / 'haarcascade_frontalface_default.xml'
        self.net = cv2.CascadeClassifier(str(path))

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """Return the faces of a photo."""
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        side = max(24, self.min_size)
        boxes, _, weights = self.net.detectMultiScale3(
            grey,
            scaleFactor=1.1,
            minNeighbors=5,
            minSize=(side, side),
            outputRejectLevels=True,
        )
        faces = []
        for (x, y, width, height), weight in zip(
            boxes, np.ravel(weights), strict=True
        ):
            box = np.array([x, y, x + width, y + height], np.float32)
            points = np.float32(HAAR_POINTS) * (width, height) + (x, y)
            faces.append(FoundFace(box, np.float32(points), float(weight)))
        return faces


def yunet_path() -> Path:
    """Return where a downloaded YuNet is kept: among PyTorch's files."""
    return Path(torch.hub.get_dir()) / 'checkpoints' / Path(YUNET_URL).name


def download_yunet() -> Path:
    """Fetch YuNet, 0.2 MB, unless it is there; return its path.

    Raises:
        OSError: It cannot be fetched, or is not the file that is expected.
    """
    path = yunet_path()
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            YUNET_URL, str(path), YUNET_SHA256, progress=False
        )
    except (OSError, RuntimeError) as error:
        raise OSError(
            f'YuNet cannot be fetched ({error}): fetch {YUNET_URL} elsewhere, '
            'and name the file by --face-model; or take --faces haar'
        ) from error
    return path


def find_detector(
    name: str = 'auto', model: str | Path | None = None, **kwargs
) -> FaceDetector:
    """Return a face detector, and say which one it is.

    Args:
        name: ``yunet``, which is downloaded if need be; ``mtcnn``; ``haar``;
            or ``auto``, the first of these that is there, without a download.
        model: YuNet's file, if it is not where a download puts it.
        **kwargs: Of :class:`FaceDetector`.

    Raises:
        ValueError: The name is unknown, or the file is no YuNet.
        FileNotFoundError: There is no such file.
        ModuleNotFoundError: ``mtcnn`` is not installed.
        OSError: YuNet cannot be fetched.
    """
    if name not in ('auto', 'yunet', 'mtcnn', 'haar'):
        raise ValueError(
            f'no face detector {name!r}: choose from auto, yunet, mtcnn, haar'
        )
    has_mtcnn = all(map(find_spec, ('facenet_pytorch', 'requests')))
    if model is not None or name == 'yunet':
        detector: FaceDetector = YuNet(model or download_yunet(), **kwargs)
    elif name == 'auto' and yunet_path().is_file():
        detector = YuNet(yunet_path(), **kwargs)
    elif name == 'mtcnn' and not has_mtcnn:
        raise ModuleNotFoundError(
            'MTCNN is not installed: pip install --no-deps facenet-pytorch, '
            'and pip install requests tqdm',
            name='facenet_pytorch',
        )
    elif name != 'haar' and has_mtcnn:
        detector = MTCNN(**kwargs)
    else:
        detector = HaarFaces(**kwargs)
    text = f'faces are found by {detector.name}'
    if detector.estimates_points:
        text += (
            ', which misses many and only estimates their points; better: '
            '--faces yunet (fetches 0.2 MB), or --face-model FILE'
        )
    note(text)
    return detector
