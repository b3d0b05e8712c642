"""From a photo to what a model sees: its config's test pipeline, and no more.

A config is written for a data set: its test pipeline may read annotations and
paste occluders, and its model may need the folders of its training. A photo
has no annotations, and nothing may be pasted on it.
"""

import argparse
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, init_default_scope

from mmocc.apis.samples import (
    Images,
    chosen,
    find_files,
    find_pipeline,
    spread,
)
from mmocc.datasets.channel_order import loaded_order, to_rgb_of
from mmocc.datasets.picture_layout import check_order, is_picture, to_bgr
from mmocc.utils.config_types import class_name, find_class, scope_of
from mmocc.utils.readable import PICTURE_ERRORS
from mmocc.utils.strict_images import check_size
from mmocc.visualization.hiding import HIDING
from mmocc.visualization.sheet import as_rgb

# Steps that read or make truths, and what packs without them.
TRUTHS = ('DrawPatchMask', 'LoadAnnotations', 'LoadOcclusionMasks')
PACKERS = dict(PackAnomalyInputs='mmdet.PackDetInputs')
# Arguments of models that only training uses: banks of occluders, and folders
# to which features are written.
TRAINING = ('occluder', 'cache', 'clean_cache')
UNREADABLE = (*PICTURE_ERRORS, cv2.error, AssertionError)


class UnreadablePhotoError(ValueError):
    """A photo that cannot be loaded; says which one, and why."""


@dataclass
class Photo:
    """A photo, as it is and as a model takes it.

    Attributes:
        place: Its place among all that were given.
        name: Its path or URL, or ``image3`` for an array.
        image: (H, W, 3) uint8 RGB, as it was loaded.
        packed: ``inputs`` and ``data_samples``, as the pipeline packs them.
    """

    place: int
    name: str
    image: np.ndarray
    packed: dict[str, Any]

    @property
    def stem(self) -> str:
        """What files about it are named after."""
        return Path(self.name).stem


def list_photos(inputs: Any) -> list[str | np.ndarray]:
    """Return paths, URLs and arrays, in their order.

    Args:
        inputs: A path or URL, a folder (with those in it), an array, or a
            list of these.

    Raises:
        FileNotFoundError: A path is none of these, or a folder has no photo.
        TypeError: Something is none of these.
    """
    if isinstance(inputs, list | tuple):
        return [photo for item in inputs for photo in list_photos(item)]
    if isinstance(inputs, np.ndarray):
        return [inputs]
    if not isinstance(inputs, str | Path):
        raise TypeError(
            'a photo is a path, a URL or an array (H, W, 3) in BGR, and a '
            f'list has these: got {type(inputs).__name__}'
        )
    if '://' in str(inputs):
        return [str(inputs)]
    return [str(path) for path in find_files(str(inputs), 'no URL')]


def photo_config(cfg: Config) -> Config:
    """Return a copy of a config that takes photos as they are.

    Its test pipeline neither hides anything nor reads annotations; its model
    has no banks of occluders, and no folders of caches.
    """
    cfg = copy.deepcopy(cfg)
    scope = scope_of(cfg)
    steps = find_pipeline(cfg)
    steps[:] = list(_for_photos(steps, scope))
    for name in TRAINING:
        cfg.model.pop(name, None)
    # mmpretrain's classifiers; a detector's other settings are needed.
    (cfg.model.get('train_cfg') or {}).pop('augments', None)
    return cfg


def _for_photos(steps: Sequence[dict], scope: str) -> Iterator[dict]:
    """Yield the steps that a photo needs, also of those inside wrappers."""
    for step in steps:
        names = set(_names(step['type'], scope))
        if names & {*HIDING, *TRUTHS}:
            continue
        inner = step.get('transforms')
        if isinstance(inner, list | tuple | dict):
            inner = [inner] if isinstance(inner, dict) else inner
            parts = list(_inside(inner, scope))
            if not parts:
                continue
            step['transforms'] = parts
        packer = PACKERS.get(class_name(step['type']))
        yield dict(step, type=packer) if packer else step


def _inside(inner: Iterable[Any], scope: str) -> Iterator[Any]:
    """Yield what a wrapper holds: steps, or lists of them to choose from."""
    for part in inner:
        if isinstance(part, dict):
            yield from _for_photos([part], scope)
        else:
            yield list(_for_photos(part, scope))


