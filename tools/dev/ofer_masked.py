r"""Really masked people: does the detector tell them from clear ones?

    ofer_masked.py [--faces mtcnn]
    ofer_masked.py --border 0 --steps --out OUT    only count faces

mmocc.PatchGaussian of configs/ofer/gaussian_lite0_mux6.py judges the photos of
data/face_mask (docs/faces.md). Steps, each with those before it:

    photos      photos as they are; training faces as they are
    cut         faces of the photos found and aligned, as by `mmocc train ofer`
    cut alike   the faces of training, too
    face        only patches that the face covers count: FACE
    contrast    mean and contrast of the face made even
    source      training also takes the clear faces of the same source, four
                fifths of the people at a time; the others are judged

What ranks faces is the share of their patches beyond a radius: the detector's
own (nu = 0.05), or that of clear faces of the same source, of which each half
of the people judges the other (``held``; nu = 0.05 and 0.08). ``auroc`` is of
faces; ``mean`` takes the mean distance instead; ``all`` takes a photo as its
face where none is found; ``clear`` and ``masked`` are shares of flagged
patches, ``mux6`` that of the clear test faces of mux6, cut as those of
training. Seeds 0, 1 and 2 draw the 64 of 256 features. OUT/masked.png shows
twenty masked and ten clear faces, seed 0, for the step of --draw.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from ofer_detectors import (
    SEEDS,
    build,
    build_for,
    config,
    fit,
    line,
    load,
    read,
)
from sklearn.metrics import roc_auc_score
from torch import Tensor

from mmocc.apis.face_detectors import find_detector
from mmocc.apis.ofer_training import Faces, cut_out, options_of
from mmocc.models.gaussian import Gaussian
from mmocc.models.ofer.patch_gaussian import PatchGaussian, fold_of_name
from mmocc.visualization.face_pictures import paint_hidden

FACE = (slice(2, 8), slice(1, 7))  # of 8 x 8 patches: from the brows down
GROUPS = ('without_mask', 'with_mask')
REPEAT = 8  # times that a clear face of the source counts in training
STEPS: dict[str, dict[str, Any]] = {
    'photos': dict(train='mux6', photos='whole'),
    'cut': dict(train='mux6', photos='cut'),
    'cut alike': dict(train='mux6_cut', photos='cut'),
    'face': dict(train='mux6_cut', photos='cut', face=True),
    'contrast': dict(train='mux6_cut', photos='cut', face=True, even=True),
    'source': dict(
        train='mux6_cut', photos='cut', face=True, even=True, source=True
    ),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('--faces', default='auto', choices=('auto', 'yunet', 'mtcnn', 'haar'))
    add('--border', type=float, default=0.25, help='of a second look')
    add('--steps', nargs='*', choices=STEPS, default=list(STEPS))
    add('--draw', choices=STEPS, default='source')
    add('--out', type=Path, default=Path('work_dirs/ofer_masked'))
    return parser.parse_args()


def even_contrast(image: Tensor) -> Tensor:
    """Return a uint8 (3, H, W) whose face has mean 120 and deviation 50."""
    rows, columns = (
        slice(part.start * side // 8, part.stop * side // 8)
        for part, side in zip(FACE, image.shape[1:], strict=True)
    )
    face = image[:, rows, columns].float()
    even = (image.float() - face.mean()) / face.std().clamp_min(5) * 50 + 120
    return even.clamp(0, 255).to(torch.uint8)


def evened(batches: Iterable[dict]) -> Iterator[dict]:
    """Yield the batches of a loader, in even contrast."""
    for data in batches:
        yield dict(data, inputs=[even_contrast(x) for x in data['inputs']])


def person(name: str) -> str:
    """Return who is on a photo, by its name: a number in the end is dropped.

    ``images_Ada_Lovelace_0001.png`` and ``0_0_anhu_0214.jpg`` have
    ``Ada_Lovelace`` and ``anhu``; names without a person stay.
    """
    stem = re.sub(r'^(images_|\d_\d_)', '', Path(name).stem)
    return re.sub(r'_\d+$', '', stem)


def folder_loader(cfg: Any, faces: Faces) -> dict:
    """Return the loader of a config's test with another folder of faces."""
    loader = cfg.test_dataloader
    dataset = dict(
        type='mmocc.FaceFolder',
        pipeline=loader.dataset.pipeline,
        **options_of(faces),
    )
    return dict(loader.to_dict(), dataset=dataset)


