"""Banks: what occluders are filled with, as tensors ready for the device.

Sheets are square, uint8 and BGR; files are checked when a bank is loaded. In
place of a folder, ``builtin:train`` and ``builtin:test`` name what mmocc draws
itself.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmocc.occlusion.alpha import resize, to_bytes
from mmocc.occlusion.builtin_cutouts import draw_cutouts
from mmocc.occlusion.builtin_textures import SPLITS, draw_textures
from mmocc.utils import files, photos

OPAQUE = 128  # alpha from which a pixel hides what is below it
NUM_ANCHORS = 64  # opaque points kept per cut-out, to place it by
BUILTIN = 'builtin:'  # before a split: a bank that mmocc draws itself

Folders = str | Path | Sequence[str | Path]


class CutoutBank(NamedTuple):
    """RGBA cut-outs to hide objects with."""

    # (T, 4, S, S) uint8, BGRA, each stretched to the square; colours are
    # premultiplied, so that transparent pixels lend none when it is sampled
    sheets: Tensor
    aspects: Tensor  # (T,) width / height of the cut-out before stretching
    anchors: Tensor  # (T, K, 2) opaque points (x, y) in [-1, 1], to place it


def list_sources(folders: Folders) -> list[str | Path]:
    """Return one or several banks as a list."""
    return [folders] if isinstance(folders, str | Path) else list(folders)


def builtin_split(source: str | Path) -> str | None:
    """Return the split of a built-in bank, None of a folder.

    A folder of such a name is ``./builtin:train``.

    Raises:
        ValueError: If there is no such bank.
    """
    name = str(source)
    if not name.startswith(BUILTIN):
        return None
    split = name.removeprefix(BUILTIN)
    if split not in SPLITS:
        raise ValueError(
            f'unknown occluder bank {name!r}; choose from '
            f'{[BUILTIN + known for known in SPLITS]}, or name a folder'
        )
    return split


def list_images(folders: Folders) -> list[Path]:
    """Return all image files below folder(s), sorted, without hidden ones.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder holds no image, or it is a built-in bank.
    """
    paths: list[Path] = []
    for source in list_sources(folders):
        if builtin_split(source):
            raise ValueError(
                f'{str(source)!r} is drawn and has no files, which are '
                'needed here; name a folder of images'
            )
        folder = files.expand(source)
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

    Those of a built-in bank are drawn at this size.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder is empty or a file is not a readable image, or
            if there is no such built-in bank.
    """
    sheets: list[NDArray[Any]] = []
    for source in list_sources(folders):
        if split := builtin_split(source):
            sheets += list(draw_textures(split, size=size))
        else:
            paths = list_images(source)
            sheets += [read_texture(path, size) for path in paths]
    return torch.from_numpy(np.stack(sheets)).permute(0, 3, 1, 2).contiguous()


def read_texture(path: Path, size: int) -> NDArray[Any]:
    """Return the central square of an image, (size, size, 3) uint8, BGR."""
    image = read_image(path, cv2.IMREAD_COLOR)
    scale = size / min(image.shape[:2])
    # max: rounding must never leave a side one pixel short
    w, h = (max(size, round(side * scale)) for side in image.shape[1::-1])
    image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    top, left = (h - size) // 2, (w - size) // 2
    return image[top : top + size, left : left + size]


def _cutouts_of(folders: Folders) -> Iterator[NDArray[np.uint8]]:
    """Yield the cut-outs of folders and built-in banks, (H, W, 4) BGRA."""
    for source in list_sources(folders):
        if split := builtin_split(source):
            yield from draw_cutouts(split)
        else:
            yield from map(read_cutout, list_images(source))


def load_cutouts(folders: Folders, size: int = 128) -> CutoutBank:
    """Load RGBA cut-outs, cut to what is opaque and stretched to a square.

    Those of a built-in bank are drawn.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder is empty, as :func:`read_cutout`, or if there
            is no such built-in bank.
    """
    sheets, aspects, anchors = [], [], []
    rng = np.random.default_rng(0)  # the same anchors wherever it is loaded
    image: NDArray[Any]
    for image in _cutouts_of(folders):
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
