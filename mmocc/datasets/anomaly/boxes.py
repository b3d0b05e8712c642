"""Boxes of objects, where the data have none: from masks and detectors."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmocc.utils.files import read_json
from mmocc.utils.plain_pickle import load_plain
from mmocc.utils.readable import PIXEL_LIMIT

SPECK = 8  # px; smaller defects do not count if there are larger ones


def part_boxes(mask: np.ndarray, min_px: int = 1) -> np.ndarray:
    """Return a box (half-open xyxy) of each 8-connected part of a mask (h, w).

    Parts of fewer than ``min_px`` pixels are left out.
    """
    binary = (mask != 0).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    x, y, width, height, area = stats[1:].T  # 0 is the background
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    return boxes[area >= min_px].astype(np.float32)


def defect_boxes(mask: np.ndarray, others: bool = False) -> np.ndarray:
    """Return the boxes of defects, without specks if there are larger ones.

    ``others`` tells whether there are defects besides those of the mask.
    """
    boxes = part_boxes(mask, SPECK)
    return boxes if len(boxes) or others else part_boxes(mask)


def foreground(image: np.ndarray) -> np.ndarray:
    """Return the things on a plain background, (h, w) uint8, 1 = thing.

    Otsu's threshold (IEEE Trans. SMC 9(1), 1979); the background is the side
    that holds most of the border. Holes are filled. The image is uint8 BGR.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grey = cv2.GaussianBlur(grey, (5, 5), 0)
    _, mask = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if border.mean() > 0.5:
        mask = 1 - mask
    outlines, _ = cv2.findContours(
        mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = np.zeros_like(mask)
    return cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)


def read_detections(
    path: str | Path, score_thr: float
) -> dict[str, np.ndarray]:
    """Read the boxes of a detector: (n, 4) float32 xyxy by image path.

    Args:
        path: What mmdet's ``tools/test.py --out FILE.pkl`` writes, or a json
            file ``{IMAGE: [[x1, y1, x2, y2, score], ...]}``; the end of the
            image's path is enough. A pickle of more than plain values and
            tensors is refused: it may run any code.
        score_thr: Smallest score.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else; names the image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{path}: no such result file; make it with "python tools/test.py '
            'CONFIG CHECKPOINT --out FILE.pkl" of a detector'
        )
    content = _load(Path(path))
    is_dict = isinstance(content, dict)
    boxes = {}
    for name, rows in content.items() if is_dict else _unpack(content, path):
        rows = _read_rows(rows, f'{path}, {name}')
        whole = (rows[:, 2:4] > rows[:, :2]).all(axis=1)
        if not whole.all():
            raise ValueError(
                f'{path}, {name}: inverted or empty box {rows[~whole][0][:4]};'
                ' correct it or remove it'
            )
        name = str(name).replace('\\', '/')
        if name in boxes:
            raise ValueError(f'{path}: several results for {name}')
        boxes[name] = rows[rows[:, 4] >= score_thr, :4]
    return boxes


def _load(path: Path) -> Any:
    """Return the content of a json file or of a plain pickle."""
    if path.suffix in ('.pkl', '.pickle'):
        return load_plain(path)
    try:
        return read_json(path, unique=True)
    except ValueError as error:
        raise ValueError(
            f'{path}: not a result file, a .json or a .pkl ({error})'
        ) from error


def _read_rows(rows: Any, where: str) -> np.ndarray:
    """Return (n, 5) float32 boxes and scores, checked."""
    try:
        rows = np.asarray(rows, np.float64)
    except (ValueError, TypeError):
        rows = np.empty(())
    rows = rows.reshape(-1, 5) if rows.size == 0 else rows
    fits = rows.ndim == 2 and rows.shape[1] == 5
    # NaN is not below the limit either.
    if not fits or not (np.abs(rows) < PIXEL_LIMIT).all():
        raise ValueError(
            f'{where}: its boxes are no rows of five finite numbers x1, y1, '
            'x2, y2, score'
        )
    return rows.astype(np.float32)


def _unpack(samples: Any, path: str | Path) -> Iterable[tuple[str, Any]]:
    """Yield image path and rows from the file of mmdet's test."""
    try:
        for sample in samples:
            instances = sample['pred_instances']
            boxes = np.asarray(instances['bboxes'], np.float32).reshape(-1, 4)
            scores = np.asarray(instances['scores'], np.float32)
            yield sample['img_path'], np.hstack([boxes, scores[:, None]])
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: neither the result file of an mmdet test nor a json of '
            f'boxes by image ({error})'
        ) from error


def find_defects(
    boxes: np.ndarray, defects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which objects are defective, and the defects on no object.

    A connected defect belongs to each object whose box holds half of it; if
    there is none, to the one whose box holds most of it. Specks of the mask,
    smaller than ``SPECK``, are no defects if there are others.

    Args:
        boxes: (n, 4) xyxy, the objects.
        defects: (h, w), not 0 = defect.

    Returns:
        (n,) int64, 1 = defective; (m, 4) float32, boxes of the others.
    """
    defective = np.zeros(len(boxes), np.int64)
    binary = (defects != 0).astype(np.uint8)
    count, parts = cv2.connectedComponents(binary, connectivity=8)
    alone = np.zeros_like(binary)
    low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])
    corners = np.hstack([low, high]).clip(0).astype(int)
    held = np.zeros((max(len(boxes), 1), count), int)
    for row, (x1, y1, x2, y2) in zip(held, corners, strict=False):
        row[:] = np.bincount(parts[y1:y2, x1:x2].ravel(), minlength=count)
    area = np.bincount(parts.ravel(), minlength=count)
    for part in range(1, count):
        most = held[:, part].max()
        if not most:
            alone[parts == part] = 1
        elif len(boxes):
            least = min(most, area[part] / 2)
            defective[held[:, part] >= least] = 1
    return defective, defect_boxes(alone, bool(defective.any()))