def loaders(finder: Any, cut: Faces, out: Path) -> dict[str, Callable]:
    """Return functions that give the loaders, by name.

    They cut faces of mux6 out where that was not done.

    Args:
        finder: A face detector.
        cut: The faces of the photos.
        out: Where faces of mux6 are kept.
    """
    clean, masked = config('mux6'), config('masked_mux6')
    mux6 = Faces(Path(clean.mux6_root), tuple(clean.mux6_classes))

    def cut_mux6(part: str) -> dict:
        faces = mux6._replace(table=f'{part}.csv')
        return folder_loader(clean, cut_out(faces, finder, out / part))

    return {
        'mux6 train': lambda: clean.train_dataloader.to_dict(),
        'mux6 test': lambda: clean.test_dataloader.to_dict(),
        'mux6_cut train': lambda: cut_mux6('train'),
        'mux6_cut test': lambda: cut_mux6('test'),
        'whole': lambda: masked.test_dataloader.to_dict(),
        'cut': lambda: folder_loader(masked, cut),
    }


def files(folder: Path) -> list[Path]:
    """Return the files of a folder."""
    return [path for path in folder.iterdir() if path.is_file()]


class Reader:
    """Features of a set, read once.

    Args:
        sets: Functions that give loaders, by name.
        out: Where features are kept.
    """

    def __init__(self, sets: dict[str, Callable], out: Path) -> None:
        self.sets, self.out = sets, out
        self.cfg = config('mux6')
        self.model = build(self.cfg)

    def __call__(self, name: str, even: bool = False) -> dict:
        """Return the features of a set, perhaps in even contrast."""
        loader = Config(dict(loader=self.sets[name]())).loader
        batches = load(self.cfg, loader)
        path = (
            self.out / f'{name} even.pt' if even else self.out / f'{name}.pt'
        )
        return read(self.model, evened(batches) if even else batches, path)


class Judged(NamedTuple):
    """Distances in units of the detector's radius.

    Attributes:
        photos: (n, 64), of the photos.
        whole: (m, 64), of all photos, none cut; the same detector.
        clean: (k, 64), of the clear test faces of mux6.
    """

    photos: np.ndarray
    whole: np.ndarray
    clean: np.ndarray


def judge_by(
    detector: PatchGaussian, rows: Tensor, names: list[str], sets: list[Tensor]
) -> list[np.ndarray]:
    """Fit a detector; return the distances of some sets, in radii."""
    chosen = detector.chosen
    fit(detector, rows[..., chosen].float(), names, False)
    own = Gaussian(detector.centre, detector.factor)
    radius = float(detector.radius)
    return [
        detector.judge(maps[..., chosen].float(), own).numpy() / radius
        for maps in sets
    ]


def judge_step(reader: Reader, seed: int, step: dict[str, Any]) -> Judged:
    """Return the distances of a step."""
    even = step.get('even', False)
    train = reader(f'{step["train"]} train', even)
    photos, whole = reader(step['photos'], even), reader('whole', even)
    clean = reader(f'{step["train"]} test', even)['maps']
    names = [person(name) for name in train['subject']]
    sets = [photos['maps'], whole['maps'], clean]
    if not step.get('source'):
        detector = build_for(reader.cfg, train['maps'], seed)
        return Judged(*judge_by(detector, train['maps'], names, sets))
    people = [person(name) for name in photos['subject']]
    clear = np.array(photos['label']) == 0
    own = fold_numbers(people)
    others = fold_numbers([person(name) for name in whole['subject']])
    judged = [np.zeros(maps.shape[:2]) for maps in sets]
    for fold in np.unique(others):
        detector = build_for(reader.cfg, train['maps'], seed)
        mine = np.flatnonzero(clear & (own != fold)).repeat(REPEAT)
        rows = torch.cat([train['maps'], photos['maps'][mine]])
        found = judge_by(
            detector, rows, names + [people[i] for i in mine], sets
        )
        judged[0][own == fold] = found[0][own == fold]
        judged[1][others == fold] = found[1][others == fold]
        judged[2] += found[2] / len(np.unique(others))
    return Judged(*judged)


def fold_numbers(people: list[str], folds: int = 5) -> np.ndarray:
    """Return the fold of each person, from 0 on."""
    return np.array([fold_of_name(name, folds) for name in people])


