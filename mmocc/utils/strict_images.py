"""Errors that name a broken image, for every config that loads it."""

from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import TRANSFORMS
from mmengine.utils import get_object_from_string
from PIL import Image

from mmocc.utils.config_types import host_of
from mmocc.utils.readable import PICTURE_ERRORS


class StrictLoadImageFromFile(LoadImageFromFile):
    """mmcv's LoadImageFromFile, which names the file that cannot be loaded.

    ValueError if a file is no image, is truncated, or (before decoding) larger
    than Pillow allows: twice ``PIL.Image.MAX_IMAGE_PIXELS``.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        path = results['img_path']
        try:
            check_size(path)
            return super().transform(results)
        except (cv2.error, AssertionError, OSError, SyntaxError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            reason = str(error).strip().splitlines()[-1:] or ['unknown']
            raise ValueError(
                f'{path}: not a readable image ({reason[0]}); fetch it '
                'again, or take it out of the data set'
            ) from error


def check_size(path: str | Path) -> None:
    """Raise ValueError for a local image with too many pixels."""
    if not Path(path).is_file():
        return
    try:
        Image.open(path).close()
    except Image.DecompressionBombError as error:
        raise ValueError(
            f'{path}: {error} Cut it into tiles, or make it smaller'
        ) from error
    except PICTURE_ERRORS:
        return  # of a format that Pillow does not know, or damaged


def use_strict_images(cfg: Config) -> None:
    """Load images strictly wherever a config has mmcv's LoadImageFromFile.

    A class or full path is changed in the config, in place; a name in the
    registries, as hosts may register mmcv's transform in their own, too.
    """
    _make_strict(cfg._cfg_dict)
    registries = [TRANSFORMS]
    host = host_of(cfg)
    if host:
        registries += [import_module(f'{host}.registry').TRANSFORMS]
    name = 'LoadImageFromFile'
    for registry in registries:
        registry.import_from_location()
        if registry.module_dict.get(name) is LoadImageFromFile:
            registry.register_module(
                name, force=True, module=StrictLoadImageFromFile
            )


def _make_strict(node: Any) -> None:
    """Change the types in a (part of a) config that are mmcv's class."""
    if isinstance(node, dict):
        kind = node.get('type')
        if isinstance(kind, str) and kind.endswith('.LoadImageFromFile'):
            kind = get_object_from_string(kind)
        if kind is LoadImageFromFile:
            # A path, as mmengine cannot read back the name of a class.
            node['type'] = f'{__name__}.{StrictLoadImageFromFile.__name__}'
        node = list(dict.values(node))
    if isinstance(node, list | tuple):
        for child in node:
            _make_strict(child)
