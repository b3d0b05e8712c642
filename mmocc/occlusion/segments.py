"""Hiding segments of a sequence of frames (arXiv 1704.04232, section 3.3)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def check_segments(lengths: Sequence[int], hide_prob: float) -> list[int]:
    """Return segment lengths as a list.

    Raises:
        ValueError: If there is none, one is negative or no whole number, or
            the probability is outside [0, 1].
    """
    # The rest of inf or NaN is NaN, which is true.
    if not len(lengths) or any(n < 0 or n % 1 for n in lengths):
        raise ValueError(
            'segment_lengths must be whole numbers of frames >= 0, got '
            f'{list(lengths)}'
        )
    if not 0 <= hide_prob <= 1:
        raise ValueError(f'hide_prob must be in [0, 1], got {hide_prob}')
    return [int(length) for length in lengths]


def draw_segments(
    clips: int, frames: int, length: int, prob: float
) -> np.ndarray:
    """Draw the hidden frames of some clips, segment by segment.

    Segments start at the first frame; the last one may be cut off by the end,
    and is hidden as often as the others.

    Args:
        clips: Number of clips, each with hidden segments of its own.
        frames: Number of frames of a clip.
        length: Frames of a segment; 0 hides nothing.
        prob: Probability that a segment is hidden.

    Returns:
        (clips, frames) bool, True = hidden.
    """
    if not length:
        return np.zeros((clips, frames), bool)
    segments = np.random.random_sample((clips, -(-frames // length))) < prob
    return segments.repeat(length, axis=1)[:, :frames]


def draw_batch_segments(lengths: Tensor, frames: int, prob: float) -> Tensor:
    """Draw the hidden frames of a batch, on its device.

    Args:
        lengths: (N,) int64 frames of each clip's segments; 0 hides nothing.
        frames: Number of frames of a clip.
        prob: Probability that a segment is hidden.

    Returns:
        (N, frames) bool, True = hidden.
    """
    device = lengths.device
    hidden = torch.rand(len(lengths), frames, device=device) < prob
    hidden &= (lengths > 0)[:, None]
    segment = torch.arange(frames, device=device) // lengths.clamp(1)[:, None]
    return hidden.gather(1, segment)
