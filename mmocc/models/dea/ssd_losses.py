"""SSD's losses, of a whole batch, where its priors have been given targets.

On a CPU only the rows that are learnt from are worked on, read where they lie
in the maps; elsewhere all rows are, since to know how many they are the host
would have to wait for the device. No constant is copied to the device either.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_LOG_RATIO = 4.135166556742356  # |log(16 / 1000)|, as in mmdet's coder


def flatten_maps(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Return the maps of all levels as rows of priors.

    Args:
        maps: (B, A * channels, H, W) of each level, A priors a cell.
        channels: Numbers for each prior.

    Returns:
        (B, N, channels) float32, N the number of priors of all levels.
    """
    rows = [
        level.permute(0, 2, 3, 1).reshape(len(level), -1, channels)
        for level in maps
    ]
    return torch.cat(rows, dim=1).float()


def _levels(
    maps: Sequence[Tensor], channels: int, rows: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each level's map (B, A, channels, HW) and columns of (B, N)."""
    parts = [
        level.reshape(len(level), -1, channels, level[0, 0].numel())
        for level in maps
    ]
    sizes = [part.shape[1] * part.shape[3] for part in parts]
    yield from zip(parts, rows.split(sizes, dim=1), strict=True)


def pick_rows(
    maps: Sequence[Tensor], channels: int, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the answers of some priors; of all unless on a CPU.

    Args:
        maps: (B, A * channels, H, W) of each level.
        channels: Numbers for each prior.
        mask: (B, N) bool, the priors that are wanted.

    Returns:
        (n, channels) float32, and image and prior (n,) int64 of each row.
    """
    if mask.device.type != 'cpu':
        rows = flatten_maps(maps, channels).flatten(0, 1)
        place = torch.arange(len(rows), device=rows.device)
        num = mask.shape[1]
        return rows, place.div(num, rounding_mode='floor'), place % num
    rows, images, priors, start = [], [], [], 0
    for level, wanted in _levels(maps, channels, mask):
        image, prior = wanted.nonzero(as_tuple=True)
        cell = prior.div(level.shape[1], rounding_mode='floor')
        rows.append(level[image, prior % level.shape[1], :, cell])
        images.append(image)
        priors.append(prior + start)
        start += wanted.shape[1]
    return torch.cat(rows).float(), torch.cat(images), torch.cat(priors)


def prior_cross_entropy(maps: Sequence[Tensor], wanted: Tensor) -> Tensor:
    """Return every prior's cross-entropy, without a copy of the maps.

    Args:
        maps: (B, A * channels, H, W) logits of each level.
        wanted: (B, N) int64, classes.

    Returns:
        (B, N) float32, >= 0.
    """
    channels = sum(level[0].numel() for level in maps) // wanted.shape[1]
    losses = []
    for level, target in _levels(maps, channels, wanted):
        target = target.unflatten(1, (-1, level.shape[1])).transpose(1, 2)
        loss = F.cross_entropy(
            level.flatten(0, 1).float(),
            target.flatten(0, 1),
            reduction='none',
        )
        loss = loss.unflatten(0, level.shape[:2]).transpose(1, 2)
        losses.append(loss.flatten(1))
    return torch.cat(losses, dim=1)


@torch.no_grad()
def hard_negatives(losses: Tensor, negative: Tensor, wanted: Tensor) -> Tensor:
    """Return the negatives of largest loss, so many of each image.

    Args:
        losses: (B, N), >= 0.
        negative: (B, N) bool.
        wanted: (B,) number of negatives; all are taken if there are fewer.

    Returns:
        (B, N) bool.
    """
    most = losses.shape[1]
    if losses.device.type == 'cpu':
        most = min(most, int(wanted.max()))
    values, index = losses.masked_fill(~negative, -1).topk(most)
    rank = torch.arange(most, device=losses.device)
    # Not >= 0: a loss that is NaN must be seen.
    taken = (rank < wanted[:, None]) & ~(values < 0)
    return torch.zeros_like(negative).scatter_(1, index, taken)


def encode(
    priors: Tensor, boxes: Tensor, means: Tensor, stds: Tensor
) -> Tensor:
    """Return the (n, 4) deltas from aligned priors to boxes, xyxy."""
    size = priors[:, 2:] - priors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:]) / 2
    ratio = (boxes[:, 2:] - boxes[:, :2]) / size
    return (torch.cat([shift / size, ratio.log()], dim=1) - means) / stds


def decode(
    priors: Tensor, deltas: Tensor, means: Tensor, stds: Tensor
) -> Tensor:
    """Return the (n, 4) xyxy boxes that deltas make of aligned priors."""
    size = priors[:, 2:] - priors[:, :2]
    shift, ratio = (deltas * stds + means).split(2, dim=1)
    centre = (priors[:, :2] + priors[:, 2:]) / 2 + size * shift
    half = size * ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp() / 2
    return torch.cat([centre - half, centre + half], dim=1)


def classification_loss(
    maps: Sequence[Tensor],
    num_classes: int,
    assigned: Tensor,
    labels: Tensor,
    neg_pos_ratio: float,
    min_negatives: int,
    pos_weight: float = 1.0,
) -> Tensor:
    """Return the summed cross-entropy of positives and hard negatives.

    Args:
        maps: (B, A * (classes + 1), H, W) logits of each level, the
            background last.
        num_classes: Without the background.
        assigned: (B, N), see :func:`ssd_targets.assign`.
        labels: (B, G) of the objects, G >= 1.
        neg_pos_ratio: Negatives for each positive of an image.
        min_negatives: Negatives of an image without positives.
        pos_weight: Factor of the positives.

    Returns:
        A scalar, not divided by anything.
    """
    positive = assigned > 0
    wanted = labels.gather(1, (assigned - 1).clamp(min=0))
    wanted = wanted.masked_fill(~positive, num_classes)
    with torch.no_grad():
        hardness = prior_cross_entropy(maps, wanted)
    number = positive.sum(dim=1)
    number = torch.where(number > 0, neg_pos_ratio * number, min_negatives)
    chosen = positive | hard_negatives(hardness, assigned == 0, number)
    scores, *place = pick_rows(maps, num_classes + 1, chosen)
    place = tuple(place)
    loss = F.cross_entropy(scores, wanted[place], reduction='none')
    weight = torch.where(positive[place], pos_weight, 1.0)
    return (loss * weight).where(chosen[place], 0).sum()


def box_loss(
    maps: Sequence[Tensor],
    assigned: Tensor,
    boxes: Tensor,
    priors: Tensor,
    stats: tuple[Tensor, Tensor],
    loss_bbox: Callable[..., Tensor],
    decoded: bool,
) -> Tensor:
    """Return the summed loss of the positives' boxes.

    Args:
        maps: (B, A * 4, H, W) predicted deltas of each level.
        assigned: (B, N), see :func:`ssd_targets.assign`.
        boxes: (B, G, 4) of the objects, xyxy in pixels, G >= 1.
        priors: (N, 4) xyxy in pixels.
        stats: Means and standard deviations (4,) of the deltas.
        loss_bbox: A loss of mm's form.
        decoded: Whether it gets boxes; else it gets deltas.

    Returns:
        A scalar, not divided by anything.
    """
    deltas, image, prior = pick_rows(maps, 4, assigned > 0)
    slot = assigned[image, prior] - 1
    positive = slot >= 0
    priors = priors[prior]
    # Other rows, where there are any, are made harmless before the loss: NaN
    # times a weight of 0 would be NaN.
    target = boxes[image, slot.clamp(min=0)].where(positive[:, None], priors)
    deltas = deltas.where(positive[:, None], 0)
    if decoded:
        pred = decode(priors, deltas, *stats)
    else:
        pred, target = deltas, encode(priors, target, *stats)
    loss = loss_bbox(pred, target, reduction_override='none')
    # (n, 4) of deltas, (n,) of boxes
    loss = loss.sum(dim=-1) if loss.dim() > 1 else loss
    return loss.where(positive, 0).sum()
