"""Folders of class maps: ``<image id>.npy`` and where their cells lie.

``manifest.json`` of a folder holds ``groups``: each has ``cells`` (``first``
and ``step`` of a :class:`CellGrid`, or null for evenly) and the ``images``
whose maps lie so.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.utils.cell_grid import CellGrid

MANIFEST = 'manifest.json'
_LEVELS = 512  # finer than the 256 of the metrics


def pack_map(cam: np.ndarray) -> np.ndarray:
    """Return a map as float16, divided by its largest absolute value.

    No normalisation of the metrics sees the scale. Where float16 would round
    by more than 1/512 of the map's range, it is float32.
    """
    cam = np.asarray(cam, np.float32)
    most = np.abs(cam).max(initial=0)
    if not np.isfinite(most) or not most:
        return cam.astype(np.float16)
    cam = cam / most
    half = cam.astype(np.float16)
    rounded = np.abs(half.astype(np.float32) - cam).max()
    return half if rounded * _LEVELS <= np.ptp(cam) else cam


def map_path(folder: Path, image_id: str) -> Path:
    """Return the file of a map; ValueError if it would lie elsewhere."""
    path = Path(f'{image_id}.npy')
    if path.is_absolute() or '..' in path.parts:
        raise ValueError(
            f'{image_id}: an image id must be a path within a folder, or the '
            'map would be written elsewhere; take the path below the images'
        )
    return folder / path


class MapFolder:
    """Writes maps into a folder, and remembers where their cells lie.

    Args:
        folder: Made if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.cells: dict[str, CellGrid | None] = {}

    def add(
        self, image_id: str, cam: np.ndarray, cells: CellGrid | None = None
    ) -> None:
        """Write a map (h, w); see :func:`pack_map`."""
        path = map_path(self.folder, image_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, pack_map(cam))
        self.cells[image_id] = cells

    def write_manifest(self) -> None:
        """Write the manifest of the maps that were added."""
        self.folder.mkdir(parents=True, exist_ok=True)
        groups: dict[CellGrid | None, list[str]] = {}
        for image_id, cells in self.cells.items():
            groups.setdefault(cells, []).append(image_id)
        document: dict[str, Any] = dict(
            groups=[
                dict(cells=cells and cells._asdict(), images=images)
                for cells, images in groups.items()
            ]
        )
        text = json.dumps(document, indent=1) + '\n'
        (self.folder / MANIFEST).write_text(text, encoding='utf-8')


def read_manifest(folder: Path) -> dict[str, CellGrid | None] | None:
    """Return where the cells of each image's map lie; None without manifest.

    Raises:
        ValueError: If the file is not as :meth:`MapFolder.write_manifest`
            writes it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        known: dict[str, CellGrid | None] = {}
        for group in json.loads(path.read_text(encoding='utf-8'))['groups']:
            cells = group['cells']
            if cells is not None:
                first, step = (
                    tuple(map(float, cells[key])) for key in ('first', 'step')
                )
                cells = CellGrid(first, step)
            known |= dict.fromkeys(group['images'], cells)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: no manifest of maps ({error!r}); write the maps again '
            'with mmocc.DumpMaps or vis_cam.py --maps-dir'
        ) from error
    return known


def read_map(path: Path) -> np.ndarray:
    """Read one map (h, w).

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the file holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such map, though image_ids.txt lists the image; '
            'write a map for each image, named <image id>.npy'
        )
    try:
        cam = np.load(path, allow_pickle=False)  # a pickle may run anything
    except ValueError as error:
        raise ValueError(
            f'{path}: no array of numbers ({error}); write it with numpy.save '
            'from a float array'
        ) from error
    if cam.ndim != 2 or not np.issubdtype(cam.dtype, np.number):
        raise ValueError(
            f'{path}: {cam.dtype} of the shape {cam.shape}; a map is numbers '
            'of shape (h, w)'
        )
    return cam
