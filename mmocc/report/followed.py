"""An occlusion at the end of a test pipeline, on the object as it is there.

mm's classification pipelines move the pixels of an image, but rarely its boxes
(``ResizeEdge`` and most crops do not). So the object is drawn as a picture of
its own where the annotations fit the image, right after loading, and goes
through the same steps as the image.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmocc.datasets.channel_order import (
    from_array,
    kept_randomness,
    loaded_order,
    private_copy,
    to_array,
)
from mmocc.datasets.picture_layout import is_whole, picture_name
from mmocc.datasets.sample_occlusion import SampleOcclusion
from mmocc.occlusion import CutOffError, UnreachableLevelError

HALF = 127.5
# A new one of these tells that a step has made the frame of the annotations.
FRAME_KEYS = ('gt_seg_map', 'gt_bboxes')


class NoPlaceError(ValueError):
    """No step of a pipeline gives an image that can be occluded."""


class Plan(NamedTuple):
    """Where things happen in a pipeline, as numbers of steps done before."""

    frame: int  # from here on, annotations fit the image as it was here
    place: int  # where the image is occluded
    order: str  # of the image's channels there


class FollowedOcclusion:
    """Run a pipeline up to its packing step, with an occlusion at its end.

    The image is occluded after the last step at which it still has pixels
    from 0 to 255: before the packing, or before a step that normalises or
    makes tensors of floats. That place, and the order of the channels
    (:mod:`mmocc.datasets.channel_order`), are found at the first image.

    The object (mask or boxes) is taken after the last step that loads
    something or sets ``ori_shape``, as loaders and ``mmocc.CropObject`` do.
    It then passes through the next steps as a picture, white on black, and
    its pixels are those that are at least half white at the end. Random steps
    do the same as to the image if they draw from the global generators of
    Python, NumPy or torch. What a crop cuts off does not count as the object.

    Args:
        steps: The pipeline's steps before its packing.
        occlude: What hides, or None.
        to_rgb: The data preprocessor's, where it is known.

    Raises:
        ValueError: While running, if there is no such place, a later step
            changes the image's size, or an object cannot be followed.
        CutOffError: If the steps cut the whole object off.
        UnreachableLevelError: If the steps shrink it to less than a pixel.
    """

    def __init__(
        self,
        steps: Sequence[Callable],
        occlude: SampleOcclusion | None,
        to_rgb: bool | None = None,
    ) -> None:
        self.steps = list(steps)
        self.occlude = occlude
        self.to_rgb = to_rgb
        self.plan: Plan | None = None

    def __call__(self, results: dict) -> dict | None:
        """Return the sample, occluded, or None where a step gives None."""
        if self.plan is None:
            with kept_randomness():
                self.plan = make_plan(self.steps, results, self.to_rgb)
        sample = self._run(results, 0, self.plan.frame)
        if sample is None:
            return None
        sample.setdefault('channel_order', self.plan.order)
        if self.occlude is None:
            return self._run(sample, self.plan.frame, len(self.steps))
        order = self.occlude.channel_order
        sample['channel_order'] = order or sample['channel_order']
        pixels, what = self._object(sample)
        sample = self._run(sample, self.plan.frame, self.plan.place)
        if sample is None:
            return None
        sample = self._hide(sample, pixels, what)
        return self._run(sample, self.plan.place, len(self.steps))

    def _run(self, sample: Any, start: int, end: int) -> Any:
        """Return what some of the steps make of a sample; None from None."""
        for step in self.steps[start:end]:
            if sample is None:
                return None
            sample = step(sample)
        return sample

    def _object(self, sample: dict) -> tuple[np.ndarray | None, str]:
        """Return an object's (h, w) bool pixels after the steps, and its kind.

        None where they cannot be known before.
        """
        assert self.plan is not None and self.occlude is not None
        image = to_array(sample['img'])
        if image is None:
            return None, 'unknown'
        pixels, what = self.occlude.object_region({**sample, 'img': image})
        if what == 'image':
            return None, what
        if self.plan.frame == self.plan.place:
            return pixels, what
        return self._follow(sample, pixels), what

    def _follow(self, sample: dict, pixels: np.ndarray) -> np.ndarray | None:
        """Return where the object's pixels are after the steps, (h, w) bool.

        It is compared with a black picture, since a step may add a border;
        None where that cannot be.
        """
        white = self._send(sample, pixels)
        black = self._send(sample, np.zeros_like(pixels))
        if white is None or black is None or white.shape != black.shape:
            return None
        if white.ndim == 3:  # all colours are alike
            white, black = white[..., 0], black[..., 0]
        light = np.abs(white.astype(np.float32) - black)
        if (light > HALF).any():
            return light > HALF
        name = picture_name(sample)
        if light.max(initial=0) > 1:
            raise UnreachableLevelError(
                f'{name}: the test pipeline shrinks the object to less than '
                'a pixel'
            )
        raise CutOffError(
            f'{name}: the test pipeline crops the whole object off'
        )

    def _send(self, sample: dict, pixels: np.ndarray) -> np.ndarray | None:
        """Return what the steps make of pixels, white on black, or None."""
        assert self.plan is not None
        with kept_randomness():
            picture = {**private_copy(sample), 'img': _draw(pixels, sample)}
            end = self._run(picture, self.plan.frame, self.plan.place)
        return None if end is None else to_array(end['img'])

    def _hide(
        self, sample: dict, pixels: np.ndarray | None, what: str
    ) -> dict:
        """Occlude the image in whatever form it has."""
        assert self.occlude is not None
        image = sample['img']
        array = to_array(image)
        size = None if array is None else array.shape[:2]
        if size is not None and what == 'image':
            pixels = np.ones(size, bool)
        if array is None or pixels is None or pixels.shape != size:
            raise ValueError(
                f'{picture_name(sample)}: its object cannot be followed '
                'through the test pipeline, which does not do the same to a '
                "picture of it as to the image; use region='image'"
            )
        whole = array
        if array.dtype != np.uint8:
            whole = array.round().clip(0, 255).astype(np.uint8)
        sample = self.occlude.hide({**sample, 'img': whole}, pixels, what)
        hidden = sample['img']
        if array.dtype != np.uint8:  # what is not hidden keeps its fractions
            hidden = np.where(hidden == whole, array, hidden)
            hidden = hidden.astype(array.dtype)
        sample['img'] = from_array(hidden, image)
        return sample


def _draw(pixels: np.ndarray, sample: Mapping) -> Any:
    """Return (H, W) bool pixels, white on black, in the form of an image."""
    array = to_array(sample['img'])
    assert array is not None
    picture = np.zeros_like(array)
    picture[pixels] = 255
    return from_array(picture, sample['img'])


def make_plan(
    steps: Sequence[Callable], info: Mapping, to_rgb: bool | None = None
) -> Plan:
    """Return where to occlude, by trying the steps on a sample.

    Beside the sample, a white picture passes through the steps: floats of
    which 255 is no longer the white have been normalised.

    Raises:
        ValueError: If no step gives an image from 0 to 255, or the steps
            after the last of these change its size.
    """
    sample: Any = private_copy(info)
    white: dict | None = None
    frame = 0
    places: list[int] = []
    sizes: list[Any] = []
    for number in range(len(steps) + 1):
        if number:
            known = _frame_marks(sample)
            step = steps[number - 1]
            sample = step(sample)
            if sample is None:
                raise ValueError(
                    f'{picture_name(info)}: {type(step).__name__} gives '
                    'nothing for it'
                )
            if 'Load' in type(step).__name__ or _is_new(known, sample, step):
                frame = number
            white = _try(step, white)
        array = to_array(sample.get('img'))
        sizes.append(None if array is None else array.shape[:2])
        if array is None or (places and places[-1] != number - 1):
            continue
        if not places and (array.dtype == np.uint8 or _is_wide(array)):
            white = private_copy(sample)
            white['img'] = _draw(np.ones(array.shape[:2], bool), sample)
            frame = max(frame, number)
            places.append(number)
        elif places and (array.dtype == np.uint8 or _is_white(white)):
            places.append(number)
    _check(steps, places, sizes, frame, info)
    order = loaded_order(info, steps[: places[-1]], sizes[places[0]], to_rgb)
    return Plan(frame, places[-1], order)


def _frame_marks(sample: Mapping) -> dict[str, Any]:
    """Return what tells the frame of a sample's annotations."""
    shape = dict(ori_shape=sample.get('ori_shape'))
    return shape | {key: key in sample for key in FRAME_KEYS}