def places(step: dict[str, Any]) -> np.ndarray:
    """Return which patches (64,) count."""
    counted = np.zeros((8, 8), bool)
    counted[FACE if step.get('face') else ...] = True
    return counted.ravel()


def values_of(
    judged: Judged, photos: dict, whole: dict, counted: np.ndarray
) -> dict[str, float]:
    """Return the values of a step and a seed, in percent."""
    truth = np.array(photos['label'])
    rows = judged.photos[:, counted]
    flagged = (rows > 1).mean(1)
    half = fold_numbers([person(name) for name in photos['subject']], 2)
    stems = {Path(name).stem for name in photos['subject']}
    missed = np.array([Path(n).stem not in stems for n in whole['subject']])
    all_rows = np.concatenate([rows, judged.whole[missed][:, counted]])
    all_truth = np.concatenate([truth, np.array(whole['label'])[missed]])
    return dict(
        auroc=100 * roc_auc_score(truth, flagged),
        clear=100 * flagged[truth == 0].mean(),
        masked=100 * flagged[truth == 1].mean(),
        mux6=100 * (judged.clean[:, counted] > 1).mean(),
        mean=100 * roc_auc_score(truth, rows.mean(1)),
        all=100 * roc_auc_score(all_truth, (all_rows > 1).mean(1)),
        **held_out(rows, truth, half, 0.05),
        **held_out(rows, truth, half, 0.08),
    )


def held_out(
    rows: np.ndarray, truth: np.ndarray, half: np.ndarray, nu: float
) -> dict[str, float]:
    """Return values by the radius of clear faces, one half for the other.

    Args:
        rows: (n, L) distances.
        truth: (n,), 1 for masked faces, which both halves' radii judge.
        half: (n,), 0 or 1, of the person.
        nu: Share of the patches of a half's clear faces beyond its radius.
    """
    parts = []
    for own in (0, 1):
        mine = (truth == 0) & (half == own)
        rest = ~mine
        flagged = (rows[rest] > np.quantile(rows[mine], 1 - nu)).mean(1)
        parts.append(
            (
                roc_auc_score(truth[rest], flagged),
                flagged[truth[rest] == 0].mean(),
                flagged[truth[rest] == 1].mean(),
            )
        )
    names = (f'{name} held {nu}' for name in ('auroc', 'clear', 'masked'))
    return dict(zip(names, 100 * np.mean(parts, axis=0), strict=True))


def draw(judged: Judged, photos: dict, counted: np.ndarray) -> np.ndarray:
    """Return twenty masked and ten clear faces, flagged patches tinted."""
    truth, tiles = np.array(photos['label']), []
    for label, number in ((1, 20), (0, 10)):
        mine = np.flatnonzero(truth == label)
        for place in mine[np.linspace(0, len(mine) - 1, number).astype(int)]:
            image = cv2.imread(photos['subject'][place])
            image = cv2.resize(image, (160, 160), interpolation=cv2.INTER_AREA)
            mask = (judged.photos[place] > 1) & counted
            shares = np.float64([[1 / 160, 0, 0], [0, 1 / 160, 0]])
            tinted = paint_hidden(image, mask.reshape(8, 8), shares)
            tiles.append(np.hstack([image, tinted]))
    rows = [np.hstack(tiles[i : i + 5]) for i in range(0, len(tiles), 5)]
    return np.vstack(rows)


def main() -> None:
    """Print the values of each step, and write them to OUT/masked.json."""
    args = parse_args()
    finder = find_detector(args.faces, border=args.border)
    photos = Faces(Path(config('masked_mux6').data_root), GROUPS)
    cut = cut_out(photos, finder, args.out / 'photos')
    missed = {
        group: len(files(photos.root / group)) - len(files(cut.root / group))
        for group in GROUPS
    }
    print(f'no face found: {missed}', flush=True)
    reader, table = Reader(loaders(finder, cut, args.out), args.out), {}
    for name in args.steps:
        step = STEPS[name]
        faces, counted = reader(step['photos']), places(step)
        whole, values = reader('whole'), []
        for seed in SEEDS:
            judged = judge_step(reader, seed, step)
            values.append(values_of(judged, faces, whole, counted))
            if (name, seed) == (args.draw, 0):
                picture = draw(judged, faces, counted)
                cv2.imwrite(str(args.out / 'masked.png'), picture)
        table[name] = values
        print(line(name, values), flush=True)
    text = json.dumps(dict(missed=missed, table=table), indent=1)
    (args.out / 'masked.json').write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
