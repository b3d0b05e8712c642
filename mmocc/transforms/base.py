"""What transforms that hide pixels share: samples in, samples out."""

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmocc.occlusion.regions import Region, Window, hidden_share
from mmocc.transforms.objects import (
    BOX_FORMATS,
    REGIONS,
    Objects,
    find_objects,
    keep_objects,
)
from mmocc.transforms.pictures import Picture

Mask = Callable[[], Tensor]


class HidingTransform(ABC):
    """Hide pixels of an image; carry boxes, masks and labels.

    It is called with

    - an image, and gives an image;
    - an image and a target, or a tuple of them, as torchvision does;
    - a dict with ``image``, or these as keywords, as albumentations does.

    Of a dict (the target, or the sample) a copy comes back, with

    - ``hidden_shares`` (float32, (n,)): the hidden share of each object, NaN
      for one without a pixel; of the image, (1,), if it has no objects;
    - ``dropped_objects``: how many were left out, with ``min_visible``;
    - ``occlusion_mask`` (uint8, (H, W), 1 = hidden), with ``keep_mask``.

    Args:
        region: What the object is: ``mask``, ``box``, ``image``, or ``auto``
            for the first that the sample has; see
            :func:`~mmocc.transforms.objects.find_objects`.
        min_visible: Objects of which a smaller share stays visible are left
            out of boxes, masks and labels; 0 keeps all.
        box_format: Of boxes that do not state it (as ``BoundingBoxes`` do):
            ``xyxy`` (pascal_voc), ``xywh`` (coco), ``cxcywh``, in pixels;
            ``xyxy01`` (albumentations), ``cxcywh01`` (yolo), in shares of the
            image.
        object_fields: Further keys with one entry for each object.
        keep_mask: Give back the mask of hidden pixels.
        p: Probability that an image is changed at all.
        seed: Repeat: what is hidden depends on the seed and the image's
            pixels only. Without, it is drawn from torch's global generator,
            which ``torch.manual_seed`` sets and which differs by worker.

    Raises:
        ValueError: If an argument is out of range; or, when called, if a mask
            or box does not fit the image.
        TypeError: When called, if the image is of another type.
    """

    def __init__(
        self,
        region: str = 'auto',
        min_visible: float = 0.0,
        box_format: str = 'xyxy',
        object_fields: Sequence[str] = (),
        keep_mask: bool = False,
        p: float = 1.0,
        seed: int | None = None,
    ) -> None:
        for word, known, name in (
            (region, REGIONS, 'region'),
            (box_format, BOX_FORMATS, 'box_format'),
        ):
            if word not in known:
                raise ValueError(
                    f'unknown {name} {word!r}; choose from {list(known)}'
                )
        for value, name in ((min_visible, 'min_visible'), (p, 'p')):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], got {value}')
        self.region = region
        self.min_visible = min_visible
        self.box_format = box_format
        self.object_fields = tuple(object_fields)
        self.keep_mask = keep_mask
        self.p = p
        self.seed = seed

    @property
    def name(self) -> str:
        """How errors name the transform."""
        return f'mmocc.transforms.{type(self).__name__}'

    def __call__(self, *inputs: Any, **fields: Any) -> Any:
        """Hide pixels of a sample, in one of the forms above."""
        if bool(inputs) == bool(fields):
            raise TypeError(f'{self.name}: give an image, or image=')
        if fields:
            return self._sample(fields)
        first = inputs[0]
        if len(inputs) > 1:
            return self._several(inputs)
        if isinstance(first, Mapping):
            return self._sample(first)
        if isinstance(first, tuple | list) and first:
            return type(first)(self._several(first))
        return self._several(inputs)[0]

    def _sample(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Hide pixels of a dict that holds its image."""
        if 'image' not in sample:
            raise TypeError(
                f"{self.name}: a dict needs the key 'image'; it has "
                f'{sorted(map(str, sample))}'
            )
        image, objects, mask = self._hide(sample['image'], sample)
        return self._changed({**sample, 'image': image}, objects, mask)

    def _several(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Hide pixels of the first input; the others are carried."""
        image, *others = inputs
        targets = [i for i, x in enumerate(others) if isinstance(x, Mapping)]
        if targets:
            target = others[targets[0]]
            image, objects, mask = self._hide(image, target)
            others[targets[0]] = self._changed(dict(target), objects, mask)
            return image, *others
        if self.min_visible and others:
            raise TypeError(
                f'{self.name}: min_visible needs a target that is a dict, so '
                'that boxes, masks and labels stay together'
            )
        return self._hide(image, _by_type(others))[0], *others

    def _changed(
        self, fields: dict[str, Any], objects: Objects | None, make: Mask
    ) -> dict[str, Any]:
        """Return a sample, a copy already, with what is known of it."""
        mask = make()
        whole = Region(Window(0, 0, *mask.shape), torch.ones_like(mask))
        regions = [whole] if objects is None else objects.regions
        shares = torch.tensor([hidden_share(r, mask) for r in regions])
        if self.min_visible and objects is not None and objects.one_by_one:
            keep = ~(1 - shares < self.min_visible)  # NaN is kept
            keep_objects(fields, keep.tolist(), self.object_fields)
            fields['dropped_objects'] = int((~keep).sum())
            shares = shares[keep]
        added = dict(hidden_shares=shares)
        if self.keep_mask:
            added['occlusion_mask'] = mask.to(torch.uint8)
        arrays = isinstance(fields.get('image'), np.ndarray)
        return fields | {
            name: value.numpy() if arrays else value
            for name, value in added.items()
        }

    def _hide(
        self, image: Any, fields: Mapping[str, Any]
    ) -> tuple[Any, Objects | None, Mask]:
        """Return the image, its objects, and what makes the mask."""
        picture = Picture(image, self.name)
        size = picture.size
        try:
            objects = find_objects(fields, size, self.region, self.box_format)
        except ValueError as error:
            raise ValueError(f'{self.name}: {error}') from error
        number = self._number(picture)
        choice = random.Random(number)
        if choice.random() >= self.p:
            return image, objects, partial(torch.zeros, size, dtype=torch.bool)
        image, mask = self.hide(picture, objects, choice, number)
        return image, objects, mask

    def _number(self, picture: Picture) -> int:
        """Return the number that all random numbers of an image follow."""
        if self.seed is None:
            return int(torch.randint(2**62, ()))
        planes = picture.planes
        content = hashlib.blake2b(f'{self.seed} {planes.shape}'.encode())
        content.update(planes.contiguous().numpy().data)
        return int.from_bytes(content.digest()[:7], 'big')

    @abstractmethod
    def hide(
        self,
        picture: Picture,
        objects: Objects | None,
        choice: random.Random,
        number: int,
    ) -> tuple[Any, Mask]:
        """Hide pixels of a picture; not in place.

        Args:
            picture: The image.
            objects: What is hidden in part, None for the image.
            choice: Source of choices such as kind and level.
            number: Seed of everything else.

        Returns:
            The image, in the form that it was given, and what makes the mask
                (H, W) bool, True where a pixel is hidden: an image alone needs
                none.
        """


def _by_type(inputs: Sequence[Any]) -> dict[str, Any]:
    """Return torchvision's boxes and masks by the names of a target.

    One mask holds labels, as those of segmentation do.
    """
    fields = {}
    for value in inputs:
        if type(value).__name__ == 'BoundingBoxes':
            fields['boxes'] = value
        elif type(value).__name__ == 'Mask':
            one = value.ndim == 2 or len(value) == 1
            fields['mask' if one else 'masks'] = value
    return fields
