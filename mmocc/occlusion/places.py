"""Places on an object that are the same at every size of its picture."""

import numpy as np
import torch
from torch import Tensor


class ObjectPixels:
    """The pixels of an object, and places on it.

    Args:
        region: (H, W) bool, the object; on the CPU.
    """

    def __init__(self, region: Tensor) -> None:
        self.region = region
        self.size = region.shape[0], region.shape[1]
        # Pixels, numbered row by row; NumPy's is five times as fast as torch's
        self.index = torch.from_numpy(np.flatnonzero(region.numpy()))
        self.counts = region.sum(dim=1)
        self.ends = self.counts.cumsum(dim=0)

    def __len__(self) -> int:
        """Return the number of pixels."""
        return len(self.index)

    def at(self, shares: Tensor) -> Tensor:
        """Return the points that have shares of the object before them.

        The second share is that of the object's pixels in the rows above a
        point, the first that of the pixels in its own row to its left. So
        random shares give points that are uniform over the object, and the
        same shares give the same place on a smaller or larger picture of it.
        (Random points of the box, tried until one is on the object, do not:
        near the rim one pixel decides whether the next one is tried.)

        Args:
            shares: (n, 2) float64 in [0, 1).

        Returns:
            (n, 2) float32, x and y in pixels, not rounded to pixel centres.
        """
        before = shares[:, 1] * len(self)
        row = torch.searchsorted(self.ends, before, right=True)
        row = row.clamp_max(int(self.index[-1]) // self.size[1])
        count = self.counts[row]
        y = row + (before - (self.ends[row] - count)) / count
        x = self._across(row, shares[:, 0])
        # A rim has steps; between the middles of two rows it has fewer.
        upper = (y - 0.5).floor().long().clamp_min(0)
        lower = (upper + 1).clamp_max(self.size[0] - 1)
        above, below = (
            self._across(rows, shares[:, 0]) for rows in (upper, lower)
        )
        between = torch.lerp(above, below, (y - 0.5 - upper).clamp(0, 1))
        smooth = self._is_run(upper) & self._is_run(lower)
        smooth &= self.region[row, between.long().clamp_max(self.size[1] - 1)]
        points = torch.stack([torch.where(smooth, between, x), y], dim=-1)
        far = torch.tensor(self.size[::-1]).float()  # not reached by rounding
        return points.float().minimum(far.nextafter(torch.zeros(2)))

    def _across(self, rows: Tensor, shares: Tensor) -> Tensor:
        """Return where rows have shares of their pixels before them, (n,)."""
        count = self.counts[rows]
        before = shares * count
        whole = before.long()
        place = (self.ends[rows] - count + whole).clamp_max(len(self) - 1)
        return self.index[place] % self.size[1] + before - whole

    def _is_run(self, rows: Tensor) -> Tensor:
        """Return which rows have pixels, all of them side by side, (n,)."""
        count = self.counts[rows]
        last = self.index[(self.ends[rows] - 1).clamp_min(0)]
        first = (self.ends[rows] - count).clamp_max(len(self) - 1)
        return (count > 0) & (last - self.index[first] + 1 == count)


def lattice(side: int) -> Tensor:
    """Return (side ** 2, 2) shares that cover an object evenly, float64."""
    steps = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    return torch.cartesian_prod(steps, steps)
