r"""LEARN without labels at 1,000 classes: EfficientNet-Lite0 on photographs.

    python tools/dev/learn_1000.py --data DATA --work work_dirs/learn_1000

DATA has the folders voc07_rigid12_crops, coco128_panoptic and cub50 (no label
of them is read), dtd_80, coco_cutouts, and imagenet_sample_1000 for the test.
The control is the same network with what follows the inner map fine-tuned, on
the same photographs and without labels too. Steps whose files are in the work
folder are not repeated; learn-SEED.learn there is LEARN alone, for
``mmocc.learn.load``. The last lines are those of docs/results/learn_1000.md.
"""

import argparse
import copy
import csv
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms as tv

from mmocc.learn.attach import Attached, change_of
from mmocc.learn.probing import feature_of, hooked, run_from
from mmocc.models.learn.batch_occluder import BatchOccluder
from mmocc.models.learn.distillation import kl_of_logits
from mmocc.models.learn.learn import LEARN
from mmocc.occlusion import KINDS, cell_names
from mmocc.report.cells import make_occlude, share_bank
from mmocc.report.named_models import timm_model
from mmocc.utils.amp import amp_pays

LAYER, LAST = 'blocks.4', 'bn2'  # 112 x 14 x 14, and 1280 x 7 x 7
MEAN, STD = 127.0, 128.0
VIEW_SEED = 0  # all runs see the same views
OPTIONS = dict(in_channels=112, pool='none', gate='full')  # of LEARN
TAIL = ('blocks.5', 'blocks.6', 'conv_head', 'bn2')  # what follows LAYER
EXAMPLE = torch.zeros(1, 3, 224, 224)
FORMS = (
    'frozen',
    'LEARN',
    'LEARN where it changes much',
    'mean of LEARN and frozen',
    'control: tail fine-tuned',
    'control: mean of tail and frozen',
)
CELLS = cell_names(list(KINDS), ['L1', 'L2', 'L3'])
BICUBIC = tv.InterpolationMode.BICUBIC


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--data', type=Path, required=True)
    add('--work', type=Path, required=True)
    add('--voc', type=int, default=1200, help='photographs of VOC')
    add('--coco-views', type=int, default=5, help='of each of 188 photographs')
    add('--cub', type=int, default=350, help='photographs of birds')
    add('--every', type=int, default=1, help='of the 1,000 test photographs')
    add('--variants', type=int, default=8, help='hidden copies of a view')
    add('--epochs', type=int, default=12)
    add('--lr', type=float, default=2e-3, help='of LEARN')
    add('--tail-lr', type=float, default=1e-4, help='of the control')
    add('--batch-size', type=int, default=32)
    add(
        '--trials',
        type=float,
        nargs='*',
        help='rates to try on held-out views',
    )
    add('--trial-of', choices=['learn', 'tail'], default='tail')
    add('--seeds', type=int, nargs='+', default=[0, 1, 2])
    return parser.parse_args()