def _is_new(known: Mapping, sample: Mapping, step: Callable) -> bool:
    """Return whether a step has made the frame of the annotations anew."""
    if sample.get('ori_shape') is not known['ori_shape']:
        return getattr(step, 'sets_frame', True)
    return any(key in sample and not known[key] for key in FRAME_KEYS)


def _try(step: Callable, white: dict | None) -> dict | None:
    """Return what a step makes of a white picture, None if it cannot."""
    if white is None:
        return None
    try:
        return step(white)
    except Exception:  # it is about the white picture, not about the sample
        return None


def _is_wide(array: np.ndarray) -> bool:
    """Return whether floats are whole numbers of which some are above 1."""
    return is_whole(array) and array.max(initial=0) > 1


def _is_white(white: dict | None) -> bool:
    """Return whether the brightest value of the white picture is still 255."""
    array = None if white is None else to_array(white.get('img'))
    if array is None or array.dtype == bool:
        return False
    return abs(float(array.max(initial=0)) - 255) < 1 and array.min() > -1


def _check(
    steps: Sequence[Callable],
    places: list[int],
    sizes: list,
    frame: int,
    info: Mapping,
) -> None:
    """Raise NoPlaceError if an image has no place for an occlusion."""
    names = [type(step).__name__ for step in steps]
    start = f'{picture_name(info)}: no place for the occlusion in {names}: '
    if not places:
        raise NoPlaceError(
            f'{start}no step gives an image with values from 0 to 255; leave '
            'the normalisation to the data preprocessor'
        )
    place = places[-1]
    if place < len(steps) and (sizes[place] != sizes[-1] or frame > place):
        raise NoPlaceError(
            f'{start}after {names[place]}, its values are not from 0 to 255, '
            'and later steps change its size or load annotations; put these '
            'before it'
        )
