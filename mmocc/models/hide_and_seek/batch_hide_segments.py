"""Hide-and-Seek in time, on a whole batch on its device."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mmocc.occlusion.segments import check_segments, draw_batch_segments
from mmocc.registry import MODELS


@MODELS.register_module()
class BatchHideSegments(nn.Module):
    """Hide random segments of clips (N, T, ...); in evaluation, an identity.

    Does what ``mmocc.HideSegments`` does sample by sample (arXiv 1704.04232,
    section 3.3): each clip gets a segment length and hidden segments of its
    own. No loop over clips, and the host never waits for the device. Random
    numbers come from the device's global generator.

    Args:
        segment_lengths: Frames of a segment; of several, one is drawn for
            each clip. 0 leaves a clip as it is. The last segment is cut off
            by the end.
        hide_prob: Probability that a segment is hidden.
        fill: Value of hidden frames: a number (0 in normalised data), or one
            for each item of the last axis: the mean feature.

    Raises:
        ValueError: If a length is negative or no whole number, or the
            probability is outside [0, 1].
    """

    def __init__(
        self,
        segment_lengths: int | Sequence[int],
        hide_prob: float = 0.5,
        fill: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        lengths = np.ravel(segment_lengths).tolist()
        self.segment_lengths = check_segments(lengths, hide_prob)
        self.hide_prob = hide_prob
        lengths = torch.tensor(self.segment_lengths)
        self.register_buffer('lengths', lengths, persistent=False)
        fill = torch.tensor(fill, dtype=torch.float32)
        self.register_buffer('fill', fill, persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Return a copy of clips (N, T, ...) with segments hidden."""
        if not self.training or not any(self.segment_lengths):
            return clips
        device = clips.device
        lengths = self.lengths.to(device, non_blocking=True)
        choice = torch.randint(len(lengths), (len(clips),), device=device)
        hidden = draw_batch_segments(
            lengths[choice], clips.shape[1], self.hide_prob
        )
        hidden = hidden.view(*hidden.shape, *[1] * (clips.ndim - 2))
        fill = self.fill.to(device, clips.dtype, non_blocking=True)
        return torch.where(hidden, fill, clips)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f'segment_lengths={self.segment_lengths}, '
            f'hide_prob={self.hide_prob}'
        )
