"""From a labelled folder of faces to a trained Latent-OFER, and its report.

Two stages, which work from a few photos on: the detector of occluded patches
(``mmocc.PatchGaussian``), and an expression network fine-tuned from ImageNet.
Latent-OFER's own stages 1 and 3 need thousands of faces, and lost accuracy
wherever they were tried: docs/results/ofer.md. Or one stage, whose features
are weakened where something hides the face: docs/results/ofer_features.md.
"""

import io
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import cv2
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmocc.apis.face_detectors import FaceDetector, shorter_side
from mmocc.apis.face_photos import cut_face
from mmocc.datasets.face_folder import FaceFolder
from mmocc.utils import cli
from mmocc.utils.checkpoints import latest_checkpoint
from mmocc.utils.files import note, some
from mmocc.utils.find_config import find_config
from mmocc.utils.whole_files import write_whole

SIDE = 224  # pixels of faces that are cut out
CONFIGS = dict(
    detector='ofer/gaussian_lite0_my_faces.py',
    expression='ofer/ofer_lite0_my_faces.py',
    weakened='ofer/weakened_lite0_my_faces.py',
)
# Warnings of mmengine that are no news here
USUAL = (
    'is skipped since its requires_grad=False',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Faces(NamedTuple):
    """A labelled folder.

    Attributes:
        root: A folder with one folder for each class, or with a table.
        classes: Their names, in the order of the labels.
        table: CSV file in it, or None for folders.
        label_column: Column of the table.
        subjects: Regular expression whose first group in a file's name is the
            person.
    """

    root: Path
    classes: tuple[str, ...]
    table: str | None = None
    label_column: str = 'expression'
    subjects: str = r'(.+)'


def find_classes(root: Path) -> tuple[str, ...]:
    """Return the names of the folders of classes, sorted.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has fewer than two folders.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'there is no folder {root}')
    names = sorted(
        path.name
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith('.')
    )
    if len(names) < 2:
        raise ValueError(
            f'{root} has {len(names)} folders of classes ({some(names)}); '
            'give a folder with one for each expression, or --table FILE.csv'
        )
    return tuple(names)


def cut_out(faces: Faces, detector: FaceDetector, out: Path) -> Faces:
    """Write the largest face of each photo, aligned; return the new folder.

    Photos without a face are named in ``OUT/left_out.txt``. Faces that are
    there already stay, so that an interrupted run goes on.

    Raises:
        ValueError: No photo has a face.
    """
    found, left_out = 0, []
    for item in entries(faces):
        path = Path(item['img_path'])
        name = faces.classes[item['gt_label']]
        target = out / name / f'{path.parent.name}_{path.stem}.png'
        if faces.table is None:
            target = out / name / f'{path.stem}.png'
        if target.is_file():
            found += 1
            continue
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        seen = [] if image is None else detector(image)
        if not seen:
            left_out.append(str(path))
            continue
        best = max(seen, key=lambda face: shorter_side(face.box))
        face, _ = cut_face(image, best.points, SIDE)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cv2.imencode('.png', face)[1].tobytes(), target)
        found += 1
    if not found:
        raise ValueError(
            f'{detector.name} found no face in {len(left_out)} photos of '
            f'{faces.root}: give --faces none if they are cut-out faces'
        )
    if left_out:
        path = out / 'left_out.txt'
        write_whole('\n'.join([*left_out, '']).encode(), path)
        note(
            f'{len(left_out)} of {found + len(left_out)} photos have no face '
            f'that {detector.name} finds, and are left out: see {path}'
        )
    return faces._replace(root=out, table=None)


def entries(faces: Faces) -> list[dict[str, Any]]:
    """Return ``img_path`` and ``gt_label`` of all faces."""
    init_default_scope('mmpretrain')
    data = FaceFolder(**options_of(faces), pipeline=[])
    return [data.get_data_info(place) for place in range(len(data))]


def options_of(faces: Faces) -> dict[str, Any]:
    """Return the options of a ``mmocc.FaceFolder``."""
    return dict(
        data_root=str(faces.root),
        ann_file=faces.table,
        classes=faces.classes,
        class_map={name: name for name in faces.classes},
        label_column=faces.label_column,
    )


def stage_config(
    stage: str,
    faces: Faces,
    work_dir: Path,
    epochs: int | None = None,
    find_faces: str = 'none',
) -> Config:
    """Return the config of a stage on a folder of faces.

    Args:
        stage: A key of ``CONFIGS``.
        faces: The folder.
        work_dir: Of all stages; each has a folder of its name in it.
        epochs: Of what predicts expressions; None for the config's.
        find_faces: How faces were cut, for later predictions.
    """
    cfg = Config.fromfile(find_config(CONFIGS[stage]))
    loaders = [cfg[name] for name in LOADERS]
    loaders += [h.dataloader for h in cfg.custom_hooks if 'dataloader' in h]
    for loader in loaders:
        loader.dataset.update(
            options_of(faces), subject_pattern=faces.subjects
        )
    cfg.data_preprocessor.num_classes = len(faces.classes)
    cfg.find_faces = find_faces
    cfg.work_dir = str(work_dir / stage)
    cfg.launcher = 'none'
    if stage == 'expression':
        checkpoint = latest_checkpoint(str(work_dir / 'detector'))
        cfg.model.detector.init_cfg.checkpoint = checkpoint
    if stage != 'detector':
        cfg.model.head.num_classes = len(faces.classes)
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            cfg.train_cfg.val_interval = min(5, epochs)
            cfg.default_hooks.checkpoint.interval = min(5, epochs)
            cfg.param_scheduler[0].T_max = epochs
    return cfg


class Progress(Hook):
    """Prints a line for each epoch."""

    def after_train_epoch(self, runner: Runner) -> None:
        """Print the number of the epoch."""
        stage = Path(runner.work_dir).name
        print(
            f'{stage}: {runner.epoch + 1} of {runner.max_epochs} epochs',
            flush=True,
        )


def unusual(record: logging.LogRecord) -> bool:
    """Return whether a line of the log is for the user's eyes."""
    text = record.getMessage()
    return not any(part in text for part in USUAL)


def build_quiet(cfg: Config) -> Runner:
    """Return a runner whose log goes to its file; warnings are also shown."""
    with redirect_stdout(io.StringIO()):  # what the log would write to
        runner = cli.build_runner(cfg)
    for handler in runner.logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.setStream(sys.stdout)
            handler.setLevel(logging.WARNING)
            handler.addFilter(unusual)
    return runner


def train_stage(cfg: Config) -> Runner:
    """Train a stage, or go on where it was interrupted; return its runner."""
    cli.set_resume(cfg, 'auto')
    cli.fill_dataloaders(cfg, LOADERS)
    cli.check_types(cfg)
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    cfg.dump(Path(cfg.work_dir) / 'config.py')
    runner = build_quiet(cfg)
    runner.register_hook(Progress())
    runner.train()
    return runner


def test_stage(cfg: Config, occluded: bool) -> dict[str, Any]:
    """Return the metrics of a trained stage on clean or on occluded faces."""
    cfg = cfg.copy()
    if occluded:
        cfg.test_dataloader.dataset.pipeline = cfg.my_occluded_pipeline
    cfg.load_from = latest_checkpoint(cfg.work_dir)
    cfg.resume = False
    cfg.experiment_name = f'test_{"occluded" if occluded else "clean"}'
    return dict(build_quiet(cfg).test())


def train_ofer(
    faces: Faces,
    work_dir: Path,
    epochs: int | None = None,
    find_faces: str = 'none',
    weakened: bool = False,
) -> dict[str, dict[str, Any]]:
    """Train all stages, test, and write ``report.md`` and ``report.json``.

    Arguments are those of :func:`stage_config`; ``weakened`` trains that stage
    alone instead. A run that was interrupted goes on; one that is complete is
    only tested again.

    Returns:
        The metrics of ``clean`` and of ``occluded`` faces that no training
        has seen.
    """
    stage = 'weakened' if weakened else 'expression'
    if not weakened:
        train_stage(stage_config('detector', faces, work_dir))
    cfg = stage_config(stage, faces, work_dir, epochs, find_faces)
    train_stage(cfg)
    results = {
        name: test_stage(cfg, name == 'occluded')
        for name in ('clean', 'occluded')
    }
    texts = {
        key: {name: as_plain(value) for name, value in values.items()}
        for key, values in results.items()
    }
    write_whole(json.dumps(texts, indent=1).encode(), work_dir / 'report.json')
    text = report_text(faces, texts, cfg)
    write_whole(text.encode(), work_dir / 'report.md')
    return results


def as_plain(value: Any) -> Any:
    """Return a metric as JSON has it."""
    return value.tolist() if hasattr(value, 'tolist') else value


def report_text(
    faces: Faces, results: dict[str, dict[str, Any]], cfg: Config
) -> str:
    """Return the report of a training, in Markdown."""
    both = results['clean'], results['occluded']
    lines = [
        f'# Expressions of {faces.root.name}',
        '',
        f'{len(faces.classes)} classes: {", ".join(faces.classes)}. Values '
        'are in percent, of the fifth of the people that no training saw, as '
        'they are and with drawn things pasted on.',
        '',
        '| | clean | occluded |',
        '|---|---:|---:|',
        _row('accuracy', both, 'accuracy/top1'),
        _row('mean of the classes', both, 'class_accuracy/mean'),
        _row('patches that are called occluded', both, 'patch/flagged'),
        _row('occluded patches: AUROC', both, 'patch/auroc'),
        _row('occluded patches: recall', both, 'patch/recall'),
        '',
        'Right answers by class, clean (rows: the truth):',
        '',
        '| | ' + ' | '.join(faces.classes) + ' |',
        '|---|' + '---:|' * len(faces.classes),
    ]
    matrix = results['clean'].get('confusion_matrix/result', [])
    lines += [
        f'| **{name}** | ' + ' | '.join(str(int(v)) for v in row) + ' |'
        for name, row in zip(faces.classes, matrix, strict=False)
    ]
    checkpoint = latest_checkpoint(cfg.work_dir)
    lines += [
        '',
        '```shell',
        f'mmocc predict ofer {cfg.work_dir}/config.py {checkpoint} PHOTO',
        '```',
        '',
    ]
    return '\n'.join(lines)


def _row(title: str, results: Sequence[dict], key: str) -> str:
    """Return a line of the table; a dash where there is no value."""
    cells = [f'{r[key]:.1f}' if key in r else '-' for r in results]
    return f'| {title} | {" | ".join(cells)} |'
