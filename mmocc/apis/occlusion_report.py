"""What does occlusion cost any torch classifier? One call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmocc.apis.report_result import OcclusionReport
from mmocc.datasets.transforms.occlude import REGIONS
from mmocc.occlusion import HARD_LEVELS, KINDS, cell_names, check_kind
from mmocc.occlusion.banks import Folders
from mmocc.report.cells import share_bank
from mmocc.report.checks import (
    check_classes,
    check_out,
    check_size,
    name_problem,
)
from mmocc.report.classifiers import check_same_classes, count_outputs
from mmocc.report.default_transform import default_transform
from mmocc.report.image_folders import NO_LABEL, open_folder
from mmocc.report.job import Job, Settings
from mmocc.report.run import (
    answer,
    data_faults,
    load_done,
    write_classifiers,
)
from mmocc.report.torch_images import TorchImages
from mmocc.report.torch_model import (
    TorchJob,
    left_as_it_was,
    transform_digest,
)
from mmocc.utils.from_config import build_dataset

Model = nn.Module | tuple[str, str]
BUILTIN = 'builtin:test'


@dataclass
class Group:
    """Models that see each occluded image together."""

    jobs: list[Job]
    dataset: Any
    transform: str = ''  # in words
    digest: str = ''  # of the transform


def occlusion_report(
    models: Mapping[str, Model],
    dataset: Any = None,
    transform: Callable | Mapping[str, Callable] | None = None,
    kinds: Sequence[str] = KINDS,
    levels: Sequence[str] = HARD_LEVELS,
    texture_bank: Folders | None = BUILTIN,
    object_bank: Folders | None = BUILTIN,
    region: str = 'auto',
    out: str | Path = 'work_dirs/report',
    batch_size: int = 32,
    workers: int = 0,
    device: str | None = None,
    amp: bool = False,
    seed: int = 0,
    every: int = 1,
    class_names: Sequence[str] | None = None,
    examples: int = 12,
) -> OcclusionReport:
    """Test classifiers on images of which a part is hidden.

    It is the engine of ``tools/analysis_tools/occlusion_benchmark.py``: the
    same occlusions for all models, an interval for each number, differences
    of each model from the first, and a page. What an earlier run into ``out``
    has answered is read back if nothing that decides it has changed.

    The object is hidden where the model sees it: after the steps of
    ``transform`` that resize and crop, before the one that makes floats. If
    the transform cannot be split there (one function, or floats that are
    resized), the photo is occluded before it, and log and page say so; a
    level is then a share of the photo's object. Modules are put into eval
    mode, and given back as they were.

    Args:
        models: By name, modules that give logits (N, classes) for images (N,
            C, H, W), or pairs of an mm config and a checkpoint.
        dataset: A folder with a folder of images for each class; a folder of
            images, without labels; a torch data set of (image, label), the
            image PIL or uint8, an RGB array (H, W, 3) or tensor (3, H, W); or
            a built mm data set. None for mm configs: each one's own test set.
            Of images without labels, the report is of the agreement with the
            model's own clean answer, not of accuracy.
        transform: From such an image to the input of the modules, or one by
            name of the model. By default timm's own for its models; for
            others, 224 pixels and ImageNet's mean, which the log says.
        kinds: Of occluders.
        levels: ``L1`` hides 20-40, ``L2`` 40-60, ``L3`` 60-80 % of the object.
        texture_bank: Folder(s) of images, or a built-in bank.
        object_bank: Folder(s) of RGBA cut-outs, or a built-in bank.
        region: What counts as the object: ``mask``, ``box``, ``image``, or
            ``auto``, the first that the data have.
        out: Folder of the report.
        batch_size: Images in a batch.
        workers: Loading processes.
        device: By default the GPU if there is one.
        amp: Predict in half precision.
        seed: Of the occlusions.
        every: Take only every n-th image.
        class_names: Names of the modules' outputs, in order. Folders that
            are fewer, or in another order, are found in it by name.
        examples: Example images a row of the page.

    Returns:
        The numbers; ``report.html`` is the path of the page.

    Raises:
        ValueError: If an argument is wrong, images cannot be read, or models
            and data do not fit.
        FileNotFoundError: If a folder does not exist.
    """
    _check(models, kinds, levels, region, batch_size, every)
    settings = Settings(
        out=Path(out).expanduser(),
        device=device or ('cuda' if torch.cuda.is_available() else 'cpu'),
        every=every,
        amp=amp,
    )
    cells = cell_names(list(kinds), list(levels))
    occlude = share_bank(
        cells, texture_bank, object_bank, seed=seed, region=region
    )
    modules = [m for m in models.values() if isinstance(m, nn.Module)]
    with left_as_it_was(modules), errors_for_exits():
        groups = _groups(
            models,
            dataset,
            transform,
            class_names,
            settings,
            dict(batch_size=batch_size, num_workers=workers),
        )
        jobs = _in_order(groups, models)
        check_out(jobs, settings.out)
        labelled = _answer_all(groups, cells, occlude)
    banks = dict(texture=texture_bank, object=object_bank)
    made = dict(
        command='mmocc.occlusion_report',
        seed=seed,
        device=settings.device,
        date=date.today().isoformat(),
        every=every,
        torch=torch.__version__,
        **{f'{k} bank': str(v) for k, v in banks.items() if k in kinds},
        **_models_made(groups),
    )
    first = next(group for group in groups if jobs[0] in group.jobs)
    numbers = write_classifiers(
        jobs,
        first.jobs,
        first.dataset,
        _classes(first.dataset),
        made,
        settings.out,
        examples,
        occlude,
        'accuracy' if labelled else 'agreement',
    )
    answers = {job.name: job.cells for job in jobs}
    return OcclusionReport(numbers, answers, settings.out)


def _check(
    models: Any,
    kinds: Sequence[str],
    levels: Sequence[str],
    region: str,
    batch_size: int,
    every: int,
) -> None:
    """Raise ValueError if an argument is wrong."""
    if not isinstance(models, Mapping) or not models:
        raise ValueError(
            "models= must be a dict such as {'resnet50': model}, got "
            f'{type(models).__name__}'
        )
    if problem := name_problem(list(models), len(models)):
        raise ValueError(problem.replace('--names', 'models='))
    for name, model in models.items():
        pair = isinstance(model, tuple | list) and len(model) == 2
        if not pair and not isinstance(model, nn.Module):
            raise ValueError(
                f'models[{name!r}] must be a torch module or a pair (config, '
                f'checkpoint), got {type(model).__name__}'
            )
    for key, values in (('kinds', kinds), ('levels', levels)):
        if isinstance(values, str) or not values:
            raise ValueError(f'{key}= must be a list, got {values!r}')
    for kind in kinds:
        check_kind(kind)
    if unknown := set(levels) - set(HARD_LEVELS):
        raise ValueError(
            f'levels= has {sorted(unknown)}; choose from {list(HARD_LEVELS)}'
        )
    if region not in REGIONS:
        raise ValueError(f'region={region!r}; choose from {list(REGIONS)}')
    for key, number in (('batch_size', batch_size), ('every', every)):
        if not isinstance(number, int) or number < 1:
            raise ValueError(
                f'{key}= must be a whole number of at least 1, got {number!r}'
            )


@contextmanager
def errors_for_exits() -> Iterator[None]:
    """Raise ValueError where a check for tools ends the program."""
    try:
        yield
    except SystemExit as error:
        raise ValueError(str(error)) from None


def _groups(
    models: Mapping[str, Model],
    dataset: Any,
    transform: Any,
    names: Sequence[str] | None,
    settings: Settings,
    loader: dict[str, int],
) -> list[Group]:
    """Return the models with their test sets, together where it is one."""
    folder = dataset if isinstance(dataset, str | Path) else None
    opened = open_folder(folder) if folder is not None else dataset
    groups: list[Group] = []
    for name, model in models.items():
        if not isinstance(model, nn.Module):
            groups.append(
                _config_group(name, model, dataset, settings, loader)
            )
            continue
        if opened is None:
            raise ValueError(
                f'dataset= is needed for {name!r}: a folder, or a data set'
            )
        given = transform
        if isinstance(transform, Mapping):
            given = transform.get(name)
        words = f'{given!r:.300}'
        if given is None:
            given, words = default_transform(name, model)
        job = TorchJob(name, model, given, settings, **loader)
        known = transform_digest(given)
        group = next((g for g in groups if g.digest == known), None)
        if group is None:
            images = TorchImages(opened, given, names)
            if images.whole:
                words += ' (the photo is occluded before it)'
            group = Group([], images, words, known)
            groups.append(group)
        group.jobs.append(job)
    return groups


def _config_group(
    name: str,
    pair: Sequence[str],
    dataset: Any,
    settings: Settings,
    loader: dict[str, int],
) -> Group:
    """Return a model of an mm config with its test set, or a folder."""
    options = {f'test_dataloader.{k}': v for k, v in loader.items()}
    settings = replace(settings, cfg_options=options)
    job = Job(name, str(pair[0]), str(pair[1]), settings)
    if isinstance(dataset, str | Path):
        data = job.cfg.test_dataloader.dataset
        folder = dict(
            type='mmpretrain.CustomDataset',
            data_root=str(dataset),
            pipeline=data.pipeline,
        )
        job.cfg.test_dataloader.dataset = Config(dict(d=folder)).d
    elif dataset is not None and not hasattr(dataset, 'pipeline'):
        raise ValueError(
            f'{name!r} is of an mm config, whose pipeline reads files: give '
            'dataset= as a folder or a built mm data set'
        )
    built = dataset if hasattr(dataset, 'pipeline') else None
    return Group([job], built or build_dataset(job.cfg), str(pair[0]))


def _in_order(groups: list[Group], names: Mapping[str, Any]) -> list[Job]:
    """Return all models as they were given."""
    jobs = {job.name: job for group in groups for job in group.jobs}
    return [jobs[name] for name in names]


def _answer_all(groups: list[Group], cells: list[str], occlude: dict) -> bool:
    """Let all models answer; return whether the images have labels."""
    check_same_classes(
        {group.jobs[0].name: _classes(group.dataset) for group in groups}
    )
    for group in groups:
        check_size(group.jobs[0], group.dataset)
        load_done(group.jobs, group.dataset, cells, occlude)
        _check_outputs(group, cells)
    for group in groups:
        answer(group.jobs, group.dataset, cells, occlude)
    jobs = [job for group in groups for job in group.jobs]
    if faults := data_faults(jobs):
        raise ValueError(
            f'{len(faults)} image(s) cannot be used; repair or remove them '
            '(what is computed is kept):\n  ' + '\n  '.join(faults)
        )
    unlabelled = [
        job for job in jobs if (job.cells[cells[0]].label == NO_LABEL).any()
    ]
    for job in unlabelled:
        own_labels(job)
    if unlabelled:
        print_log(
            'The images have no labels: the report is of the agreement with '
            "each model's own clean answer, not of accuracy."
        )
    return not unlabelled


def own_labels(job: Job) -> None:
    """Take a model's answers to the clean images as the labels."""
    clean, *others = job.cells
    answers = job.cells[clean]
    own = dict(zip(answers.keys.tolist(), answers.pred, strict=True))
    for cell in (clean, *others):
        known = job.cells[cell].keys.tolist()
        chosen = [key in own for key in known]
        if not all(chosen):
            raise ValueError(f'{cell}: images without a clean answer')
        labels = torch.tensor([int(own[key]) for key in known])
        job.cells[cell] = replace(job.cells[cell], label=labels.numpy())


