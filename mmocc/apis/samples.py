"""Models and images for the drawing tools, as a config's test has them."""

import argparse
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmocc.utils import cli
from mmocc.utils.config_types import scope_of
from mmocc.utils.files import expand, list_images
from mmocc.utils.from_config import build_dataset, load_model
from mmocc.utils.state_dicts import read_checkpoint
from mmocc.visualization.receptive_field import set_cells


def open_model(
    args: argparse.Namespace, usage: str = 'CONFIG CHECKPOINT'
) -> tuple[Config, nn.Module]:
    """Return config and trained model, or exit with one line."""
    cfg = cli.read_config(args.config, args.cfg_options)
    cli.check_checkpoint(
        args.checkpoint, usage, args.config, args.trust_checkpoint
    )
    return cfg, load_model(cfg, args.checkpoint, args.device)


def spread(total: int, count: int) -> list[int]:
    """Return ``count`` places, evenly spread over a data set's indices."""
    count = min(total, count)
    return [round(i * (total - 1) / max(count - 1, 1)) for i in range(count)]


def choose(dataset: Any, wanted: Sequence[str]) -> list[int]:
    """Return the indices of samples named by index or a part of the path.

    ValueError if an index is too large, or no path has that part.
    """
    info = getattr(dataset, 'get_data_info', lambda _: {})
    indices: list[int] = []
    for text in wanted:
        if text.isdigit():
            if int(text) >= len(dataset):
                raise ValueError(
                    f'no sample {text}: the data set has {len(dataset)}, '
                    'counted from 0'
                )
            indices.append(int(text))
            continue
        paths = [info(i).get('img_path') or '' for i in range(len(dataset))]
        matches = [i for i, path in enumerate(paths) if text in str(path)]
        if not matches:
            raise ValueError(f'no image of the data set has {text!r} in it')
        indices += matches
    return list(dict.fromkeys(indices))


class Images(Sequence):
    """Packed images of files and folders, or of the test set, read at need.

    Each is a dict with ``inputs`` (3, H, W) and ``data_samples``.

    Args:
        cfg: A config whose test pipeline loads, resizes and packs them.
        sources: Image files, folders of images, or indices of the test set.

    Raises:
        FileNotFoundError: A source is none of these, or a folder is empty.
        ValueError: The test set has no such index.
    """

    def __init__(self, cfg: Config, sources: Sequence[str]) -> None:
        self.cfg = cfg
        self.dataset: Any = None
        self.items: list[Path | int] = []  # a file, or an index
        for source in sources:
            if source.isdigit() and not Path(source).exists():
                self.dataset = self.dataset or build_dataset(cfg)
                self.items += choose(self.dataset, [source])
            else:
                self.items += find_files(source)
        init_default_scope(scope_of(cfg))
        self.pipeline = Compose(copy.deepcopy(find_pipeline(cfg)))

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
    """Yield packed samples: spread over the test set, or those of --select."""
    dataset = build_dataset(cfg)
    indices = spread(len(dataset), args.number)
    if args.select:
        indices = choose(dataset, args.select)
    for index in indices:
        yield dataset[index]


def find_pipeline(cfg: Config) -> list[dict]:
    """Return the steps of a config's test set, as they are in the config.

    Of a wrapped set they are the inner one's, of several the first one's.
    ValueError if there are none.
    """
    data = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in data:
        inner = data.get('datasets') or [data.get('dataset')]
        if not inner[0]:
            raise ValueError(
                f'{cfg.filename} has no pipeline in test_dataloader.dataset'
            )
        data = inner[0]
    return data['pipeline']


def find_files(
    source: str, nor: str = 'no index of the test set'
) -> list[Path]:
    """Return an image file, or a folder's; FileNotFoundError if none.

    ``nor`` is what it could also have been, for the message.
    """
    path = expand(source)
    if path.is_file():
        return [path]
    images = list_images(path, deep=True)
    if not images:
        raise FileNotFoundError(
            f'{source} is no image, no folder of images, and {nor}'
        )
    return images


def class_names(cfg: Config, checkpoint: str) -> list[str] | None:
    """Return class names: the checkpoint's, else the test set's, else None."""
    meta = read_checkpoint(checkpoint)['meta']
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

    Names are in any case; any synonym in a class's name will do. ValueError if
    no class has the name, or several have.
    """
    if not wanted:
        return [None]
    full: dict[str, list[int]] = {}
    synonyms: dict[str, list[int]] = {}
    for number, name in enumerate(classes or ()):
        full.setdefault(name.strip().lower(), []).append(number)
        for synonym in {part.strip().lower() for part in name.split(',')}:
            synonyms.setdefault(synonym, []).append(number)
    categories: list[int | None] = []
    for text in wanted:
        numbers = full.get(text.lower()) or synonyms.get(text.lower(), [])
        if len(numbers) > 1:
            raise ValueError(
                f'several classes are called {text!r}: give one of the '
                f'numbers {", ".join(map(str, numbers))}'
            )
        if numbers:
            categories += numbers
        elif text.isdigit():
            categories.append(int(text))
        else:
            known = ', '.join(list(classes)[:20]) if classes else 'not known'
            raise ValueError(
                f'no class {text!r}; classes: {known} (or give its number)'
            )
    return categories


def sample_name(packed: dict, number: int) -> str:
    """Return a name of a packed sample that can be part of a file's."""
    path = packed['data_samples'].get('img_path')
    return Path(path).stem if path else f'image{number}'


def network_inputs(model: nn.Module, packed: Sequence[dict]) -> Tensor:
    """Return the normalised batch (N, 3, H, W) that a model sees.

    ValueError if the pipeline gives images of different sizes.
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
    """Return the predicted data sample of one image, with ``map_cells``."""
    set_cells(model, tuple(packed['inputs'].shape[-2:]))
    with torch.no_grad():
        return model.test_step(pseudo_collate([copy.deepcopy(packed)]))[0]
