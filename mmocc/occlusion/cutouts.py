"""Cut-outs to paste on faces: hands, cups, and face masks with anchors.

A kind is a folder of RGBA pictures. Face masks have ``masks.cfg`` in it or in
the folder above, as MaskTheFace (MIT, github.com/aqeelanwar/MaskTheFace) has:
a section for each picture, named as its file without the ending, with points
``mask_a: x, y`` to ``mask_f`` in pixels: left, middle and right of the upper
edge, left lower corner, chin, right lower corner. ``x_left`` (``x_right``) is
mask ``x`` on a face that looks to the left (right) of the picture.

In place of a folder, ``builtin:train`` and ``builtin:test`` name cut-outs that
mmocc draws: a kind for each of their generators, none a face mask.
"""

from collections.abc import Mapping, Sequence
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mmocc.occlusion.alpha import resize, straighten, to_bytes
from mmocc.occlusion.banks import (
    Folders,
    builtin_split,
    list_images,
    list_sources,
    read_cutout,
)
from mmocc.occlusion.builtin_cutouts import CUTOUTS, draw_cutouts
from mmocc.utils.files import expand, list_folders, read_text
from mmocc.utils.readable import PIXEL_LIMIT

ANCHOR_FILE = 'masks.cfg'
ANCHORS = tuple(f'mask_{letter}' for letter in 'abcdef')
SIDES = ('left', 'right')


class Cutout(NamedTuple):
    """One picture to paste, cut to what is not transparent."""

    name: str  # its file without folder and ending
    pixels: NDArray[np.uint8]  # (h, w, 4), BGRA
    anchors: NDArray[np.float32] | None  # (6, 2) x, y; None: put it anywhere


def read_anchors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the anchors of face masks, float32 (6, 2) by section.

    Sections without any point are skipped; MaskTheFace has some.

    Raises:
        ValueError: If the file is not such a list, or points are missing or
            not numbers.
    """
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path))
    except (Error, ValueError) as error:
        raise ValueError(f'{path} is no list of anchors: {error}') from error
    anchors: dict[str, NDArray[np.float32]] = {}
    for name in parser.sections():
        if not any(key in parser[name] for key in ANCHORS):
            continue
        try:
            pairs = [parser[name][key].split(',') for key in ANCHORS]
            points = np.array(pairs, np.float64).reshape(6, 2)
            if not (np.abs(points) < PIXEL_LIMIT).all():
                raise ValueError(f'not all are below {PIXEL_LIMIT}')
            anchors[name] = points.astype(np.float32)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'{path}, section {name}: {", ".join(ANCHORS)} must each be '
                f'"x, y" in pixels ({error})'
            ) from error
    return anchors


def load_cutout(
    path: Path, anchors: NDArray[np.float32] | None = None, side: int = 256
) -> Cutout:
    """Load an RGBA picture of 8 bits, with (6, 2) anchors in its pixels.

    It is shrunk so that its longer side has at most ``side`` pixels.

    Raises:
        ValueError: If it has no alpha channel, or is wholly transparent.
    """
    return fit_cutout(read_cutout(path), path.stem, anchors, side)


def fit_cutout(
    image: NDArray[np.uint8],
    name: str,
    anchors: NDArray[np.float32] | None = None,
    side: int = 256,
) -> Cutout:
    """Return a (H, W, 4) BGRA picture as a cut-out, as :func:`load_cutout`."""
    left, top, width, height = cv2.boundingRect(image[..., 3])
    image = image[top : top + height, left : left + width]
    scale = min(1.0, side / max(width, height))
    if scale < 1:
        size = [max(1, round(scale * length)) for length in (width, height)]
        image = to_bytes(straighten(resize(image, size)))
    if anchors is not None:
        ratio = np.array(image.shape[1::-1]) / (width, height)
        anchors = ((anchors - (left, top)) * ratio).astype(np.float32)
    return Cutout(name, np.ascontiguousarray(image), anchors)


def load_kind(folders: Folders) -> list[Cutout]:
    """Load all pictures of a kind, from folder(s) and their subfolders.

    Those of a built-in bank are drawn.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If a folder is empty, a picture is not a cut-out, or a
            list of anchors lacks a picture.
    """
    cutouts = []
    for source in list_sources(folders):
        if split := builtin_split(source):
            cutouts += [c for kind in draw_kinds(split).values() for c in kind]
            continue
        folder = expand(source)
        places = [folder / ANCHOR_FILE, folder.parent / ANCHOR_FILE]
        lists = [path for path in places if path.is_file()]
        anchors = read_anchors(lists[0]) if lists else None
        for path in list_images(folder):
            if anchors is not None and path.stem not in anchors:
                raise ValueError(
                    f'{lists[0]} has no anchors for {path.name}; add a '
                    f'section [{path.stem}], or move the picture to a folder '
                    'without such a list'
                )
            points = None if anchors is None else anchors[path.stem]
            cutouts.append(load_cutout(path, points))
    return cutouts


def draw_kinds(split: str) -> dict[str, list[Cutout]]:
    """Return the cut-outs of a built-in bank by what is drawn."""
    kinds = [draw.__name__ for draw in CUTOUTS[split]]
    drawn: dict[str, list[Cutout]] = {kind: [] for kind in kinds}
    for index, image in enumerate(draw_cutouts(split)):
        kind = kinds[index % len(kinds)]  # they take turns
        drawn[kind].append(fit_cutout(image, f'{kind}{index}'))
    return drawn


def load_kinds(
    occluders: str | Path | Mapping[str, Folders],
) -> dict[str, list[Cutout]]:
    """Load all kinds: a folder of them, or folder(s) by the kind's name.

    Of a built-in bank, each thing that it draws is a kind.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no kind, or a picture is not a cut-out.
    """
    places: Any = occluders
    if not isinstance(occluders, Mapping):
        if split := builtin_split(occluders):
            return draw_kinds(split)
        root = expand(occluders)
        if not root.is_dir():
            raise FileNotFoundError(
                f'occluders {str(root)!r} is not a folder; name one that '
                'holds a folder of RGBA pictures for each kind'
            )
        places = {folder.name: folder for folder in list_folders(root)}
    if not places:
        raise ValueError(
            f'there is no kind of occluder in {occluders!r}: each needs a '
            'folder of RGBA pictures'
        )
    return {kind: load_kind(place) for kind, place in places.items()}


def pick_view(
    cutouts: Sequence[Cutout], index: int, turn: float, least: float = 0.15
) -> Cutout:
    """Return one of a kind's face masks as it looks on a turned face.

    That is its left or right view if there is one, else its front, else
    itself. ``turn`` is as from :func:`~mmocc.occlusion.paste.face_turn`; a
    face turned less than ``least`` looks straight ahead.
    """
    chosen = cutouts[index]
    base = chosen.name
    for side in SIDES:
        base = base.removesuffix(f'_{side}')
    side = '' if abs(turn) < least else f'_{SIDES[int(turn > 0)]}'
    views = {cutout.name: cutout for cutout in cutouts}
    return views.get(base + side) or views.get(base) or chosen
