"""The scores of ``wsol_cub50.py``'s answers, grid and aligned.

Thresholds of the maps come from the validation photos; the boxes by the
reference's rule (min-max, the largest contour, IoU 0.5), and by the paper's
fixed share of the maximum.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from wsol_cub50_maps import CELLS, EVERY_CELL

from mmocc.evaluation.box_accuracy import best_accuracy, box_hits
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    map_to_boxes,
    scale_boxes,
)
from mmocc.models.backbones import EfficientNetLite
from mmocc.utils.cell_grid import CellGrid
from mmocc.visualization.receptive_field import find_cells

THRESHOLDS = np.arange(0, 1, 0.01)
IOUS = (0.3, 0.5, 0.7)
TOPK = (1, 5)
GRID = (112, 112)  # half of the reference's, a quarter of the time
EVERY = 2  # of so many test photos, one is scored
FIXED = 0.2  # of the maximum, the paper's
RESAMPLES = 2000
Hits = dict[str, np.ndarray]


def alignments() -> dict[str, CellGrid | None]:
    """Return the grids that maps are drawn by."""
    cells = find_cells(EfficientNetLite(), (224, 224))
    return dict(grid=None, aligned=cells)


def find_hits(
    cams: np.ndarray,
    truth: dict[str, np.ndarray],
    cells: CellGrid | None,
    versions: Sequence[str],
) -> Hits:
    """Return where each map's boxes are right.

    Returns:
        ``v1`` (N, 1, T), ``v2`` (N, 3, T) and ``fixed`` (N,).
    """
    hits: dict[str, list] = {name: [] for name in (*versions, 'fixed')}
    for cam, box, size in zip(
        cams, truth['boxes'], truth['sizes'], strict=True
    ):
        size = tuple(int(side) for side in size)
        for name in versions:
            ious = IOUS if name == 'v2' else (0.5,)
            hits[name].append(
                box_hits(
                    cam, box[None], size, THRESHOLDS, ious, GRID,
                    largest=name == 'v1', cells=cells,
                )
            )  # fmt: skip
        boxes = map_to_boxes(cam, FIXED, size=size, cells=cells)
        true = scale_boxes(box[None], size, size)
        hits['fixed'].append(box_iou_inclusive(boxes, true).max() >= 0.5)
    return {name: np.array(value) for name, value in hits.items()}


def read_truth(folder: Path, split: str) -> dict[str, np.ndarray]:
    """Return labels, boxes and sizes of the photos that are scored."""
    every = EVERY if split == 'test' else 1
    with np.load(folder / f'{split}.npz') as stored:
        return {
            key: stored[key][::every] for key in ('label', 'boxes', 'sizes')
        }


def stored_hits(folder: Path, name: str) -> dict[str, Hits]:
    """Return the hits of a run by split and alignment, found once."""
    answers = np.load(folder / f'{name}.npz')
    found = {}
    for align, cells in alignments().items():
        for split in ('val', 'test'):
            file = folder / f'{name}-{split}-{align}-hits.npz'
            if not file.exists():
                truth = read_truth(folder, split)
                kinds = ('v1', 'v2') if split == 'test' else ('v1',)
                cams = answers[f'{split}_cams']
                cams = cams[::EVERY] if split == 'test' else cams
                hits = find_hits(cams, truth, cells, kinds)
                np.savez_compressed(file, **hits)
            found[f'{split} {align}'] = dict(np.load(file))
    return found


def places(scores: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the place of each true class in the ranking, from 0."""
    own = scores[np.arange(len(label)), label][:, None]
    return (scores > own).sum(axis=1)


def score_run(folder: Path, name: str) -> dict[str, Any]:
    """Return a run's scores in percent, and hits per photo for the tests."""
    answers = np.load(folder / f'{name}.npz')
    label = read_truth(folder, 'test')['label']
    place = places(answers['test_scores'][::EVERY], label)
    found = stored_hits(folder, name)
    scores = {f'top{k}_clas': 100 * np.mean(place < k) for k in TOPK}
    photos: Hits = dict(top1_clas=place < 1)
    # Some photos clean and in cells of the report
    clean = answers['test_scores'][::EVERY_CELL]
    own = np.load(folder / 'test.npz')['label'][::EVERY_CELL]
    photos['L0'] = places(clean, own) < 1
    for cell, values in zip(CELLS, answers['cell_scores'], strict=True):
        photos[cell] = places(values, own) < 1
    for align in alignments():
        val, test = found[f'val {align}'], found[f'test {align}']
        chosen = int(val['v1'].sum(axis=(0, 1)).argmax())
        right = test['v1'][:, 0, chosen]
        photos |= {f'gt_known {align}': right}
        photos |= {f'top{k}_loc {align}': right & (place < k) for k in TOPK}
        photos |= {f'fixed {align}': test['fixed']}
        best = test['v1'][:, 0].sum(axis=0)
        scores[f'threshold {align}'] = float(THRESHOLDS[chosen])
        scores[f'gt_known_best {align}'] = 100 * best.max() / len(label)
        for k in TOPK:
            both = (test['v1'][:, 0] & (place < k)[:, None]).mean(axis=0)
            scores[f'top{k}_loc_best {align}'] = 100 * both.max()
        pairs = best_accuracy(test['v2'].sum(axis=0), len(label), THRESHOLDS)
        scores[f'v2 {align}'] = float(np.mean([share for share, _ in pairs]))
        # Of each IoU at its own best threshold, as above
        at = test['v2'].sum(axis=0).argmax(axis=1)
        photos[f'v2_photos {align}'] = np.mean(
            [test['v2'][:, i, t] for i, t in enumerate(at)], axis=0
        )
    scores |= {key: 100 * float(hits.mean()) for key, hits in photos.items()}
    scores['seconds'] = float(answers['seconds'])
    return dict(scores=scores, photos=photos)


def paired(ours: Sequence[Hits], control: Sequence[Hits]) -> dict[str, list]:
    """Return differences to the control: mean and 95 % interval, percent.

    Photos are resampled, the same for all; each has its mean over seeds.
    """
    differences = {
        key: np.mean([run[key] for run in ours], axis=0)
        - np.mean([run[key] for run in control], axis=0)
        for key in ours[0]
    }
    table = {}
    for key, values in differences.items():
        draw = np.random.default_rng(0)
        at = draw.integers(len(values), size=(RESAMPLES, len(values)))
        low, high = np.percentile(values[at].mean(axis=1), (2.5, 97.5))
        table[key] = [100 * float(v) for v in (values.mean(), low, high)]
    return table


def table(folder: Path) -> dict[str, Any]:
    """Return the scores of all runs by row: mean and spread over seeds."""
    rows: dict[str, list[dict]] = {}
    for file in sorted(folder.glob('*-?.npz')):
        name = file.stem.rpartition('-')[0]
        rows.setdefault(name, []).append(score_run(folder, file.stem))
    controls = {'has-long': 'cam-long', 'has-frozen': 'cam-frozen'}
    result = {}
    for name, runs in rows.items():
        control = rows[controls.get(name, 'cam')][: len(runs)]
        scores = {}
        for key in runs[0]['scores']:
            values = [run['scores'][key] for run in runs]
            spread = np.std(values, ddof=1) if len(values) > 1 else None
            scores[key] = [
                round(float(np.mean(values)), 2),
                spread if spread is None else round(float(spread), 2),
            ]
        result[name] = dict(
            seeds=len(runs),
            scores=scores,
            to_control=paired(
                [run['photos'] for run in runs],
                [run['photos'] for run in control],
            ),
        )
    return result
