"""PatchCore: the nearest of a bank of normal patches."""

import torch
from torch import Tensor

from mmocc.models.dea.trunk_baseline import TrunkBaseline
from mmocc.models.patch_features import as_rows
from mmocc.registry import MODELS

AT_ONCE = 4096  # patches whose distances to the bank are held at a time


def greedy_coreset(rows: Tensor, number: int, first: int = 0) -> Tensor:
    """Return the indices (number,) of rows that lie near all others.

    The greedy k-centre of PatchCore's algorithm 1: each next row is the one
    that is farthest from all chosen ones.

    Args:
        rows: (n, D).
        number: How many to choose; all if there are fewer.
        first: The row to begin with.
    """
    number = min(number, len(rows))
    chosen = torch.empty(number, dtype=torch.int64, device=rows.device)
    nearest = rows.new_full((len(rows),), float('inf'))
    norms = rows.square().sum(1)
    latest = torch.as_tensor(first, device=rows.device)
    for place in range(number):
        chosen[place] = latest
        row = rows[latest]
        away = norms - 2 * (rows @ row) + norms[latest]
        nearest = torch.minimum(nearest, away)
        nearest[latest] = -1  # never again, whatever is rounded
        latest = nearest.argmax()
    return chosen


@MODELS.register_module()
class PatchCore(TrunkBaseline):
    """PatchCore (Roth et al., arXiv 2106.08265).

    A patch's score is its distance from the nearest normal patch of the bank,
    wherever that is in the image. An image's score is the highest of its
    patches', weighted by how crowded the bank is there (equation 7).

    Args:
        backbone: As in :class:`TrunkBaseline`.
        bank_size: Patches that the greedy coreset keeps.
        candidates: Patches that it chooses from, drawn at random; None for
            all, as in the paper, in a time that grows with their number.
        neighbours: Of the weight; 1 for no weight.
        seed: Of what is drawn.
        kwargs: Of :class:`TrunkBaseline`.
    """

    def __init__(
        self,
        backbone: dict,
        bank_size: int = 2000,
        candidates: int | None = 30000,
        neighbours: int = 9,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(backbone, **dict(dict(kernel=3), **kwargs))
        self.bank_size, self.candidates = bank_size, candidates
        self.neighbours, self.seed = neighbours, seed
        self.register_buffer('bank', torch.zeros(0, 0))

    def see(self, inputs: Tensor) -> Tensor:
        """Return the features of all patches, (N * h * w, D)."""
        return as_rows(self.grid(inputs)).flatten(0, 1).cpu()

    def learn(self, seen: list[Tensor]) -> None:
        """Choose the bank."""
        rows = torch.cat(seen)
        draw = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(rows), generator=draw)[: self.candidates]
        rows = rows[order].to(self.unused.device)
        self.bank = rows[greedy_coreset(rows, self.bank_size)].clone()

    def judge(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N,) and maps (N, H, W)."""
        self.check_learnt(self.bank)
        grid = self.grid(inputs)
        rows = as_rows(grid)
        parts = [
            torch.cdist(part, self.bank).min(1)
            for part in rows.flatten(0, 1).split(AT_ONCE)
        ]
        distances, nearest = (
            torch.cat([part[i] for part in parts]).view(rows.shape[:2])
            for i in (0, 1)
        )
        maps = self.finish(distances, grid, inputs)
        highest, place = distances.max(1)
        image = torch.arange(len(rows), device=rows.device)
        weight = self._weight(rows[image, place], nearest[image, place])
        return highest * weight, maps

    def _weight(self, patches: Tensor, nearest: Tensor) -> Tensor:
        """Return the (N,) weights of the highest patches (N, D).

        1 minus the softmax share of the nearest member of the bank, among it
        and its neighbours in the bank.
        """
        count = min(self.neighbours, len(self.bank))
        if count < 2:
            return torch.ones_like(patches[:, 0])
        around = torch.cdist(self.bank[nearest], self.bank)
        members = around.topk(count, largest=False).indices
        away = (patches[:, None] - self.bank[members]).norm(dim=2)
        own = (patches - self.bank[nearest]).norm(dim=1)
        return 1 - (own - away.logsumexp(1)).exp()
