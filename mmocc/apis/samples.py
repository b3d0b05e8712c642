"""Models and images for the drawing tools, as a config's test has them."""

import argparse
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmocc.datasets.voc_layout import IMAGE_SUFFIXES
from mmocc.report.classifiers import load_model
from mmocc.utils import cli


def open_model(
    args: argparse.Namespace, usage: str = 'CONFIG CHECKPOINT'
) -> tuple[Config, nn.Module]:
    """Return config and trained model; exit with one line if they are not.

    Args:
        args: With ``config``, ``checkpoint``, ``cfg_options``, ``device`` and
            ``trust_checkpoint``.
        usage: How the user names a checkpoint.
    """
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    cli.check_types(cfg)
    cli.check_checkpoint(
        args.checkpoint, usage, args.config, args.trust_checkpoint
    )
    return cfg, load_model(cfg, args.checkpoint, args.device)


def build_dataset(cfg: Config, phase: str = 'test') -> Dataset:
    """Build one of a config's data sets, in its own scope.

    Args:
        cfg: A config of mmpretrain or mmdet.
        phase: ``train``, ``val`` or ``test``.

    Raises:
        ValueError: If the config has no such dataloader.
    """
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        raise ValueError(f'{cfg.filename} has no {phase}_dataloader')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = DATASETS.build(loader.dataset)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def spread(total: int, count: int) -> list[int]:
    """Return so many places, evenly spread over a data set's indices."""
    count = min(total, count)
    return [round(i * (total - 1) / max(count - 1, 1)) for i in range(count)]


def image_path(dataset: Any, index: int) -> str | None:
    """Return the file of a sample, if it is known."""
    info = getattr(dataset, 'get_data_info', lambda _: {})(index)
    return info.get('img_path')


def choose(dataset: Any, wanted: Sequence[str]) -> list[int]:
    """Return the indices of chosen samples of a data set.

    Args:
        dataset: A data set.
        wanted: For each sample its index, or a part of its image's path.

    Raises:
        ValueError: If an index is too large, or no path has that part.
    """
    found = []
    for text in wanted:
        if text.isdigit():
            if int(text) >= len(dataset):
                raise ValueError(
                    f'no sample {text}: the data set has {len(dataset)}, '
                    'counted from 0'
                )
            found.append(int(text))
            continue
        paths = ((i, image_path(dataset, i)) for i in range(len(dataset)))
        fits = [i for i, path in paths if path and text in str(path)]
        if not fits:
            raise ValueError(f'no image of the data set has {text!r} in it')
        found += fits
    return list(dict.fromkeys(found))


class Images(Sequence):
    """Packed images of files and folders, or of the test set, read at need.

    Each is a dict with ``inputs`` (3, H, W) and ``data_samples``.

    Args:
        cfg: A config whose test pipeline loads, resizes and packs them.
        sources: Image files, folders of such, or indices of the config's
            test set.

    Raises:
        FileNotFoundError: If a source is none of these, or a folder has no
            images.
        ValueError: If the test set has no such index.
    """

    def __init__(self, cfg: Config, sources: Sequence[str]) -> None:
        self.cfg = cfg
        self.dataset = None
        self.items = []  # a file's path, or an index of the test set
        for source in sources:
            if source.isdigit() and not Path(source).exists():
                self.dataset = self.dataset or build_dataset(cfg)
                self.items += choose(self.dataset, [source])
            else:
                self.items += find_files(source)
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        self.pipeline = Compose(
            copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.items)

    def __getitem__(self, place: int) -> dict:
        """Return a packed image."""
        item = self.items[place]
        if isinstance(item, int):
            return self.dataset[item]
        return self.pipeline(dict(img_path=str(item)))


def chosen(cfg: Config, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield packed samples of the test set: spread, or those of --select.

    Args:
        cfg: A config with a ``test_dataloader``.
        args: With ``number`` and ``select``.
    """
    dataset = build_dataset(cfg)
    indices = spread(len(dataset), args.number)
    if args.select:
        indices = choose(dataset, args.select)
    for index in indices:
        yield dataset[index]


def find_files(source: str) -> list[Path]:
    """Return an image file, or those in a folder and below.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    found = sorted(
        file
        for file in path.rglob('*')
        if file.suffix.lower() in IMAGE_SUFFIXES
    )
    if not found:
        raise FileNotFoundError(
            f'{source} is no image, no folder of images, and no index of the '
            'test set'
        )
    return found


def class_names(cfg: Config, checkpoint: str) -> list[str] | None:
    """Return class names: the checkpoint's, else the test set's own.

    None if neither knows them, or the test set is not here: single images
    need none.

    Args:
        cfg: A config with a ``test_dataloader``.
        checkpoint: Path or URL of weights; mmengine stores in them the
            metainfo of the training set.
    """
    meta = _load_checkpoint(checkpoint, map_location='cpu').get('meta', {})
    names = (meta.get('dataset_meta') or {}).get('classes')
    if names is None:
        try:
            dataset = build_dataset(cfg)
        except OSError:
            return None
        names = getattr(dataset, 'metainfo', {}).get('classes')
    return list(names) if names else None


def find_categories(
    wanted: Sequence[str] | None, classes: Sequence[str] | None
) -> list[int | None]:
    """Return class numbers of names or numbers; [None] for the predicted.

    Args:
        wanted: Names, in any case, or numbers. Where a class's name is a list
            of synonyms, as ImageNet's are, each will do.
        classes: Class names, if they are known.

    Raises:
        ValueError: If no class has the name.
    """
    if not wanted:
        return [None]
    names = {}
    for number, name in enumerate(classes or ()):
        for synonym in [name, *name.split(',')]:
            names.setdefault(synonym.strip().lower(), number)
    found = []
    for text in wanted:
        if text.lower() in names:
            found.append(names[text.lower()])
        elif text.isdigit():
            found.append(int(text))
        else:
            known = ', '.join(list(classes)[:20]) if classes else 'not known'
            raise ValueError(
                f'no class {text!r}; classes: {known} (or give its number)'
            )
    return found


def sample_name(packed: dict, number: int) -> str:
    """Return a name of a packed sample that can be part of a file's."""
    path = packed['data_samples'].get('img_path')
    return Path(path).stem if path else f'image{number}'


def network_inputs(model: nn.Module, packed: Sequence[dict]) -> Tensor:
    """Return the normalised batch (N, 3, H, W) that a model sees.

    Raises:
        ValueError: If the pipeline gives images of different sizes.
    """
    sizes = {tuple(item['inputs'].shape) for item in packed}
    if len(sizes) > 1:
        raise ValueError(
            f'the test pipeline gives images of different sizes {sizes}: let '
            'it resize them to one size'
        )
    batch = pseudo_collate(copy.deepcopy(list(packed)))
    with torch.no_grad():
        return model.data_preprocessor(batch, False)['inputs']


def predict(model: nn.Module, packed: dict) -> Any:
    """Return the predicted data sample of one image."""
    with torch.no_grad():
        return model.test_step(pseudo_collate([copy.deepcopy(packed)]))[0]
