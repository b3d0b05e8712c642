"""The rows of ``ofer_features.py``: heads, masks and completion.

A face is 80 tokens: 64 patches (the four levels that the detector reads and
the finer map, 416 channels) and the 16 cells of the deepest map, each with its
mean over clean faces taken off and projected to 32 principal components. So a
token of zeros is a position's mean. A head is a perceptron whose first layer
has weights of its own for each token: a pooling of all positions.

    untouched   the tokens as they are
    grey        of the face whose hidden pixels are filled with grey
    fill        hidden tokens are their position's mean
    pool        they are left out of the pooling, the others weigh more
    told        tokens as they are; the head also reads which are hidden
    soft        fill by degrees, by the detector's distance; and told it: as
                mmocc.WeakenedFeatureClassifier does
    complete    hidden tokens come from a LEARN, trained to complete clean ones

Masks come from the occluder itself (oracle: patches covered by half or more),
or from the detector, ``mmocc.PatchGaussian``; those of training faces from
the Gaussians of other people. A head is trained on clean faces, or half on
occluded ones, with the masks that it gets in the test, or without any.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from ofer_detectors import fit
from torch import Tensor, nn

from mmocc.models.gaussian import Gaussian, moments
from mmocc.models.learn.learn import LEARN
from mmocc.models.ofer.feature_tokens import (
    FeatureTokens,
    excess,
    feature_sums,
    weaken,
    with_cells,
)
from mmocc.models.ofer.patch_gaussian import PatchGaussian, fold_of_name

WIDTH = 32  # principal components of a token
HIDDEN = 64  # of a head
EPOCHS, BATCH, RATE, DECAY, DROP = 25, 64, 1e-3, 0.1, 0.5
LEARN_EPOCHS = 8
CONTROL = 'occluded, untouched'
# Name: training faces, mask of the test, what is done, and whether the head
# is trained so, too.
ROWS = {
    'clean, untouched': ('clean', None, 'untouched', False),
    'clean, grey, oracle': ('clean', None, 'grey', False),
    'clean, fill, oracle': ('clean', 'oracle', 'fill', False),
    'clean, fill, detector': ('clean', 'detector', 'fill', False),
    'clean, pool, oracle': ('clean', 'oracle', 'pool', False),
    'clean, pool, detector': ('clean', 'detector', 'pool', False),
    'clean, complete, oracle': ('clean', 'oracle', 'complete', False),
    'clean, complete, detector': ('clean', 'detector', 'complete', False),
    CONTROL: ('occluded', None, 'untouched', False),
    'occluded, fill, oracle': ('occluded', 'oracle', 'fill', True),
    'occluded, fill, detector': ('occluded', 'detector', 'fill', True),
    'occluded, pool, detector': ('occluded', 'detector', 'pool', True),
    'occluded, told, detector': ('occluded', 'detector', 'told', True),
    'occluded, soft, detector': ('occluded', 'detector', 'soft', True),
    'occluded, complete, oracle': ('occluded', 'oracle', 'complete', True),
    'occluded, complete, detector': ('occluded', 'detector', 'complete', True),
}


class Part(NamedTuple):
    """Some faces, seen once."""

    tokens: Tensor  # (N, 80, WIDTH) float32
    patches: Tensor  # (N, 64, 416) float16, whose first the detector reads
    hidden: Tensor  # (N, 64) bool, the truth
    label: Tensor  # (N,)
    subject: list[str]
    grey: Tensor | None = None  # tokens of the face filled with grey

    def some(self, keep: list[bool]) -> 'Part':
        """Return a part of the faces."""
        where = torch.tensor(keep)
        names = [n for n, own in zip(self.subject, keep, strict=True) if own]
        tensors = {
            key: value[where]
            for key, value in self._asdict().items()
            if isinstance(value, Tensor)
        }
        return self._replace(**tensors, subject=names)


def features_of(found: dict, view: str = '') -> list[Tensor]:
    """Return the stored features of patches and of deep cells."""
    return [found[f'{view}patches'].float(), found[f'{view}cells'].float()]


def tokens_of(found: dict) -> FeatureTokens:
    """Return what makes tokens, fitted to stored features of clean faces."""
    parts = features_of(found)
    tokens = FeatureTokens([part.shape[1:] for part in parts], WIDTH)
    tokens.fit([feature_sums(part) for part in parts])
    return tokens


class Faces:
    """All faces of a set: ``clean`` and ``occluded`` of train and test.

    Args:
        folder: Where ``ofer_features.py maps`` put the features.
        copies: Number of occluded copies of training.
        pastes: Number of those of the test.
        held_back: Test on a fifth of the people of training instead.
    """

    def __init__(
        self, folder: Path, copies: int, pastes: int, held_back: bool
    ) -> None:
        self.folder = folder
        first = torch.load(folder / 'train_clean0.pt')
        self.tokens = tokens_of(first)
        self.clean = [self.read(f'train_clean{i}') for i in range(2)]
        self.occluded = [self.read(f'train_{i}') for i in range(copies)]
        if held_back:
            keep = [fold_of_name(n, 5) > 0 for n in first['subject']]
            rest = [not own for own in keep]
            self.test_clean = self.clean[0].some(rest)
            # The second one is mirrored.
            self.test = [part.some(rest) for part in self.occluded[::2]]
            self.clean = [part.some(keep) for part in self.clean]
            self.occluded = [part.some(keep) for part in self.occluded]
        else:
            self.test_clean = self.read('test_clean')
            self.test = [self.read(f'test_{i}') for i in range(pastes)]

    def read(self, name: str) -> Part:
        """Return a stored part."""
        found = torch.load(self.folder / f'{name}.pt')
        grey = None
        if 'grey patches' in found:
            grey = self.tokens(features_of(found, 'grey '))
        return Part(
            self.tokens(features_of(found)),
            found['patches'],
            found['coverage'] >= 0.5 - 1e-6,
            found['label'],
            found['subject'],
            grey,
        )


def excesses(faces: Faces, detector: PatchGaussian) -> dict[int, Tensor]:
    """Return by ``id`` of a part by how much its distances exceed the radius.

    The detector is fitted to clean training faces and their mirror images.
    Training faces are judged by the Gaussians of the other people.
    """
    chosen = detector.chosen
    rows = torch.cat(
        [part.patches[..., chosen].float() for part in faces.clean]
    )
    names = [n for part in faces.clean for n in part.subject]
    fit(detector, rows, names, one=False)
    folds = torch.tensor([fold_of_name(n, detector.folds) for n in names])
    sums = [moments(rows[folds == f]) for f in range(detector.folds)]
    found = {}
    whole = Gaussian(detector.centre, detector.factor)
    for part in (faces.test_clean, *faces.test):
        found[id(part)] = detector.judge(part.patches[..., chosen], whole)
    train = (*faces.clean, *faces.occluded)
    for part in train:
        found[id(part)] = torch.zeros(part.hidden.shape)
    for fold in range(detector.folds):
        other = detector._without(sums, fold)
        mine = (folds[: len(faces.clean[0].label)] == fold).nonzero().ravel()
        for part in train:
            own = part.patches[mine][..., chosen]
            found[id(part)][mine] = detector.judge(own, other)
    radius = float(detector.radius)
    return {key: excess(value, radius) for key, value in found.items()}


def deep_too(values: Tensor) -> Tensor:
    """Return values of patches (N, 64), then their means in deep cells."""
    return with_cells(values, (8, 8), [(4, 4)])


def completed(learn: nn.Module, tokens: Tensor, hidden: Tensor) -> Tensor:
    """Return tokens whose hidden ones (N, 80) bool come from a LEARN."""
    blank = tokens.masked_fill(hidden[..., None], 0.0)
    near = blank[:, :64].transpose(1, 2).unflatten(2, (8, 8))
    far = blank[:, 64:].transpose(1, 2).unflatten(2, (4, 4))
    maps = torch.cat([near, F.interpolate(far, scale_factor=2.0)], 1)
    near, far = learn.repair_map(maps)[0].split(WIDTH, 1)
    far = F.avg_pool2d(far, 2)
    redrawn = torch.cat([near.flatten(2), far.flatten(2)], 2).transpose(1, 2)
    return torch.where(hidden[..., None], redrawn, tokens)


def train_learn(
    faces: Faces, masks: dict[int, Tensor], seed: int
) -> nn.Module:
    """Train a LEARN to complete occluded faces, by their clean copies."""
    torch.manual_seed(seed)
    learn = LEARN(2 * WIDTH, 64, 32, pool='none', residual=True)
    step = torch.optim.AdamW(learn.parameters(), 1e-3)
    count = len(faces.occluded[0].label)
    total = LEARN_EPOCHS * (count // BATCH)
    slope = torch.optim.lr_scheduler.CosineAnnealingLR(step, total)
    for _ in range(LEARN_EPOCHS):
        for rows in torch.randperm(count).split(BATCH)[: count // BATCH]:
            copy = int(torch.randint(len(faces.occluded), ()))
            part, clean = faces.occluded[copy], faces.clean[copy % 2]
            hidden = masks[id(part)][rows]
            redrawn = completed(learn, part.tokens[rows], hidden)
            error = (redrawn - clean.tokens[rows])[hidden].square().mean()
            step.zero_grad()
            error.backward()
            step.step()
            slope.step()
    return learn.eval()


@torch.no_grad()
def inputs(
    part: Part,
    how: str,
    masks: dict[int, Tensor],
    beyond: dict[int, Tensor],
    learn: nn.Module | None,
) -> Tensor:
    """Return what a head reads of each face, (N, 80 WIDTH + 80)."""
    mask = masks[id(part)]
    tokens, told = part.tokens, torch.zeros(len(part.label), 80)
    if how == 'grey':
        tokens = tokens if part.grey is None else part.grey
    elif how == 'complete':
        tokens = torch.cat(
            [
                completed(learn, *pair)
                for pair in zip(
                    tokens.split(256), mask.split(256), strict=True
                )
            ]
        )
    elif how == 'soft':
        told = deep_too(beyond[id(part)])
        tokens = weaken(tokens, told)
    elif how == 'told':
        told = mask.float()
    elif how in ('fill', 'pool'):
        weight = (~mask).float()
        if how == 'pool':
            weight /= weight.mean(1, keepdim=True).clamp_min(0.2)
        tokens = tokens * weight[..., None]
    return torch.cat([tokens.flatten(1), told], 1)


def train_head(
    clean: list[Tensor], occluded: list[Tensor], label: Tensor, seed: int
) -> nn.Module:
    """Train a head; each face of an epoch is one of its views, by chance.

    Half of them are occluded, if there are such.
    """
    torch.manual_seed(seed)
    views = torch.stack(clean + occluded)
    classes = int(label.max()) + 1
    net = nn.Sequential(
        nn.Dropout(DROP),
        nn.Linear(views.shape[2], HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROP),
        nn.Linear(HIDDEN, classes),
    )
    step = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    total = EPOCHS * -(-len(label) // BATCH)
    slope = torch.optim.lr_scheduler.CosineAnnealingLR(step, total)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(label)).split(BATCH):
            which = torch.randint(len(clean), (len(rows),))
            if occluded:
                other = torch.randint(len(occluded), (len(rows),))
                half = torch.rand(len(rows)) < 0.5
                which = torch.where(half, len(clean) + other, which)
            loss = F.cross_entropy(
                net(views[which, rows]), label[rows], label_smoothing=0.1
            )
            step.zero_grad()
            loss.backward()
            step.step()
            slope.step()
    return net.eval()


def run_rows(
    faces: Faces,
    detector: PatchGaussian,
    seed: int,
    names: list[str] | None = None,
) -> Iterator[tuple[str, dict]]:
    """Yield each row's accuracies in percent, and right answers by face."""
    beyond = excesses(faces, detector)
    train = (*faces.clean, *faces.occluded)
    parts = (*train, faces.test_clean, *faces.test)
    masks = dict(
        oracle={id(p): deep_too(p.hidden) >= 0.5 for p in parts},
        detector={id(p): deep_too(beyond[id(p)] > 0) >= 0.5 for p in parts},
    )
    learns: dict[str, nn.Module] = {}
    plain: dict[str, nn.Module] = {}
    for name, (kind, mask, how, trained) in ROWS.items():
        if names and name not in names:
            continue
        own = masks[mask or 'oracle']
        if how == 'complete' and mask not in learns:
            learns[mask] = train_learn(faces, own, seed)
        read = partial(
            inputs, masks=own, beyond=beyond, learn=learns.get(mask)
        )
        head = None if trained else plain.get(kind)
        if head is None:
            seen = how if trained else 'untouched'
            head = train_head(
                [read(part, seen) for part in faces.clean],
                [read(p, seen) for p in faces.occluded if kind != 'clean'],
                faces.clean[0].label,
                seed,
            )
            if not trained:
                plain[kind] = head
        right = [
            (head(read(part, how)).argmax(1) == part.label).float()
            for part in (faces.test_clean, *faces.test)
        ]
        occluded = torch.stack(right[1:]).mean(0)
        yield (
            name,
            dict(
                clean=100 * float(right[0].mean()),
                occluded=100 * float(occluded.mean()),
                right=occluded.tolist(),
            ),
        )
