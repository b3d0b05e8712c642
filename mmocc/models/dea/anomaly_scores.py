"""Scores of anomalous objects: of one redrawing each, and their fusions.

DEA (HAL hal-03409930, section III-C) uses Pearson's correlation only; the
others are common in research on anomalies. Pictures are (n, C, h, w) in
[0, 1]; all is computed in float32, or in float64 where the first one is.
"""

import torch
from torch import Tensor

from mmocc.models.dea.exporting import is_exporting

SCORES = ('pearson', 'mse', 'ssim', 'latent', 'confidence')
SINGLE = (*SCORES, 'feature')  # the last one with mmocc.FeatureDecoder only
FUSIONS = ('zscore', 'rank')
CHUNK = 1024  # objects whose distances to the bank are held at a time


def _wide(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in float32, or in float64 if the first one is."""
    wide = torch.promote_types(first.dtype, torch.float32)
    return first.to(wide), second.to(wide)


def pearson(recon: Tensor, target: Tensor) -> Tensor:
    """Return Pearson's correlation of each pair, over all pixels.

    (n,) in [-1, 1]; 0 if a picture has one value only.
    """
    a, b = (x.flatten(1) for x in _wide(recon, target))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    # Because the mean is rounded, a flat picture is not quite flat.
    flat = 1e-6 * a.shape[1] ** 0.5
    length = a.norm(dim=1).clamp_min(flat) * b.norm(dim=1).clamp_min(flat)
    return ((a * b).sum(1) / length).clamp(-1, 1)


def mse(recon: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of each pair, (n,) in [0, 1]."""
    recon, target = _wide(recon, target)
    diff = recon - target
    return diff.square().flatten(1).mean(1)


def ssim(recon: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each pair, (n,) in [-1, 1].

    Wang et al., IEEE TIP 13(4), 2004: Gaussian window of 11 pixels and
    sigma 1.5, K1 = 0.01, K2 = 0.03, range 1, averaged over the places where
    the window fits, else ValueError. Differentiable.
    """
    if min(recon.shape[-2:]) < 11:
        raise ValueError(
            'ssim needs pictures of at least 11 x 11 pixels, got '
            f'{tuple(recon.shape[-2:])}; choose a larger decoder size'
        )
    x, y = _wide(recon, target)
    moments = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    rows, columns = (_window(size, x) for size in x.shape[-2:])
    mx, my, xx, yy, xy = (rows @ moments @ columns.T).chunk(5, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    mean = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    spread = (xx - mx * mx) + (yy - my * my) + c2
    return (mean * (2 * (xy - mx * my) + c2) / spread).flatten(1).mean(1)


def _window(size: int, like: Tensor) -> Tensor:
    """Return the window at each of its places, (size - 10, size)."""
    # A matrix is 20 times as fast on a CPU as a convolution of one channel.
    place = torch.arange(-5, 6, dtype=like.dtype, device=like.device)
    kernel = torch.softmax(-place.square() / (2 * 1.5**2), 0)
    step = torch.arange(size, device=like.device)
    offset = step - step[: size - 10, None]
    inside = (offset >= 0) & (offset <= 10)
    return kernel[offset.clamp(0, 10)].where(inside, 0)


def knn_distance(latents: Tensor, bank: Tensor, k: int = 5) -> Tensor:
    """Return the mean Euclidean distance to the k nearest of the bank.

    Args:
        latents: (n, D).
        bank: (m, D) of normal objects; ValueError if it is empty.
        k: Neighbours; all of the bank, if it has fewer.
    """
    if not len(bank):
        raise ValueError('the bank of normal objects is empty')
    latents, bank = _wide(latents, bank)
    k = min(k, len(bank))
    chunks = [latents] if is_exporting() else latents.split(CHUNK)
    nearest = [
        torch.cdist(part, bank).topk(k, dim=1, largest=False).values.mean(1)
        for part in chunks
    ]
    return torch.cat(nearest)


def zscore_mean(scores: Tensor, reference: Tensor) -> Tensor:
    """Return the mean over S scores of how many deviations each is too high.

    Args:
        scores: (n, S).
        reference: (m, S): those of normal objects, m >= 2.
    """
    spread = reference.std(0).clamp_min(1e-12)
    return ((scores - reference.mean(0)) / spread).mean(1)


def rank_mean(scores: Tensor, reference: Tensor) -> Tensor:
    """Return the mean over S scores of the share of normal objects below.

    Ties count half. Arguments as in :func:`zscore_mean`, m >= 1; how far a
    score is above all normal ones does not count here.
    """
    columns = reference.T.contiguous().sort(dim=1).values
    values = scores.T.contiguous()
    below = torch.searchsorted(columns, values)
    upto = torch.searchsorted(columns, values, right=True)
    return ((below + upto) / (2 * len(reference))).mean(0)
