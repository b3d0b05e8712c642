"""The models of a report of any kind, each with its test set.

Models whose images are prepared alike are a group: they see each occluded
image together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from mmocc.report.checks import check_classes
from mmocc.report.class_match import find_outputs, match_classes
from mmocc.report.classifiers import count_outputs
from mmocc.report.default_transform import default_transform
from mmocc.report.image_folders import Labels, open_folder
from mmocc.report.job import Job, Settings
from mmocc.report.named_models import NamedModel
from mmocc.report.torch_images import TorchImages, dataset_classes
from mmocc.report.torch_model import TorchJob, transform_digest
from mmocc.utils.hosts import require
from mmocc.utils.imagenet_classes import COUNT, imagenet_names

Model = nn.Module | NamedModel | tuple[str, str]


@dataclass
class Group:
    """Models that see each occluded image together."""

    jobs: list[Job]
    dataset: Any
    transform: str = ''  # in words
    digest: str = ''  # of the transform


def make_groups(
    models: Mapping[str, Model],
    dataset: Any,
    labels: Labels | None,
    transform: Callable | Mapping[str, Callable] | None,
    names: Sequence[str] | None,
    settings: Settings,
    loader: dict[str, int],
) -> list[Group]:
    """Return the models with their test sets, together where it is one.

    Arguments are those of ``mmocc.occlusion_report``; ``loader`` has
    ``batch_size`` and ``num_workers``.

    Raises:
        ValueError: If a model has no data set, or they do not fit.
    """
    opened = dataset
    if isinstance(dataset, str | Path):
        opened = open_folder(dataset, labels)
    elif labels is not None:
        raise ValueError(
            'labels= are those of the images of a folder: give dataset= as '
            'its path'
        )
    names = names or _named_classes(models)
    groups: list[Group] = []
    for name, model in models.items():
        if isinstance(model, tuple | list):
            own = dataset is not opened
            groups.append(
                _config_group(
                    name, model, opened, own, names, settings, loader
                )
            )
            continue
        if opened is None:
            raise ValueError(
                f'dataset= is needed for {name!r}: a folder, or a data set'
            )
        job, given, words = _torch_job(
            name, model, transform, settings, loader
        )
        known = transform_digest(given)
        group = next((g for g in groups if g.digest == known), None)
        if group is None:
            images = TorchImages(opened, given, names)
            if images.whole:
                words += ' (the photo is occluded before it)'
            if names is None:
                _name_imagenet(images, job)
            group = Group([], images, words, known)
            groups.append(group)
        group.jobs.append(job)
    return groups


def _named_classes(models: Mapping[str, Model]) -> Sequence[str] | None:
    """Return the classes of models whose names tell them, if any."""
    named = (m for m in models.values() if isinstance(m, NamedModel))
    return next((model.classes for model in named if model.classes), None)


def _torch_job(
    name: str,
    model: nn.Module | NamedModel,
    transform: Any,
    settings: Settings,
    loader: dict[str, int],
) -> tuple[TorchJob, Callable, str]:
    """Return a module's job, and its transform, also in words."""
    given = transform
    if isinstance(transform, Mapping):
        given = transform.get(name)
    module = model.module if isinstance(model, NamedModel) else model
    if isinstance(model, NamedModel):
        given = given or model.transform
    words = f'{given!r:.300}'
    if given is None:
        given, words = default_transform(name, module)
    job = TorchJob(name, module, given, settings, **loader)
    if isinstance(model, NamedModel):
        job.checkpoint = model.weights
    return job, given, words


def _name_imagenet(images: TorchImages, job: Job) -> None:
    """Take ImageNet's names, if all classes are of it and outputs as many."""
    if _imagenet_of(images.own, COUNT) and (
        count_outputs(job.ready(), job.cfg, images) == COUNT
    ):
        images.name_outputs(imagenet_names())


def _imagenet_of(
    own: Sequence[str] | None, outputs: int | None
) -> list[str] | None:
    """Return ImageNet's names, if all classes are found in it, else None."""
    if not own or outputs != COUNT:
        return None
    names = imagenet_names()
    return None if find_outputs(own, names) is None else names


def _config_group(
    name: str,
    pair: Sequence[str],
    dataset: Any,
    own: bool,
    names: Sequence[str] | None,
    settings: Settings,
    loader: dict[str, int],
) -> Group:
    """Return a model of an mm config with its test set.

    ``dataset`` is one of mm, or, if it is ``own``, the images of a folder.
    """
    require(f'{name!r}, a model of an mm config,', 'mmengine', 'mmcv')
    from mmocc.utils.from_config import build_dataset

    options = {f'test_dataloader.{k}': v for k, v in loader.items()}
    settings = replace(settings, cfg_options=options | settings.cfg_options)
    job = Job(name, str(pair[0]), str(pair[1]), settings)
    if own:
        return Group([job], _listed(job, dataset, names), str(pair[0]))
    if dataset is not None and not hasattr(dataset, 'pipeline'):
        raise ValueError(
            f'{name!r} is of an mm config, whose pipeline reads files: give '
            'dataset= as a folder or a built mm data set'
        )
    return Group([job], dataset or build_dataset(job.cfg), str(pair[0]))


def _listed(job: Job, folder: Any, names: Sequence[str] | None) -> Any:
    """Return the images of a folder, read by the pipeline of a config."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmocc.report.listed_images import ListedImages
    from mmocc.utils.config_types import scope_of

    head = job.cfg.model.get('head')
    outputs = head.get('num_classes') if isinstance(head, Mapping) else None
    known = dataset_classes(folder)
    names = names or _imagenet_of(known, outputs)
    classes, places = match_classes(known, names)
    samples = [
        (path, label if places is None else places[label])
        for path, label in folder.samples
    ]
    pipeline = job.cfg.test_dataloader.dataset.pipeline
    data = dict(type='mmocc.ListedImages', pipeline=pipeline)
    job.cfg.test_dataloader.dataset = Config(dict(d=data)).d
    init_default_scope(scope_of(job.cfg))
    return ListedImages(samples, folder.root, pipeline, classes)


def in_order(groups: list[Group], names: Mapping[str, Any]) -> list[Job]:
    """Return all models as they were given."""
    jobs = {job.name: job for group in groups for job in group.jobs}
    return [jobs[name] for name in names]


def check_outputs(group: Group, cells: list[str]) -> None:
    """Raise ValueError if labels or outputs do not fit."""
    classes = classes_of(group.dataset)
    if not isinstance(group.dataset, TorchImages):
        check_classes(group.jobs, group.dataset, cells, classes)
        return
    highest = group.dataset.highest_label()
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


def classes_of(dataset: Any) -> Sequence[str] | None:
    """Return the names of a test set's classes, if it knows them."""
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def models_made(
    groups: list[Group], models: Mapping[str, Model]
) -> dict[str, str]:
    """Return where models are from and what prepares their images."""
    made = {}
    for group in groups:
        for job in group.jobs:
            model = models[job.name]
            kind = 'config'
            if isinstance(job, TorchJob):
                kind = type(job.module).__qualname__
                if isinstance(model, NamedModel):
                    kind += f', weights of {model.weights}'
                kind += ', transform'
            made[job.name] = f'{kind}: {group.transform}'
            if isinstance(model, tuple | list):
                made[job.name] += f', {model[1]}'
    return made
