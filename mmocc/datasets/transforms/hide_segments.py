"""Hide-and-Seek in time: hide random segments of a clip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmocc.occlusion.grid import check_segments, draw_segments
from mmocc.registry import TRANSFORMS


@TRANSFORMS.register_module()
class HideSegments(BaseTransform):
    """Hide each segment of frames with the same probability, at each call.

    Singh and Lee, arXiv 1704.04232, section 3.3: the frames of a video (or
    their features) are cut into segments of the same length, and hidden
    segments get the data set's mean. For training only; the labels stay.

    Required Keys:

    - ``key``: an array whose axis ``time_axis`` is time, such as frames
      (T, H, W, C), clips (N, T, ...) or features (T, C); or a list of T frames

    Modified Keys:

    - ``key`` (a new array or list; the input is never changed in place)

    Added Keys:

    - hidden_frames (bool, (T,), or (N, T) for clips; only with ``keep_mask``)

    Args:
        segment_lengths: Frames of a segment; of several, one is drawn for
            each sample. 0 leaves a sample as it is. The end cuts off the last
            segment.
        hide_prob: Probability that a segment is hidden.
        fill: Value of hidden frames, in the data's units: a number, one for
            each item of the last axis (channels, or feature dimensions), or
            the name of a ``.npy`` file with these. Rounded for integer data.
        key: The data to hide parts of.
        time_axis: 0, or 1 for clips (N, T, ...), each of which gets its own
            hidden segments.
        keep_mask: Store which frames are hidden.

    Raises:
        ValueError: If an argument is out of range, the fill does not fit the
            data, or the data have no such time axis.
    """

    def __init__(
        self,
        segment_lengths: int | Sequence[int],
        hide_prob: float = 0.5,
        fill: float | Sequence[float] | str = 0.0,
        key: str = 'img',
        time_axis: int = 0,
        keep_mask: bool = False,
    ) -> None:
        self.segment_lengths = check_segments(segment_lengths, hide_prob)
        self.hide_prob = hide_prob
        if time_axis not in (0, 1):
            raise ValueError(f'time_axis must be 0 or 1, got {time_axis}')
        self.fill = fill
        self.key = key
        self.time_axis = time_axis
        self.keep_mask = keep_mask
        self._value = read_fill(fill)

    @cache_randomness
    def draw(self, clips: int, frames: int) -> np.ndarray:
        """Draw a segment length and the hidden frames (clips, frames)."""
        choice = np.random.randint(len(self.segment_lengths))
        length = self.segment_lengths[choice]
        return draw_segments(clips, frames, length, self.hide_prob)

    def transform(self, results: dict) -> dict:
        """Hide segments of ``results[key]``."""
        data = results[self.key]
        is_list = isinstance(data, list | tuple)
        if is_list and self.time_axis == 1:
            raise ValueError('the time of a list of frames is time_axis 0')
        if is_list:
            clips, frames = 1, len(data)
        elif not isinstance(data, np.ndarray):
            raise ValueError(
                f'{self.key} is {type(data).__name__}; mmocc.HideSegments '
                'takes an array with a time axis, or a list of frames'
            )
        elif data.ndim > self.time_axis:
            clips, frames = (1, *data.shape)[self.time_axis :][:2]
        else:
            raise ValueError(
                f'{self.key} of shape {data.shape} has no axis '
                f'{self.time_axis} for time'
            )
        hidden = self.draw(clips, frames)
        if self.time_axis == 0:
            hidden = hidden[0]
        if is_list:
            results[self.key] = [
                self._fill(frame, ...) if hide else frame
                for frame, hide in zip(data, hidden, strict=True)
            ]
        else:
            results[self.key] = self._fill(data, hidden)
        if self.keep_mask:
            results['hidden_frames'] = hidden
        return results

    def _fill(self, data: np.ndarray, where: Any) -> np.ndarray:
        """Return a copy filled where it is hidden."""
        if not isinstance(data, np.ndarray):
            raise ValueError(
                f'a frame of {self.key} is {type(data).__name__}; '
                'mmocc.HideSegments takes arrays: np.asarray(frame) makes '
                'one of a PIL image'
            )
        value = self._value
        if value.ndim and value.shape != data.shape[-1:]:
            raise ValueError(
                f'fill has {value.size} numbers, but the last axis of '
                f'{self.key}, {data.shape}, does not'
            )
        if np.issubdtype(data.dtype, np.integer):
            value = np.round(value)
        data = data.copy()
        data[where] = value.astype(data.dtype)
        return data

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(segment_lengths={self.segment_lengths}, '
            f'hide_prob={self.hide_prob}, fill={self.fill!r}, '
            f'key={self.key!r}, time_axis={self.time_axis}, '
            f'keep_mask={self.keep_mask})'
        )


def read_fill(fill: float | Sequence[float] | str) -> np.ndarray:
    """Return a fill as an array of no axis or one; else raise ValueError."""
    if isinstance(fill, str):
        if Path(fill).suffix != '.npy' or not Path(fill).is_file():
            raise ValueError(
                f'fill {fill!r} is no .npy file that exists; give one, a '
                'number, or a list of numbers'
            )
        value = np.load(fill)
    else:
        value = np.asarray(fill)
    numbers = value.dtype.kind in 'iuf'
    if not numbers or value.ndim > 1 or not np.isfinite(value).all():
        raise ValueError(
            f'fill must be a number or a list of numbers, got {fill!r}'
        )
    return value
