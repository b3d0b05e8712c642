"""What does occlusion cost any torch classifier? One call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmocc.apis.report_result import OcclusionReport
from mmocc.datasets.sample_occlusion import REGIONS
from mmocc.occlusion import HARD_LEVELS, KINDS, cell_names, check_kind
from mmocc.occlusion.banks import Folders
from mmocc.report.cells import share_bank
from mmocc.report.checks import check_out, check_size, name_problem
from mmocc.report.classifiers import check_same_classes
from mmocc.report.groups import (
    Group,
    Model,
    check_outputs,
    classes_of,
    in_order,
    make_groups,
    models_made,
)
from mmocc.report.image_folders import NO_LABEL, Labels
from mmocc.report.job import Job, Settings
from mmocc.report.named_models import NamedModel
from mmocc.report.page_compare import named_report
from mmocc.report.run import (
    answer,
    data_faults,
    load_done,
    write_classifiers,
)
from mmocc.report.seeds import (
    CellAnswers,
    pool,
    seed_words,
    seeds_problem,
)
from mmocc.report.torch_model import left_as_it_was

BUILTIN = 'builtin:test'


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
    labels: Labels | None = None,
    skip_corrupt: bool = False,
    seeds: Sequence[int] | None = None,
    texture_size: int = 256,
    cfg_options: Mapping[str, Any] | None = None,
    trust_checkpoint: bool = False,
    command: str = 'mmocc.occlusion_report',
    compare: str | Path | None = None,
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
            C, H, W), pairs of an mm config and a checkpoint, or what
            ``mmocc.report.named_models`` makes of a name.
        dataset: A folder with a folder of images for each class; a folder of
            images, without labels; a torch data set of (image, label), the
            image PIL or uint8, an RGB array (H, W, 3) or tensor (3, H, W); or
            a built mm data set. None for mm configs: each one's own test set.
            Of images without labels, the report is of the agreement with the
            model's own clean answer, not of accuracy. Also (image, label,
            target) and (image, target), whose boxes or masks are the object:
            see :mod:`mmocc.report.torch_targets`.
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
            are fewer, or in another order, are found in it by name, by WNID
            (of ImageNet) or by number. Not needed for ImageNet's 1,000.
        examples: Example images of each cell that the page shows.
        labels: Of the images of a folder: a CSV file with the columns
            ``path`` and ``label``, or a dict. Only these images are tested.
        skip_corrupt: Report without images that cannot be used, which are
            counted and named, instead of raising an error.
        seeds: Several, instead of ``seed``: each image is occluded with each
            of them; numbers are means, with their spread over the seeds.
        texture_size: Side of textures in pixels.
        cfg_options: Changes of the mm configs.
        trust_checkpoint: Whether checkpoints of mm configs may run code.
        command: What the page names as the way it was made.
        compare: ``occlusion.json`` of an earlier report, which the page shows
            beside this one.

    Returns:
        The numbers; ``report.html`` is the path of the page.

    Raises:
        ValueError: If an argument is wrong, images cannot be read, or models
            and data do not fit.
        FileNotFoundError: If a folder or file does not exist.
    """
    _check(models, kinds, levels, region, batch_size, every)
    old = named_report(compare) if compare else None
    seeds = [seed] if seeds is None else seeds
    if problem := seeds_problem(seeds):
        raise ValueError(f'seeds= {problem}')
    settings = Settings(
        out=Path(out).expanduser(),
        device=device or ('cuda' if torch.cuda.is_available() else 'cpu'),
        every=every,
        amp=amp,
        cfg_options=dict(cfg_options or {}),
        trust=trust_checkpoint,
    )
    cells = cell_names(list(kinds), list(levels))
    occlude = share_bank(
        cells,
        texture_bank,
        object_bank,
        texture_size,
        seed=seeds[0],
        region=region,
    )
    with left_as_it_was(_modules(models)), errors_for_exits():
        groups = make_groups(
            models,
            dataset,
            labels,
            transform,
            class_names,
            settings,
            dict(batch_size=batch_size, num_workers=workers),
        )
        jobs = in_order(groups, models)
        check_out(jobs, settings.out)
        twins = _answer_all(groups, cells, occlude, seeds[1:], skip_corrupt)
    by_seed = {seeds[0]: jobs, **twins}
    labelled = _take_own_labels([j for same in by_seed.values() for j in same])
    banks = dict(texture=texture_bank, object=object_bank)
    made = dict(
        command=command,
        seed=seed_words(seeds),
        device=settings.device,
        date=date.today().isoformat(),
        every=every,
        torch=torch.__version__,
        **{f'{k} bank': _words(v) for k, v in banks.items() if k in kinds},
        **models_made(groups, models),
    )
    first = next(group for group in groups if jobs[0] in group.jobs)
    numbers = write_classifiers(
        jobs,
        first.jobs,
        first.dataset,
        classes_of(first.dataset),
        made,
        settings.out,
        examples,
        occlude,
        'accuracy' if labelled else 'agreement',
        twins and by_seed,
        old,
    )
    answers = {name: _pooled(name, by_seed) for name in models}
    return OcclusionReport(numbers, answers, settings.out)


def _pooled(name: str, by_seed: Mapping[int, list[Job]]) -> CellAnswers:
    """Return a model's answers with all seeds."""
    cells = {
        seed: next(job.cells for job in same if job.name == name)
        for seed, same in by_seed.items()
    }
    return pool(cells) if len(cells) > 1 else next(iter(cells.values()))


def _modules(models: Mapping[str, Model]) -> list[nn.Module]:
    """Return the torch modules among the models."""
    inner = (
        model.module if isinstance(model, NamedModel) else model
        for model in models.values()
    )
    return [module for module in inner if isinstance(module, nn.Module)]


def _words(folders: Folders | None) -> str:
    """Return where a bank is from."""
    if isinstance(folders, list | tuple):
        return ', '.join(map(str, folders))
    return str(folders)


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
        if not pair and not isinstance(model, nn.Module | NamedModel):
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


def _answer_all(
    groups: list[Group],
    cells: list[str],
    occlude: dict,
    seeds: Sequence[int],
    skip_corrupt: bool,
) -> dict[int, list[Job]]:
    """Let all models answer; return those of further seeds, by seed."""
    check_same_classes(
        {group.jobs[0].name: classes_of(group.dataset) for group in groups}
    )
    for group in groups:
        check_size(group.jobs[0], group.dataset)
        load_done(group.jobs, group.dataset, cells, occlude)
        check_outputs(group, cells)
    pairs = [(group.jobs, group.dataset) for group in groups]
    twins = answer(pairs, cells, occlude, seeds)
    jobs = [job for group in groups for job in group.jobs]
    faults = data_faults(
        [*jobs, *(j for same in twins.values() for j in same)]
    )
    if faults and not skip_corrupt:
        raise ValueError(
            f'{len(faults)} image(s) cannot be used; repair or remove them, '
            'or report without them: skip_corrupt (what is computed is kept):'
            '\n  ' + '\n  '.join(faults)
        )
    if faults:
        print(f'left out, since they cannot be used: {len(faults)} image(s)')
    return twins


def _take_own_labels(jobs: list[Job]) -> bool:
    """Give answers without labels the clean ones; return if all had labels."""
    unlabelled = [
        job
        for job in jobs
        if any((a.label == NO_LABEL).any() for a in job.cells.values())
    ]
    for job in unlabelled:
        own_labels(job)
    if unlabelled:
        print(
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
