"""Photographs as a classifier sees them: whole, cropped, partly hidden."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from mmocc.occlusion import HARD_LEVELS, KINDS
from mmocc.occlusion.banks import Folders
from mmocc.report.torch_images import split_steps
from mmocc.transforms import Occlude
from mmocc.utils import files

CROP_AREA = (0.35, 1.0)  # share of the photograph that a further view shows
CROP_ASPECT = (0.75, 4 / 3)
BUILTIN = 'builtin:train'

Images = str | Path | Sequence[Any]


def list_photos(images: Images) -> Sequence[Any]:
    """Return photographs: paths of a folder, or what is given.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no photograph.
    """
    if isinstance(images, str | Path):
        folder = files.expand(images)
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} is not a folder of photographs')
        photos = files.list_images(folder, deep=True)
        what = f'{folder} holds no image ({", ".join(files.IMAGE_SUFFIXES)})'
    else:
        photos, what = images, 'images= is empty'
    if not len(photos):
        raise ValueError(what)
    return photos


def read_photo(photo: Any, number: int) -> Image.Image:
    """Return a photograph as RGB.

    Args:
        photo: A path; a PIL image; an array (H, W) or (H, W, 3) of uint8,
            RGB; or a tuple that begins with one, as (image, label).
        number: Of the photograph, for messages.

    Raises:
        ValueError: If it cannot be read.
    """
    if isinstance(photo, tuple | list) and photo:
        photo = photo[0]
    if isinstance(photo, str | Path):
        try:
            with Image.open(photo) as file:
                return file.convert('RGB')
        except (OSError, UnidentifiedImageError) as error:
            raise ValueError(
                f'{photo} cannot be read ({error}); repair or remove it'
            ) from error
    if isinstance(photo, np.ndarray) and photo.dtype == np.uint8:
        photo = Image.fromarray(photo)
    if not isinstance(photo, Image.Image):
        raise ValueError(
            f'images[{number}] must be a path, a PIL image or a uint8 array '
            f'(H, W, 3), got {type(photo).__name__}'
        )
    return photo.convert('RGB')


def crop(photo: Image.Image, choice: random.Random) -> Image.Image:
    """Return a random part of a photograph, mirrored half of the time."""
    width, height = photo.size
    aspect = choice.uniform(*CROP_ASPECT)
    area = choice.uniform(*CROP_AREA) * width * height
    w = min(max(round((area * aspect) ** 0.5), 1), width)
    h = min(max(round((area / aspect) ** 0.5), 1), height)
    x, y = choice.randint(0, width - w), choice.randint(0, height - h)
    part = photo.crop((x, y, x + w, y + h))
    if choice.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return part


class Views:
    """Views of photographs, ready for a model.

    The first view of each photograph is the whole, the others are random
    crops. All random numbers follow from the seed and the view.

    Args:
        photos: From :func:`list_photos`.
        transform: What prepares a photograph for the model; occluders are
            pasted after its last step that gives whole numbers.
        views: Of each photograph.
        kinds: Of occluders.
        texture_bank: Folder(s) of images, or a built-in bank.
        object_bank: Folder(s) of RGBA cut-outs, or a built-in bank.
        seed: Of crops and occlusions.

    Raises:
        ValueError: If the transform gives no float tensor (C, H, W).
    """

    def __init__(
        self,
        photos: Sequence[Any],
        transform: Callable,
        views: int = 1,
        kinds: Sequence[str] = KINDS,
        texture_bank: Folders = BUILTIN,
        object_bank: Folders = BUILTIN,
        seed: int = 0,
    ) -> None:
        self.photos = photos
        self.views = views
        self.seed = seed
        self.occlude = Occlude(
            kinds,
            texture_bank=texture_bank,
            object_bank=object_bank,
            region='image',
            seed=seed,
        )
        by_level = dict(kind=kinds, region='image', bank=self.occlude.bank)
        self.by_level = {
            level: Occlude(level=level, seed=seed, **by_level)
            for level in HARD_LEVELS
        }
        self.before, self.after = _split(transform, read_photo(photos[0], 0))

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.photos) * self.views

    def photo_of(self, view: int) -> int:
        """Return the number of the photograph that a view shows."""
        return view // self.views

    def picture(self, view: int) -> Any:
        """Return a view of whole numbers: PIL, or a uint8 tensor."""
        number = self.photo_of(view)
        picture: Any = read_photo(self.photos[number], number)
        if view % self.views:
            picture = crop(picture, random.Random(f'{self.seed} {view}'))
        for step in self.before:
            picture = step(picture)
        return picture

    def finish(self, picture: Any) -> Tensor:
        """Return the model's input (C, H, W) of a picture."""
        for step in self.after:
            picture = step(picture)
        return picture.as_subclass(Tensor)

    def twins(self, view: int, variants: int) -> list[Tensor]:
        """Return a view's input, and those of its occluded variants."""
        picture = self.picture(view)
        inputs = [self.finish(picture)]
        for variant in range(variants):
            self.occlude.seed = self.seed + 1 + variant
            inputs.append(self.finish(self.occlude(picture)))
        return inputs

    def levels(self, view: int) -> list[Tensor]:
        """Return a view's input, and those at L1, L2 and L3."""
        picture = self.picture(view)
        hidden = [occlude(picture) for occlude in self.by_level.values()]
        return [self.finish(one) for one in (picture, *hidden)]


def _split(
    transform: Callable, picture: Any
) -> tuple[list[Callable], list[Callable]]:
    """Return the steps of a transform before its first float, and the rest."""
    steps = split_steps(transform)
    place = None
    for number, step in enumerate(steps):
        picture = step(picture)
        floats = torch.is_tensor(picture) and picture.is_floating_point()
        if floats and place is None:
            place = number
    if place is None or not torch.is_tensor(picture) or picture.dim() != 3:
        raise ValueError(
            'transform= must give a float tensor (C, H, W), got '
            f'{type(picture).__name__} {tuple(getattr(picture, "shape", ()))}'
        )
    return steps[:place], steps[place:]
