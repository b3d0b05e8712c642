"""Banks: what occluders are filled with, as tensors ready for the device.

Sheets are square, uint8 and BGR; files are checked when a bank is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmocc.occlusion.alpha import resize, to_bytes
from mmocc.utils import files, photos

OPAQUE = 128  # alpha from which a pixel hides what is below it
NUM_ANCHORS = 64  # opaque points kept per cut-out, to place it by

Folders = str | Path | Sequence[str | Path]


class CutoutBank(NamedTuple):
    """RGBA cut-outs to hide objects with."""

    # (T, 4, S, S) uint8, BGRA, each stretched to the square; colours are
    # premultiplied, so that transparent pixels lend none when it is sampled
    sheets: Tensor
    aspects: Tensor  # (T,) width / height of the cut-out before stretching
    anchors: Tensor  # (T, K, 2) opaque points (x, y) in [-1, 1], to place it


def list_images(folders: Folders) -> list[Path]:
    """Return all image files below folder(s), sorted, without hidden ones.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder holds no image.
    """
    if isinstance(folders, str | Path):
        folders = [folders]
    paths: list[Path] = []
    for folder in map(files.expand, folders):
        if not folder.is_dir():
            raise FileNotFoundError(
                f'occluder bank {str(folder)!r} is not a folder; name a '
                'folder of images'
            )
        images = files.list_images(folder, deep=True)
        if not images:
            raise ValueError(
                f'occluder bank {str(folder)!r} holds no image '
                f'({", ".join(files.IMAGE_SUFFIXES)})'
            )
        paths += images
    return paths


def read_image(path: Path, flags: int) -> NDArray[Any]:
    """Read an image with OpenCV; raise ValueError with its name if damaged."""
    image = None
    if path.stat().st_size:
        image = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    if image is None:
        raise ValueError(f'{str(path)!r} is not a readable image')
    return image


def read_cutout(path: Path) -> NDArray[np.uint8]:
    """Read a cut-out as (H, W, 4) BGRA.

    Raises:
        ValueError: If it is not readable, has no alpha channel of 8 bits, or
            is wholly transparent.
    """
    image = photos.turn_shown(read_image(path, cv2.IMREAD_UNCHANGED), path)
    if image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise ValueError(
            f'cut-out {str(path)!r} has no alpha channel; save it as an '
            '8-bit RGBA PNG whose alpha is the silhouette'
        )
    if not (image[..., 3] >= OPAQUE).any():
        raise ValueError(f'cut-out {str(path)!r} is wholly transparent')
    return image


def load_textures(folders: Folders, size: int = 256) -> Tensor:
    """Load images as (T, 3, size, size) uint8, BGR: their central squares.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder is empty or a file is not a readable image.
    """
    sheets = []
    for path in list_images(folders):
        image = read_image(path, cv2.IMREAD_COLOR)
        scale = size / min(image.shape[:2])
        # max: rounding must never leave a side one pixel short
        w, h = (max(size, round(side * scale)) for side in image.shape[1::-1])
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
        top, left = (h - size) // 2, (w - size) // 2
        sheets.append(image[top : top + size, left : left + size])
    return torch.from_numpy(np.stack(sheets)).permute(0, 3, 1, 2).contiguous()


def load_cutouts(folders: Folders, size: int = 128) -> CutoutBank:
    """Load RGBA cut-outs, cut to what is opaque and stretched to a square.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder is empty, or as :func:`read_cutout`.
    """
    sheets, aspects, anchors = [], [], []
    rng = np.random.default_rng(0)  # the same anchors wherever it is loaded
    for path in list_images(folders):
        image: NDArray[Any] = read_cutout(path)
        rows, cols = np.nonzero(image[..., 3] >= OPAQUE)
        image = image[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
        aspects.append(image.shape[1] / image.shape[0])
        sheet: NDArray[Any] = resize(image, (size, size))
        if sheet[..., 3].max() < OPAQUE / 255:  # thinner than a cell
            sheet /= sheet[..., 3].max()
        sheet = to_bytes(sheet)
        rows, cols = np.nonzero(sheet[..., 3] >= OPAQUE)
        pick = rng.integers(len(rows), size=NUM_ANCHORS)
        points = np.stack([cols[pick], rows[pick]], axis=-1)
        anchors.append((points + 0.5) / size * 2 - 1)
        sheets.append(sheet)
    return CutoutBank(
        torch.from_numpy(np.stack(sheets)).permute(0, 3, 1, 2).contiguous(),
        torch.tensor(aspects, dtype=torch.float32),
        torch.from_numpy(np.stack(anchors)).float(),
    )


def noise_sheet(size: int = 512) -> Tensor:
    """Return one (1, 3, size, size) uint8 sheet of uniform noise.

    It is always the same; a noise occluder is a random window of it.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        256, (1, 3, size, size), generator=generator, dtype=torch.uint8
    )
