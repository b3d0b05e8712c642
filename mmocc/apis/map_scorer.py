"""Scores stored maps, or a baseline, image by image, for the tool."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmocc.datasets.wsol.metadata import Localization
from mmocc.evaluation.max_box_acc import MaxBoxAcc
from mmocc.evaluation.px_ap import PxAP
from mmocc.evaluation.stored_maps import (
    MANIFEST,
    map_path,
    read_manifest,
    read_map,
)
from mmocc.utils.cell_grid import CellGrid

BASELINES, IOUS = ('gaussian', 'full-image'), (0.3, 0.5, 0.7)
SIGMA = 0.25  # any width gives the same ellipses


def gaussian_map(size: Sequence[int]) -> np.ndarray:
    """Return a map of (h, w) with its peak in the middle."""
    rows, columns = (
        np.square((np.arange(side) - (side - 1) / 2) / (SIGMA * side))
        for side in size
    )
    return np.exp(-0.5 * (rows[:, None] + columns))


class MapScorer:
    """Scores the maps of one folder, or of a baseline, image by image.

    Args:
        args: ``maps``, ``align``, ``interval``, ``eval_size``,
            ``threshold`` and ``mask_root``, as the tool has them.
        truth: Boxes and masks.
        shapes: (h, w) of each image with boxes.
    """

    def __init__(
        self,
        args: Namespace,
        truth: Localization,
        shapes: dict[str, tuple[int, int]],
    ) -> None:
        self.args, self.truth, self.shapes = args, truth, shapes
        self.metric = make_metric(args, truth)
        self.known: dict = {}
        if args.maps in BASELINES:
            flat = args.maps == 'full-image'
            size = args.eval_size
            self.cam = np.zeros(size) if flat else gaussian_map(size)
            return
        self.folder = Path(args.maps)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f'{self.folder}: no such folder of maps; give one with '
                f'<image id>.npy files, or {" or ".join(BASELINES)}'
            )
        if args.align != 'grid':
            known = read_manifest(self.folder)
            if known is None:
                raise FileNotFoundError(
                    f'{self.folder / MANIFEST}: missing, so where the cells '
                    'of the maps lie is not known: write maps with '
                    'mmocc.DumpMaps, or use --align grid'
                )
            self.known = known

    def score(self, image_id: str) -> np.ndarray:
        """Return an image's array of the metric."""
        args, truth = self.args, self.truth
        if args.maps in BASELINES:
            cam, cells = self.cam, None
        else:
            cam = read_map(map_path(self.folder, image_id))
            cells = self.find_cells(image_id)
        if not truth.masks:
            return self.metric.score_map(
                cam, truth.boxes[image_id], self.shapes[image_id], cells
            )
        names, ignore = truth.masks[image_id]
        paths = [args.mask_root / name for name in names]
        ignore = ignore and args.mask_root / ignore
        return self.metric.score_map(cam, paths, ignore, cells)

    def find_cells(self, image_id: str) -> CellGrid | None:
        """Return where an image's cells lie; None for evenly."""
        if self.args.align == 'grid':
            return None
        if self.known.get(image_id) is None:
            raise ValueError(
                f'{self.folder / MANIFEST}: it does not say where the cells '
                f'of {image_id} lie; test with mmocc.MapCellsHook in the '
                'config, or use --align grid'
            )
        return self.known[image_id]


def make_metric(args: Namespace, truth: Localization) -> MaxBoxAcc | PxAP:
    """Return the metric for the kind of truth."""
    if truth.masks:
        return PxAP(args.interval, args.eval_size)
    return MaxBoxAcc(
        (1, 2), IOUS, args.interval, args.eval_size, args.threshold
    )
