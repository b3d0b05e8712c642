"""Speed of self-assembly compared with a double loop.

    python -m benchmarks.ofer [--quick] [--only NAME ...] [--json FILE]

``assembly-*``: forward and backward pass of self-assembly (Eq. 2 and 3 of
arXiv 2307.11404) on maps 512 x 32 x 32 with 30 % of the positions hidden, for
a batch of 1 or 8, against a double loop over all positions of each map. Both
must agree to 1e-4. Times are for one image.

Predicted before the first run, for a CPU: 25 times as fast with a batch of 8
(each step of the scan is shared by the batch, and the similarities are one
product of matrices), 10 times with one image.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.timing import Rivals, run_benchmark
from mmocc.models.ofer.self_assembly import self_assembly

CHANNELS, SIDE, SHARE = 512, 32, 0.3
SPEEDUP = 20.0
CLOSE = 1e-4


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of two vectors, a negative one as 0."""
    return F.cosine_similarity(a, b, dim=0).clamp_min(0)


def double_loop(feature: Tensor, mirrored: Tensor, hole: Tensor) -> Tensor:
    """Return the assembled maps, computed position after position.

    Args:
        feature: (N, C, h, w).
        mirrored: The same shape.
        hole: (N, 1, h, w), bool.
    """
    rows = zip(feature, mirrored, hole[:, 0], strict=True)
    return torch.stack([assemble_one(*row) for row in rows])


def assemble_one(feature: Tensor, mirrored: Tensor, hole: Tensor) -> Tensor:
    """Return one assembled map (C, h, w)."""
    known = feature[:, ~hole]
    units = F.normalize(known, dim=0)
    rows, previous = [], None
    for y in range(hole.shape[0]):
        row = []
        for x in range(hole.shape[1]):
            patch = feature[:, y, x]
            if hole[y, x]:
                place = (
                    slice(max(y - 1, 0), y + 2),
                    slice(max(x - 1, 0), x + 2),
                )
                symmetric = mirrored[:, place[0], place[1]].mean(dim=(1, 2))
                best = known[:, (patch @ units).argmax()]
                parts = [(cosine(patch, p), p) for p in (symmetric, best)]
                if previous is not None:
                    parts.append((cosine(patch, previous), previous))
                total = sum(share for share, _ in parts)
                patch = sum(share * p for share, p in parts) / total
                previous = patch
            row.append(patch)
        rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)


def maps(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, mirrored features and holes."""
    torch.manual_seed(0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    shape = (batch, CHANNELS, SIDE, SIDE)
    feature, mirrored = torch.randn(2, *shape, device=device).unbind()
    order = torch.rand(batch, SIDE * SIDE, device=device).argsort(1).argsort(1)
    hole = order < round(SHARE * SIDE * SIDE)
    return feature, mirrored, hole.view(batch, 1, SIDE, SIDE)


def learn(
    layer: Callable[..., Tensor], inputs: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Run forward and backward; return output and gradients as one."""
    feature, mirrored, hole = inputs
    leaves = [x.detach().requires_grad_() for x in (feature, mirrored)]
    out = layer(*leaves, hole)
    grads = torch.autograd.grad(out.square().mean() * out[0].numel(), leaves)
    return torch.stack([out.detach(), *grads])


def ours(feature: Tensor, mirrored: Tensor, hole: Tensor) -> Tensor:
    """Return the assembled maps of the layer."""
    return self_assembly(feature, mirrored, hole).feature


def assembly(batch: int) -> Rivals:
    """Return the layer and the double loop, which is timed on one image."""
    inputs = maps(batch)
    one = tuple(x[:1] for x in inputs)
    torch.testing.assert_close(
        learn(ours, one), learn(double_loop, one), atol=CLOSE, rtol=CLOSE
    )
    # The time of the loop grows with the images; ours is for one of them.
    return Rivals(
        f'self-assembly, batch {batch}, times faster than a double loop',
        partial(learn, ours, inputs),
        partial(learn, double_loop, inputs),
        per=batch,
        faster=True,
        target=SPEEDUP if batch == 8 else None,
    )


def cases() -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield the name of each case and the function that sets it up."""
    yield 'assembly-1', partial(assembly, 1)
    yield 'assembly-8', partial(assembly, 8)


def main() -> None:
    """Measure, print one table, and write it."""
    run_benchmark(cases, 'Measure the parts of Latent-OFER', 9, 'assembly')


if __name__ == '__main__':
    main()
