"""Errors that name a broken image, for every config that loads it."""

from importlib import import_module
from pathlib import Path

import cv2
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import TRANSFORMS
from PIL import Image

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


def use_strict_images(scope: str | None) -> None:
    """Load images strictly wherever a config says ``LoadImageFromFile``.

    Hosts (``scope``) may register mmcv's transform in their own registry, too.
    """
    registries = [TRANSFORMS]
    if scope in ('mmdet', 'mmpretrain'):
        registries += [import_module(f'{scope}.registry').TRANSFORMS]
    name = 'LoadImageFromFile'
    for registry in registries:
        registry.import_from_location()
        if registry.module_dict.get(name) is LoadImageFromFile:
            registry.register_module(
                name, force=True, module=StrictLoadImageFromFile
            )