def view_list(
    args: argparse.Namespace,
) -> tuple[list[tuple[Path, tuple]], int]:
    """Return photographs and the range of area of a crop, in random order.

    And how many of them, the last ones, show photographs that are held out.
    """
    data = args.data
    voc = sorted((data / 'voc07_rigid12_crops/JPEGImages').iterdir())
    coco = sorted((data / 'coco128_panoptic/images').glob('*/*.jpg'))
    lists = [
        (data / 'cub50' / name).read_text(encoding='utf-8').splitlines()
        for name in ('images.txt', 'train_test_split.txt')
    ]
    names, split = (dict(map(str.split, lines)) for lines in lists)
    numbers = [number for number, train in split.items() if train == '1']
    cub = [data / 'cub50/images' / names[number] for number in numbers]
    views = [(path, (0.35, 1.0)) for path in random.sample(voc, args.voc)]
    views += [(path, (0.06, 0.7)) for path in coco] * args.coco_views
    views += [(path, (0.25, 1.0)) for path in random.sample(cub, args.cub)]
    random.shuffle(views)
    photos = sorted({path for path, _ in views})
    held = set(random.sample(photos, len(photos) // 8))
    views.sort(key=lambda view: view[0] in held)
    return views, sum(path in held for path, _ in views)


def textures(data: Path) -> tuple[list[Path], list[Path]]:
    """Return the kinds of textures for training, and those of the test."""
    kinds = sorted(
        path for path in (data / 'dtd_80').iterdir() if path.is_dir()
    )
    return kinds[:8], kinds[8:]


def crops(views: list[tuple[Path, tuple]]) -> Tensor:
    """Return random crops (N, 3, 224, 224) as the network sees them."""
    rows = []
    for path, area in views:
        photo = Image.open(path).convert('RGB')
        photo = tv.RandomResizedCrop(224, area, interpolation=BICUBIC)(photo)
        rows.append(tv.functional.pil_to_tensor(photo))
    return (torch.stack(rows).float() - MEAN) / STD


def features(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the inner maps, the last maps and the logits of images."""
    last: list[Tensor] = []
    images = images.contiguous(memory_format=torch.channels_last)
    with (
        torch.inference_mode(),
        fast(),
        hooked(net.get_submodule(LAST), last.append),
    ):
        inner, logits = feature_of(net, LAYER, images)
    return inner.half(), last[0].half(), logits.float()


def fast() -> torch.autocast:
    """Return the context of what does not train: bfloat16 where it pays."""
    return torch.autocast('cpu', torch.bfloat16, enabled=amp_pays())


def make_training(net: nn.Module, args: argparse.Namespace) -> dict:
    """Return the features of all views: clean, and hidden in several ways."""
    file = args.work / 'train.pt'
    if file.exists():
        return torch.load(file, mmap=True)
    random.seed(VIEW_SEED)
    torch.manual_seed(VIEW_SEED)
    views, held = view_list(args)
    occlude = BatchOccluder(
        texture_bank=textures(args.data)[0],
        object_bank=args.data / 'coco_cutouts/train',
        channel_order='rgb',
        mean=MEAN,
        std=STD,
        seed=VIEW_SEED,
    )
    parts, copies = [], range(args.variants)
    for start in range(0, len(views), 8):
        clean = crops(views[start : start + 8])
        inner, last, logits = features(net, clean)
        hidden = [features(net, occlude(clean)[0])[0] for _ in copies]
        parts.append((torch.stack([inner, *hidden], 1), last, logits))
        print(f'view {start} of {len(views)}', flush=True)
    names = 'inner', 'last', 'logits'
    stored = dict(
        zip(names, map(torch.cat, zip(*parts, strict=True)), strict=True)
    )
    stored['held'] = torch.tensor(held)
    torch.save(stored, file)
    return stored


def batches(
    stored: dict, args: argparse.Namespace
) -> Iterator[tuple[Tensor, ...]]:
    """Yield input, clean inner map, clean last map and clean logits.

    A quarter of the inputs is clean; half of the batches is mirrored.
    """
    views = len(stored['logits']) - int(stored['held'])
    hidden = stored['inner'].shape[1] - 1
    for rows in torch.randperm(views).split(args.batch_size):
        which = torch.randint(1, hidden + 1, rows.shape)
        which[torch.rand(rows.shape) < 0.25] = 0
        inner = stored['inner'][rows, which].float()
        clean = stored['inner'][rows, 0].float()
        maps: tuple[Tensor, ...] = inner, clean, stored['last'][rows].float()
        if torch.rand(()) < 0.5:
            maps = tuple(part.flip(3) for part in maps)
        yield *maps, stored['logits'][rows]


class Student(nn.Module):
    """The network from the inner map on, with what is trained.

    Args:
        net: The frozen network.
        learn: LEARN for the inner map; or None: a copy of what follows the
            map is trained instead, which is the control.
    """

    def __init__(self, net: nn.Module, learn: LEARN | None) -> None:
        super().__init__()
        self.net = net if learn else copy.deepcopy(net)
        self.learn = learn
        if learn is None:
            for name, weight in self.net.named_parameters():
                weight.requires_grad_(name.startswith(TAIL))

    def forward(self, inner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the inner map, repaired, the last map and the logits."""
        if self.learn is not None:
            inner = self.learn.repair_map(inner)[0]
        last: list[Tensor] = []
        with hooked(self.net.get_submodule(LAST), last.append):
            logits = run_from(self.net, LAYER, inner, EXAMPLE)
        return inner, last[0], logits


def train(
    student: Student, stored: dict, seed: int, args: argparse.Namespace
) -> None:
    """Train on the features; the frozen network's clean answer is the target.

    LEARN has the distances of both maps beside it.
    """
    torch.manual_seed(seed)
    power = stored['inner'][:200, 0].float().square().mean()
    spread = stored['last'][:200].float().var()
    weights = [x for x in student.parameters() if x.requires_grad]
    lr = args.lr if student.learn else args.tail_lr
    optimizer = torch.optim.AdamW(weights, lr, weight_decay=1e-4)
    views = len(stored['logits']) - int(stored['held'])
    steps = -(-views // args.batch_size) * args.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=steps + 1, pct_start=0.1
    )
    for epoch in range(args.epochs):
        total = 0.0
        for given, clean, clean_last, teacher in batches(stored, args):
            repaired, last, logits = student(given)
            loss = kl_of_logits(logits, teacher).mean()
            if student.learn is not None:
                loss = loss + (repaired - clean).square().mean() / power
                loss = loss + (last - clean_last).square().mean() / spread
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(
            f'epoch {epoch + 1}: loss {total / steps * args.epochs:.3f}',
            flush=True,
        )


def untrained(name: str, net: nn.Module, seed: int) -> Student:
    """Return the student called learn, or the control, tail."""
    torch.manual_seed(seed)
    return Student(net, LEARN(**OPTIONS) if name == 'learn' else None)


def trained(
    name: str, net: nn.Module, seed: int, args: argparse.Namespace
) -> Student:
    """Return a student: that of an earlier run, or a new one."""
    student = untrained(name, net, seed)
    file = args.work / f'{name}-{seed}.pt'
    if file.exists():
        student.load_state_dict(torch.load(file), strict=False)
    else:
        print(f'training {name}, seed {seed}')
        train(student, make_training(net, args), seed, args)
        kept = student.learn or student.net
        prefix = 'learn.' if student.learn else 'net.'
        torch.save(kept.state_dict(prefix=prefix), file)
    return student.eval()


@torch.inference_mode()
def held_out(student: Student, stored: dict) -> tuple[float, float]:
    """Return agreement on held-out photographs in percent: clean, hidden.

    Settings are chosen by these two.
    """
    places = slice(-int(stored['held']), None)
    clean = stored['logits'][places].argmax(1)
    same = []
    for variant in range(stored['inner'].shape[1]):
        maps = stored['inner'][places, variant].float()
        logits = torch.cat([student(part)[2] for part in maps.split(32)])
        same.append(100 * float((logits.argmax(1) == clean).float().mean()))
    return same[0], float(np.mean(same[1:]))


@torch.inference_mode()
def threshold_of(learn: LEARN, stored: dict) -> float:
    """Return the change that 2 % of the clean held-out views exceed."""
    clean = stored['inner'][-int(stored['held']) :, 0].float()
    repaired = torch.cat([learn.repair_map(x)[0] for x in clean.split(32)])
    return float(change_of(clean, repaired).quantile(0.98))


def save(net: nn.Module, learn: LEARN, threshold: float, file: Path) -> None:
    """Write LEARN alone, for ``mmocc.learn.load``."""
    handle = Attached(net, LAYER, OPTIONS)
    handle.learn, handle.threshold = learn, threshold
    handle.save(file)
    handle.remove()


def make_test(net: nn.Module, args: argparse.Namespace) -> dict:
    """Return inner maps, logits (N, cells, ...) and labels of the test."""
    file = args.work / 'test.pt'
    if file.exists():
        return torch.load(file, mmap=True)
    folder = args.data / 'imagenet_sample_1000'
    with (folder / 'labels.csv').open(encoding='utf-8') as table:
        rows = list(csv.DictReader(table))[:: args.every]
    options = share_bank(
        CELLS,
        textures(args.data)[1],
        args.data / 'coco_cutouts/val',
        seed=0,
        region='image',
    )
    cells = [make_occlude(cell, **options) for cell in CELLS]
    prepare = tv.Compose([tv.Resize(256, BICUBIC), tv.CenterCrop(224)])
    parts = []
    for number, row in enumerate(rows):
        photo = Image.open(folder / row['path']).convert('RGB')
        bgr = np.asarray(prepare(photo))[..., ::-1].copy()
        sample = dict(img=bgr, img_path=row['path'], channel_order='bgr')
        hidden = [cell(dict(sample))['img'] if cell else bgr for cell in cells]
        images = torch.from_numpy(np.stack(hidden)[..., ::-1].copy())
        images = (images.permute(0, 3, 1, 2).float() - MEAN) / STD
        inner, _, logits = features(net, images)
        parts.append((inner, logits))
        if number % 50 == 0:
            print(f'photograph {number} of {len(rows)}', flush=True)
    inner, logits = map(torch.stack, zip(*parts, strict=True))
    labels = torch.tensor([int(row['label']) for row in rows])
    stored = dict(inner=inner, logits=logits, labels=labels)
    torch.save(stored, file)
    return stored


@torch.inference_mode()
def answers(
    students: dict[str, Student], threshold: float, stored: dict
) -> np.ndarray:
    """Return the answers (6, N, cells) in the order of ``FORMS``."""
    given = []
    for half, before in zip(stored['inner'], stored['logits'], strict=True):
        inner = half.float().contiguous(memory_format=torch.channels_last)
        with fast():
            repaired, _, learnt = students['learn'](inner)
            tail = students['tail'](inner)[2]
        repaired, learnt, tail = map(Tensor.float, (repaired, learnt, tail))
        much = change_of(inner, repaired) >= threshold
        forms = [
            before,
            learnt,
            torch.where(much[:, None], learnt, before),
            before.softmax(1) + learnt.softmax(1),
            tail,
            before.softmax(1) + tail.softmax(1),
        ]
        given.append(torch.stack(forms).argmax(2))
    return torch.stack(given, 1).numpy()


def differences(rows: np.ndarray) -> str:
    """Return what each form but the first gains over it, with intervals.

    Args:
        rows: (forms, N) the values of each photograph in percent.
    """
    draws = np.random.default_rng(0)
    picks = draws.integers(rows.shape[1], size=(2000, rows.shape[1]))
    words = []
    for form, gain in zip(FORMS[1:], (rows - rows[0])[1:], strict=True):
        low, high = np.percentile(gain[picks].mean(1), [2.5, 97.5])
        words.append(f'{form} {gain.mean():+.1f} ({low:+.1f} to {high:+.1f})')
    return ', '.join(words)


def show(given: np.ndarray, labels: np.ndarray) -> None:
    """Print accuracy and agreement of all forms, by cell and by level.

    Args:
        given: (seeds, forms, N, cells), the answers.
        labels: (N,)
    """
    right = 100.0 * (given == labels[:, None])
    same = 100.0 * (given == given[:, :1, :, :1])
    groups = [(name, slice(i, i + 1)) for i, name in enumerate(CELLS)]
    groups += [('L1', slice(1, 5)), ('L2', slice(5, 9)), ('L3', slice(9, 13))]
    groups += [('L1-L3', slice(1, 13)), ('all', slice(0, 13))]
    for words, table in (('accuracy', right), ('agreement', same)):
        print(f'| {words} | {" | ".join(FORMS)} |')
        for name, cells in groups:
            values = table[..., cells].mean((2, 3))  # seeds, forms
            spread = values.std(0, ddof=1) if len(values) > 1 else [0] * 6
            row = ' | '.join(
                f'{mean:.1f} ± {std:.1f}' if std else f'{mean:.1f}'
                for mean, std in zip(values.mean(0), spread, strict=True)
            )
            print(f'| {name} | {row} |')
    mean = right.mean(0)
    for name, cells in (*groups[:1], *groups[-5:-1]):
        print(f'{name}: {differences(mean[:, :, cells].mean(2))}')
    tail = mean[4:, :, 1:].mean(2)  # the control and its mean with before
    gains = mean[[1, 3], :, 1:].mean(2) - tail
    half = 1.96 * gains.std(1, ddof=1) / gains.shape[1] ** 0.5
    print('L1-L3, LEARN against the control, and both as means:', end=' ')
    print(
        *(
            f'{g:+.1f} ± {h:.1f}'
            for g, h in zip(gains.mean(1), half, strict=True)
        )
    )


def main() -> None:
    """Make features, train, test."""
    args = parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    net = timm_model('tf_efficientnet_lite0').module.eval()
    net.requires_grad_(False).to(memory_format=torch.channels_last)
    for rate in args.trials or ():
        args.lr = args.tail_lr = rate
        stored = make_training(net, args)
        student = untrained(args.trial_of, net, args.seeds[0])
        train(student, stored, args.seeds[0], args)
        print(f'rate {rate}: held out', *held_out(student.eval(), stored))
    if args.trials:
        return
    given = []
    for seed in args.seeds:
        students = {
            name: trained(name, net, seed, args) for name in ('learn', 'tail')
        }
        for name, student in students.items():
            clean, hidden = held_out(student, make_training(net, args))
            print(f'{name}: held out, clean {clean:.1f} hidden {hidden:.1f}')
        learn = students['learn'].learn
        threshold = threshold_of(learn, make_training(net, args))
        save(net, learn, threshold, args.work / f'learn-{seed}.learn')
        given.append(answers(students, threshold, make_test(net, args)))
        print(f'seed {seed}: threshold {threshold:.3f}', flush=True)
    labels = make_test(net, args)['labels'].numpy()
    np.savez(args.work / 'answers.npz', given=given, labels=labels)
    show(np.stack(given), labels)


if __name__ == '__main__':
    main()