def _check_outputs(group: Group, cells: list[str]) -> None:
    """Raise ValueError if labels or outputs do not fit."""
    if not isinstance(group.dataset, TorchImages):
        check_classes(
            group.jobs, group.dataset, cells, _classes(group.dataset)
        )
        return
    classes, highest = _classes(group.dataset), group.dataset.highest_label()
    for job in group.jobs:
        if not set(cells) - set(job.cells):
            continue
        outputs = count_outputs(job.ready(), job.cfg, group.dataset)
        if outputs is None:
            continue
        if classes and outputs != len(classes):
            raise ValueError(
                f'model {job.name!r} gives {outputs} scores, but there are '
                f'{len(classes)} classes ({", ".join(classes[:3])}, ...); '
                f'give class_names=, the names of its {outputs} outputs: the '
                'folders are then found by name'
            )
        if highest >= outputs:
            raise ValueError(
                f'model {job.name!r} gives {outputs} scores, but an image '
                f'has the label {highest}'
            )


def _classes(dataset: Any) -> Sequence[str] | None:
    """Return the names of a test set's classes, if it knows them."""
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def _models_made(groups: list[Group]) -> dict[str, str]:
    """Return where models are from and what prepares their images."""
    made = {}
    for group in groups:
        for job in group.jobs:
            kind = 'config'
            if isinstance(job, TorchJob):
                kind = f'{type(job.module).__qualname__}, transform'
            made[job.name] = f'{kind}: {group.transform}'
    return made