def _names(kind: Any, scope: str) -> Iterator[str]:
    """Yield the name of a step's class, and of those it is derived from."""
    yield class_name(kind)
    found = find_class(kind, TRANSFORMS, scope)
    yield from (parent.__name__ for parent in getattr(found, '__mro__', ()))


class PhotoPipeline:
    """Loads a photo, and packs it as a config's test pipeline does.

    Files are loaded by the pipeline's first step: turned as their EXIF says,
    and in its order of channels. Arrays are brought to the same order.

    Args:
        cfg: A config of :func:`photo_config`.
    """

    def __init__(self, cfg: Config) -> None:
        init_default_scope(scope_of(cfg))
        steps = Compose(copy.deepcopy(find_pipeline(cfg))).transforms
        self.loader, self.steps = steps[0], steps[1:]
        self.order = loaded_order({}, [self.loader], to_rgb=to_rgb_of(cfg))

    def __call__(
        self, item: str | np.ndarray, place: int = 0, order: str = 'bgr'
    ) -> Photo:
        """Return a photo.

        Args:
            item: A path or URL, or an array uint8: (H, W), or (H, W, C) with
                C 1, 3 or 4, whose alpha is left out.
            place: Its place among all.
            order: ``bgr`` or ``rgb``, an array's channels.

        Raises:
            UnreadablePhotoError: A file cannot be loaded.
            ValueError: An array is no picture, or the pipeline does not fit.
        """
        name, info = self._info(item, place, order)
        image = as_rgb(to_bgr(info['img'], self.order))
        info['img_id'] = place
        for step in self.steps:
            info = step(info)
            if info is None:
                raise ValueError(
                    f'{name}: {type(step).__name__} of the test pipeline '
                    'drops it'
                )
        return Photo(place, name, image, info)

    def read(
        self, item: str | np.ndarray, place: int = 0, order: str = 'bgr'
    ) -> tuple[str, np.ndarray]:
        """Return a photo's name, and the photo (H, W, 3) uint8 BGR.

        Arguments and errors are those of calling the pipeline.
        """
        name, info = self._info(item, place, order)
        image = to_bgr(info['img'], self.order)
        return name, np.ascontiguousarray(image.astype(np.uint8))

    def _info(
        self, item: str | np.ndarray, place: int, order: str
    ) -> tuple[str, dict[str, Any]]:
        """Return a photo's name, and what the loader gives."""
        if isinstance(item, np.ndarray):
            name = f'image{place}'
            return name, self._take(item, name, order)
        return item, self._load(item)

    def _load(self, path: str) -> dict[str, Any]:
        """Return a loaded file; UnreadablePhotoError if that fails."""
        try:
            check_size(path)
            info = self.loader(dict(img_path=path))
            if info is None:
                raise ValueError('the file is empty')
        except UNREADABLE as error:
            reason = ([*str(error).strip().splitlines()] or ['unknown'])[-1]
            raise UnreadablePhotoError(
                f'{path}: not a readable image ({reason})'
            ) from error
        if not isinstance(info.get('img'), np.ndarray):
            raise ValueError(
                'the first step of the test pipeline must load the image; '
                f'this one is {type(self.loader).__name__}'
            )
        return info

    def _take(self, array: np.ndarray, name: str, order: str) -> dict:
        """Return an array as the loader would give it."""
        check_order(order)
        if not is_picture(array) or array.dtype != np.uint8:
            raise ValueError(
                f'{name}: an array must be uint8 of shape (H, W) or (H, W, C)'
                f' with C 1, 3 or 4, got {array.dtype} of shape {array.shape}'
            )
        image = to_bgr(array, order)
        image = image if self.order == 'bgr' else image[..., ::-1]
        floats = getattr(self.loader, 'to_float32', False)
        image = np.array(image, np.float32 if floats else np.uint8)
        size = image.shape[:2]
        return dict(img=image, img_path=None, img_shape=size, ori_shape=size)


def asked(
    cfg: Config, args: argparse.Namespace, default: int
) -> Iterator[dict[str, Any]]:
    """Yield packed samples that --images, --select and --number name.

    Evenly spread. Where no number is given, all of --images, and ``default``
    samples of the test set.
    """
    if not args.images:
        args.number = args.number or default
        yield from chosen(cfg, args)
        return
    photos = Images(photo_config(cfg), args.images)
    for place in spread(len(photos), args.number or len(photos)):
        yield photos[place]
