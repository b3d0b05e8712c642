"""Self-assembly: hidden features are combined from other features.

Latent-OFER (arXiv 2307.11404), section 3.2. With S the cosine of two feature
vectors (Eq. 2), the hidden positions i become, one after the other (Eq. 3),

    p_i = (S_sym p_s + S_known p_k + S_prev p_prev)
          / (S_sym + S_known + S_prev)

with p_s the mean of the neighbours of the mirrored place, p_k the most similar
visible position, and p_prev the previous hidden position, already assembled;
for the first one S_prev = 0. S compares the hidden position's coarse content.

The paper leaves these open: the raster scan and the 3x3 neighbourhood inside
the map are those of the released code; negative similarities count as 0; a
position similar to nothing keeps its content; gradients flow through the
weights.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmocc.registry import MODELS

MODES = ('paper', 'release')
EPS = 1e-6  # shorter than any feature vector with a direction
ALONE = 1e-3  # below this sum of similarities, its own content takes part


class Assembly(NamedTuple):
    """What self-assembly makes of a map.

    Attributes:
        feature: (N, C, h, w); visible positions unchanged.
        weights: (N, 4, h, w) float32 in [0, 1]: shares of the mirrored, the
            best visible, the previous and the position's own content; they
            sum to 1.
    """

    feature: Tensor
    weights: Tensor


class _Sources(NamedTuple):
    """What is known of the n hidden positions before the scan over them.

    The first axis is the scan's, so that each step's numbers are contiguous.

    Attributes:
        query: (n, N, C) unit vectors of the coarse content.
        own: (n, N, C) the coarse content.
        mirrored: (n, N, C).
        known: (n, N, C).
        share: (n, N, 2) similarities with the mirrored and the known content.
    """

    query: Tensor
    own: Tensor
    mirrored: Tensor
    known: Tensor
    share: Tensor


def self_assembly(
    feature: Tensor,
    mirrored: Tensor,
    hole: Tensor,
    mode: str = 'paper',
    detach_weights: bool = False,
) -> Assembly:
    """Assemble the hidden positions of feature maps.

    The scan visits only hidden positions, in all images at once, so the image
    with most of them sets the number of steps. Float32, with autocast off.

    ``release`` compares what the released code compares, without its mistakes
    (a wrong index, weights that sum to less than 1): the neighbourhood is
    that of the position, its similarity the greatest between the vector of
    the mirrored map and any position, only one of two vectors is brought to
    unit length, and the first position takes half of p_s and half of p_k.

    Args:
        feature: (N, C, h, w); hidden positions hold coarse content.
        mirrored: (N, C, h, w) of the mirrored image: each position holds the
            content of its mirrored place.
        hole: (N, 1, h, w), or (N, h, w), bool; True is hidden. If all
            positions are hidden there is no p_k.
        mode: ``paper`` or ``release``.
        detach_weights: Whether the weights are constants to the gradient.

    Raises:
        ValueError: If the shapes do not fit.
    """
    number, _, height, width = feature.shape
    fits = hole.numel() == number * height * width
    if mirrored.shape != feature.shape or not fits:
        raise ValueError(
            f'self-assembly of features {tuple(feature.shape)} needs a '
            'mirrored map of that shape and a hole of that height and width, '
            f'got {tuple(mirrored.shape)} and {tuple(hole.shape)}'
        )
    hidden = hole.reshape(number, -1).bool()
    with torch.autocast(feature.device.type, enabled=False):
        tokens, other = (_tokens(x.float()) for x in (feature, mirrored))
        weights = tokens.new_zeros(*tokens.shape[:2], 4)
        weights[..., 3] = 1
        place = _places(hidden)
        if len(place):
            maps = (tokens, other, hidden, place, (height, width))
            sources = _compare(*maps, mode)
            rows, share = _scan(sources, mode, detach_weights)
            real = _pick(hidden[..., None], place)
            tokens = _put(tokens, place, torch.where(real, rows, sources.own))
            alone = weights[0, 0].expand_as(share)
            weights = _put(weights, place, torch.where(real, share, alone))
    shape = (height, width)
    return Assembly(
        tokens.mT.unflatten(2, shape).to(feature.dtype),
        weights.mT.unflatten(2, shape),
    )


def _tokens(maps: Tensor) -> Tensor:
    """Return maps (N, C, h, w) as (N, L, C), each vector contiguous."""
    return maps.flatten(2).mT.contiguous()


def _places(hidden: Tensor) -> Tensor:
    """Return the hidden positions (n, N) of (N, L), as indices in N * L.

    In raster order; visible positions fill up images with fewer than n.
    """
    number, length = hidden.shape
    steps = int(hidden.sum(1).max()) if number else 0
    order = hidden.int().sort(dim=1, descending=True, stable=True).indices
    first = torch.arange(number, device=hidden.device) * length
    return (order[:, :steps] + first[:, None]).T


def _pick(tokens: Tensor, place: Tensor) -> Tensor:
    """Return the vectors (n, N, C) of (N, L, C) at places (n, N)."""
    rows = tokens.flatten(0, 1).index_select(0, place.flatten())
    return rows.unflatten(0, place.shape)


def _put(tokens: Tensor, place: Tensor, rows: Tensor) -> Tensor:
    """Return (N, L, C) with the vectors (n, N, C) at places (n, N)."""
    flat = tokens.flatten(0, 1)
    flat = flat.index_copy(0, place.flatten(), rows.flatten(0, 1))
    return flat.view_as(tokens)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the products of vectors, negative ones as 0; keeps the axis."""
    return (a * b).sum(-1, keepdim=True).clamp_min(0)


