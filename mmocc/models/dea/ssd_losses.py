"""SSD's targets and losses, for all images of a batch at once.

Pure functions: the rules are those of mmdet's ``MaxIoUAssigner``, ``SSDHead``
and ``DeltaXYWHBBoxCoder``, value for value. The host never waits for the
device; so the losses work on all rows there, and on a CPU only on those that
matter.

Shapes: B images, N priors of all levels, A priors a cell, G objects of an
image (padded with zeros). Boxes are xyxy in pixels. ``maps`` are
(B, A * channels, H, W) of each level. ``assigned`` is (B, N) int64: -1
nothing, 0 background, k > 0 the k-th object.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from mmdet.models.task_modules import MaxIoUAssigner
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmocc.models.dea.iou_losses import IoUTypeLoss

EPS = 1e-6  # pixels^2; the least union that MaxIoUAssigner divides by
MAX_LOG_RATIO = 4.135166556742356  # |log(16 / 1000)|, as in mmdet's coder


def wide(values: Tensor) -> Tensor:
    """Return values in float32, or in float64 if they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def pad_boxes(boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return boxes (n, 4) of B images as (B, G, 4), and the real ones."""
    real = [box.new_ones(len(box), dtype=torch.bool) for box in boxes]
    return (
        pad_sequence(list(boxes), batch_first=True),
        pad_sequence(real, batch_first=True),
    )


def find_bad_boxes(
    boxes: Tensor, real: Tensor, metas: Sequence[dict]
) -> Tensor:
    """Return which boxes are empty, not finite, or outside, (B, G) bool.

    Args:
        boxes: (B, G, 4).
        real: (B, G) bool, which are no padding.
        metas: ``img_shape`` of each image; the largest is the input's.

    Raises:
        ValueError: On a CPU, if there is any.
    """
    left, top, right, bottom = boxes.unbind(dim=-1)
    height, width = (max(m['img_shape'][i] for m in metas) for i in (0, 1))
    good = (right > left) & (bottom > top) & (right > 0) & (bottom > 0)
    good &= (left < width) & (top < height) & boxes.isfinite().all(dim=-1)
    bad = real & ~good
    if bad.device.type == 'cpu' and bad.any():
        image, box = bad.nonzero()[0].tolist()
        raise ValueError(
            f'{metas[image].get("img_path", f"image {image}")}: ground-truth '
            f'box {boxes[image, box].tolist()} is empty, not finite, or '
            f'outside the input of {(height, width)} (h, w) pixels: correct '
            "it, or drop it with mmdet's FilterAnnotations"
        )
    return bad


def overlaps(
    boxes: Tensor, priors: Tensor, over_prior: bool = False
) -> Tensor:
    """Return the (n, N) IoU of boxes (n, 4) with priors (N, 4).

    With ``over_prior``, divide by the prior's area, not by the union.
    """
    left, top, right, bottom = boxes[:, None].unbind(dim=-1)
    x1, y1, x2, y2 = priors.unbind(dim=-1)
    inter = (torch.min(right, x2) - torch.max(left, x1)).clamp_(min=0)
    inter *= (torch.min(bottom, y2) - torch.max(top, y1)).clamp_(min=0)
    area = (x2 - x1) * (y2 - y1)
    if over_prior:
        return inter / area.clamp(min=EPS)
    union = ((right - left) * (bottom - top) + area).sub_(inter)
    return inter.div_(union.clamp_(min=EPS))


@torch.no_grad()
def find_ignored(
    ignored: Tensor, priors: Tensor, assigner: MaxIoUAssigner
) -> Tensor:
    """Return the (B, N) mask of priors (N, 4) in a box to ignore (B, I, 4)."""
    blocked = ignored.new_zeros(len(ignored), len(priors), dtype=torch.bool)
    if assigner.ignore_iof_thr <= 0:
        return blocked
    for boxes in ignored.unbind(dim=1):
        if assigner.ignore_wrt_candidates:
            share = overlaps(boxes, priors, over_prior=True)
        else:
            share = overlaps(priors, boxes, over_prior=True).T
        blocked |= share > assigner.ignore_iof_thr
    return blocked


@torch.no_grad()
def assign(
    boxes: Tensor,
    real: Tensor,
    counts: Sequence[int],
    priors: Tensor,
    blocked: Tensor,
    assigner: MaxIoUAssigner,
) -> Tensor:
    """Return ``assigned``: an object, the background, or nothing.

    One object of every image at a time, so that memory does not grow with
    the number of objects. Images with a k-th object come first.

    Args:
        boxes: (B, G, 4).
        real: (B, G) bool, which of them to use.
        counts: Number of objects of each image, without padding.
        priors: (N, 4).
        blocked: (B, N) bool, priors that get nothing.
        assigner: The thresholds.
    """
    order = real.sum(dim=1).argsort(descending=True)
    boxes, real, blocked = (t[order] for t in (boxes, real, blocked))
    best = torch.full_like(blocked, -1, dtype=boxes.dtype)
    nearest, forced = (torch.zeros_like(best, dtype=torch.long) for _ in 'nf')
    for slot in range(max(counts, default=0)):
        images = sum(count > slot for count in counts)
        iou = overlaps(boxes[:images, slot], priors)
        iou.masked_fill_(blocked[:images] | ~real[:images, slot, None], -1)
        # Strictly: of equal ones the first wins.
        nearest[:images].masked_fill_(iou > best[:images], slot + 1)
        torch.max(best[:images], iou, out=best[:images])
        if assigner.match_low_quality:
            _force(forced[:images], iou, slot + 1, assigner)
    result = _by_threshold(best, nearest, assigner)
    result = torch.where(forced > 0, forced, result)
    # Without objects, everything that is not blocked is background.
    empty = ~real.any(dim=1, keepdim=True)
    result.masked_fill_(empty, 0).masked_fill_(blocked, -1)
    return torch.empty_like(result).index_copy_(0, order, result)


def _force(
    forced: Tensor, iou: Tensor, number: int, assigner: MaxIoUAssigner
) -> None:
    """Give an object of each image its best priors, in place."""
    top, index = iou.max(dim=1, keepdim=True)
    good = (top >= assigner.min_pos_iou) & (top >= 0)
    if assigner.gt_max_assign_all:
        forced.masked_fill_((iou == top) & good, number)
    else:
        before = forced.gather(1, index)
        forced.scatter_(1, index, before.masked_fill(good, number))


def _by_threshold(
    best: Tensor, nearest: Tensor, assigner: MaxIoUAssigner
) -> Tensor:
    """Return the assignment by the largest IoU alone."""
    low, high = 0.0, assigner.neg_iou_thr
    if not isinstance(high, float):
        low, high = high
    background = (best >= max(low, 0.0)) & (best < high)
    result = torch.where(background, 0, -1)
    return torch.where(best >= assigner.pos_iou_thr, nearest, result)


def flatten_maps(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Return maps as (B, N, channels) float32, or float64 if they are."""
    rows = [
        level.permute(0, 2, 3, 1).reshape(len(level), -1, channels)
        for level in maps
    ]
    return wide(torch.cat(rows, dim=1))


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
    """Return predictions of the priors of a mask (B, N); of all on a GPU.

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
    return wide(torch.cat(rows)), torch.cat(images), torch.cat(priors)


def prior_cross_entropy(maps: Sequence[Tensor], wanted: Tensor) -> Tensor:
    """Return the (B, N) cross-entropy of logits with classes, not copied."""
    channels = sum(level[0].numel() for level in maps) // wanted.shape[1]
    losses = []
    for level, target in _levels(maps, channels, wanted):
        target = target.unflatten(1, (-1, level.shape[1])).transpose(1, 2)
        loss = F.cross_entropy(
            wide(level.flatten(0, 1)),
            target.flatten(0, 1),
            reduction='none',
        )
        loss = loss.unflatten(0, level.shape[:2]).transpose(1, 2)
        losses.append(loss.flatten(1))
    return torch.cat(losses, dim=1)


@torch.no_grad()
def hard_negatives(losses: Tensor, negative: Tensor, wanted: Tensor) -> Tensor:
    """Return the (B, N) mask of the negatives of largest loss.

    Args:
        losses: (B, N), >= 0.
        negative: (B, N) bool.
        wanted: (B,) number of negatives; all if there are fewer.
    """
    most = losses.shape[1]
    if losses.device.type == 'cpu':
        most = min(most, int(wanted.max()))
    values, index = losses.masked_fill(~negative, -1).topk(most)
    rank = torch.arange(most, device=losses.device)
    # Not >= 0: a loss that is NaN must have an effect.
    chosen = (rank < wanted[:, None]) & ~(values < 0)
    return torch.zeros_like(negative).scatter_(1, index, chosen)


def encode(
    priors: Tensor, boxes: Tensor, means: Tensor, stds: Tensor
) -> Tensor:
    """Return the (n, 4) deltas from aligned priors to boxes, xyxy."""
    size = priors[:, 2:] - priors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:]) / 2
    ratio = (boxes[:, 2:] - boxes[:, :2]) / size
    return (torch.cat([shift / size, ratio.log()], dim=1) - means) / stds


def decode(
    priors: Tensor,
    deltas: Tensor,
    means: Tensor,
    stds: Tensor,
    ctr_clamp: float | None = None,
) -> Tensor:
    """Return the (n, 4) xyxy boxes from aligned priors and deltas.

    ``ctr_clamp`` is the most pixels that a centre moves along each axis, as
    in mmdet's coder with ``add_ctr_clamp``, which then bounds how much a box
    grows but not how much it shrinks.
    """
    size = priors[:, 2:] - priors[:, :2]
    shift, ratio = (deltas * stds + means).split(2, dim=1)
    move = size * shift
    least: float | None = -MAX_LOG_RATIO
    if ctr_clamp is not None:
        move, least = move.clamp(-ctr_clamp, ctr_clamp), None
    centre = (priors[:, :2] + priors[:, 2:]) / 2 + move
    half = size * ratio.clamp(least, MAX_LOG_RATIO).exp() / 2
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
        maps: Logits, the background last.
        num_classes: Without the background.
        assigned: As above.
        labels: (B, G) of the objects, G >= 1.
        neg_pos_ratio: Negatives for each positive of an image.
        min_negatives: Negatives of an image without positives.
        pos_weight: Factor of the positives.
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
    ctr_clamp: float | None = None,
) -> Tensor:
    """Return the summed loss of the positives' boxes.

    Args:
        maps: Predicted deltas.
        assigned: As above.
        boxes: (B, G, 4) of the objects, G >= 1.
        priors: (N, 4).
        stats: Means and standard deviations (4,) of the deltas.
        loss_bbox: A loss of mm's form.
        decoded: Whether it gets boxes; else it gets deltas.
        ctr_clamp: Of :func:`decode`.
    """
    deltas, image, prior = pick_rows(maps, 4, assigned > 0)
    slot = assigned[image, prior] - 1
    positive = slot >= 0
    priors = priors[prior]
    # Make other rows, if any, harmless before the loss: NaN times a weight
    # of 0 would be NaN.
    target = boxes[image, slot.clamp(min=0)].where(positive[:, None], priors)
    deltas = deltas.where(positive[:, None], 0)
    if decoded:
        pred = decode(priors, deltas, *stats, ctr_clamp)
    else:
        pred, target = deltas, encode(priors, target, *stats)
    # With a weight, losses of mmdet make the host wait.
    weight = positive.to(pred) if isinstance(loss_bbox, IoUTypeLoss) else None
    loss = loss_bbox(pred, target, weight, reduction_override='none')
    # (n, 4) of deltas, (n,) of boxes
    loss = loss.sum(dim=-1) if loss.dim() > 1 else loss
    return loss.where(positive, 0).sum()
