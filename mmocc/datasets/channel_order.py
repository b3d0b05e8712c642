"""Which channel comes first in the images that a pipeline delivers.

The rule: a red photo is sent through the pipeline, and the channel in which it
is bright tells the order. So it does not matter how the photo is loaded (mm's
loaders give BGR, PIL and torchvision RGB) or what swaps channels later. Where
there is no file to load:

- a data set that holds its images (``img``) holds RGB, as mmpretrain's CIFAR
  sets do, unless the model's data preprocessor has ``to_rgb=True``, by which
  its author says that the pipeline delivers BGR;
- what cannot be tried counts as BGR, mm's convention.

A sample's own ``channel_order`` comes before all this. ``to_rgb=False`` alone
says nothing: stock configs have it for RGB images (CIFAR), and for models that
want BGR (RegNet).
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmocc.datasets.picture_layout import check_order, is_picture

RED = dict(bgr=(0, 0, 255), rgb=(255, 0, 0))
BRIGHT = 128


@contextmanager
def kept_randomness() -> Iterator[None]:
    """Give back the states of all random generators at the end."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def to_array(image: Any) -> np.ndarray | None:
    """Return a picture of a pipeline as (H, W) or (H, W, C), else None.

    Known are arrays, PIL images in grey, RGB or RGBA, and tensors (C, H, W).
    """
    if isinstance(image, Image.Image):
        return (
            np.asarray(image) if image.mode in ('L', 'RGB', 'RGBA') else None
        )
    if torch.is_tensor(image) and image.ndim == 3:
        image = image.permute(1, 2, 0).numpy()
    return image if is_picture(image) else None


def from_array(array: np.ndarray, like: Any) -> Any:
    """Return an array as what a pipeline had: PIL, tensor or array."""
    if isinstance(like, Image.Image):
        return Image.fromarray(array)
    if torch.is_tensor(like):
        planes = np.ascontiguousarray(array.transpose(2, 0, 1))
        return torch.from_numpy(planes).as_subclass(type(like))
    return array


def private_copy(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample that steps can change, except for its picture."""
    return {
        key: value if key == 'img' else copy.deepcopy(value)
        for key, value in results.items()
    }


def to_rgb_of(cfg: Mapping[str, Any]) -> bool | None:
    """Return ``to_rgb`` of a config's data preprocessor; None without one."""
    model = cfg.get('model') or {}
    found = model.get('data_preprocessor') or cfg.get('data_preprocessor')
    if not found:
        return None
    return bool(found.get('to_rgb', found.get('bgr_to_rgb', False)))


def loaded_order(
    info: Mapping[str, Any],
    steps: Sequence[Callable],
    size: tuple[int, int] = (32, 32),
    to_rgb: bool | None = None,
) -> str:
    """Return ``bgr`` or ``rgb``: the order after some steps of a pipeline.

    Args:
        info: What a data set gives its pipeline for an image; not changed.
        steps: The steps, from the first one.
        size: (h, w) of the loaded photo, in case that a step checks it.
        to_rgb: The data preprocessor's, where it is known.
    """
    if info.get('channel_order'):
        return str(check_order(info['channel_order']))
    sample = private_copy(info)
    red: np.ndarray = np.empty((*size, 3), np.uint8)
    red[:] = RED['bgr' if to_rgb else 'rgb']
    with TemporaryDirectory() as folder, kept_randomness():
        if info.get('img') is not None:
            picture = to_array(info['img'])
            if picture is None or picture.ndim == 2 or picture.shape[2] < 3:
                return 'bgr'  # grey
            if picture.shape[2] == 4:
                red = np.dstack([red, np.full(size, 255, np.uint8)])
            sample['img'] = from_array(red, info['img'])
        else:
            path = Path(folder) / 'red.png'
            Image.new('RGB', size[::-1], RED['rgb']).save(
                path, compress_level=1
            )
            sample['img_path'] = str(path)
        try:
            return _red_channel(sample, steps) or 'bgr'
        except Exception:  # a loader that knows no such file
            return 'bgr'


def _red_channel(sample: dict, steps: Sequence[Callable]) -> str | None:
    """Return the order in which a red sample is red, or None if it is not."""
    order = None
    for number in range(len(steps) + 1):
        if number:
            sample = steps[number - 1](sample)
        picture = to_array(sample.get('img'))
        if picture is None:
            continue
        if picture.ndim == 2 or picture.shape[2] < 3:
            return None
        if order is None and np.ptp(picture, axis=(0, 1)).any():
            return None  # another image was loaded
        height, width = picture.shape[:2]
        bright = picture[height // 2, width // 2, :3] >= BRIGHT
        words = {(False, False, True): 'bgr', (True, False, False): 'rgb'}
        order = words.get(tuple(bright.tolist()))
        if order is None:
            return None
    return order


def dataset_order(dataset: Any, to_rgb: bool | None = None) -> str:
    """Return the order of the images that a built data set delivers.

    Wrappers are followed to the first data set with a pipeline; its first
    image is loaded. Where that cannot be, the answer is ``bgr``.
    """
    while not hasattr(dataset, 'pipeline'):
        inner = [
            *getattr(dataset, 'datasets', ()),
            *filter(None, [getattr(dataset, 'dataset', None)]),
        ]
        if not inner:
            return 'bgr'
        dataset = inner[0]
    steps = []
    for step in dataset.pipeline.transforms:
        if type(step).__name__.startswith('Pack'):
            break
        steps.append(step)
    try:
        info = dataset.get_data_info(0)
        with kept_randomness():
            size = _first_size(private_copy(info), steps)
    except Exception:  # an image that cannot be read: others will tell
        return 'bgr'
    return loaded_order(info, steps, size, to_rgb)


def _first_size(sample: dict, steps: Sequence[Callable]) -> tuple[int, int]:
    """Return (h, w) of the first picture of a pipeline."""
    for number in range(len(steps) + 1):
        if number:
            sample = steps[number - 1](sample)
        picture = to_array(sample.get('img'))
        if picture is not None:
            return picture.shape[0], picture.shape[1]
    raise ValueError('no step gives a picture')