def _length(x: Tensor) -> Tensor:
    """Return the lengths of vectors, never 0; keeps the axis."""
    return x.norm(dim=-1, keepdim=True).clamp_min(EPS)


def _blur(tokens: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the mean over each position's 3x3 neighbours in the map.

    Two matrix products are several times as fast on a CPU as pooling.
    """
    rows, columns = (_neighbours(size, tokens) for size in shape)
    number, length, channels = tokens.shape
    maps = rows @ tokens.view(number, len(rows), -1)
    maps = columns @ maps.view(-1, len(columns), channels)
    return maps.view(number, length, channels)


def _neighbours(size: int, like: Tensor) -> Tensor:
    """Return the (size, size) weights of neighbours in their mean."""
    near = like.new_ones(size, size).tril(1).triu(-1)
    return near / near.sum(1, keepdim=True)


@torch.no_grad()
def _best(query: Tensor, tokens: Tensor, hidden: Tensor | None) -> Tensor:
    """Return the places (n, N) most similar to (n, N, C); none hidden."""
    similarity = query.transpose(0, 1) @ (tokens / _length(tokens)).mT
    if hidden is not None:
        similarity.masked_fill_(hidden[:, None], -torch.inf)
    first = torch.arange(len(tokens), device=query.device) * tokens.shape[1]
    return (similarity.max(-1).indices + first[:, None]).T


def _compare(
    tokens: Tensor,
    other: Tensor,
    hidden: Tensor,
    place: Tensor,
    shape: tuple[int, int],
    mode: str,
) -> _Sources:
    """Return what is known before the scan."""
    own, across = (_pick(x, place) for x in (tokens, other))
    query = own / _length(own)
    known = _pick(tokens, _best(query, tokens, hidden))
    any_known = (~hidden).any(1)[:, None]
    near = _pick(_blur(other if mode == 'paper' else tokens, shape), place)
    # Dividing one number is cheaper than dividing all C of a vector.
    if mode == 'paper':
        symmetric = _dot(query, near) / _length(near)
        alike = _dot(query, known) / _length(known) * any_known
    else:
        best = _pick(tokens, _best(across, tokens, None))
        symmetric = _dot(best, across) / _length(best)
        alike = _dot(known, own) / _length(known) * any_known
        half = torch.ones_like(alike[:1])
        symmetric = torch.cat([half, symmetric[1:]])
        alike = torch.cat([half * any_known, alike[1:]])
    return _Sources(query, own, near, known, torch.cat([symmetric, alike], -1))


def _scan(
    sources: _Sources, mode: str, detach_weights: bool
) -> tuple[Tensor, Tensor]:
    """Scan: return (n, N, C) new content, and (n, N, 4) weights."""
    share = sources.share.detach() if detach_weights else sources.share
    alone = (ALONE - share.sum(-1, keepdim=True)).clamp_min(0)
    share = torch.cat([share, alone], -1)
    # What does not depend on the previous position, for all at once.
    contents = (sources.mirrored, sources.known, sources.own)
    parts = zip(share.split(1, -1), contents, strict=True)
    fixed = sum(part * content for part, content in parts)
    sums = share.sum(-1, keepdim=True)
    rows, weights = [fixed[0] / sums[0]], [torch.zeros_like(sums[0])]
    steps = zip(*(x[1:] for x in (sources.query, fixed, sums)), strict=True)
    for query, base, amount in steps:
        weight = _dot(query, rows[-1])
        if mode == 'paper':
            weight = weight / _length(rows[-1])
        weight = weight.detach() if detach_weights else weight
        scale = (amount + weight).reciprocal()
        rows.append(torch.addcmul(base * scale, weight * scale, rows[-1]))
        weights.append(weight)
    mirrored, known, alone = share.detach().split(1, -1)
    previous = torch.stack(weights).detach()
    weights = torch.cat([mirrored, known, previous, alone], -1)
    return torch.stack(rows), weights / weights.sum(-1, keepdim=True)


@MODELS.register_module()
class SelfAssembly(nn.Module):
    """Layer around :func:`self_assembly` without parameters.

    Its arguments are the function's; ValueError if the mode is unknown.
    """

    def __init__(
        self, mode: str = 'paper', detach_weights: bool = False
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f'unknown mode {mode!r}; choose from {MODES}')
        self.mode = mode
        self.detach_weights = detach_weights

    def forward(
        self, feature: Tensor, mirrored: Tensor, hole: Tensor
    ) -> Tensor:
        """Return the assembled map (N, C, h, w); see the function."""
        return self_assembly(
            feature, mirrored, hole, self.mode, self.detach_weights
        ).feature

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f'mode={self.mode!r}, detach_weights={self.detach_weights}'
