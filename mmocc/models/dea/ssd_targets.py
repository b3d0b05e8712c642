"""What SSD's priors shall answer, for all images of a batch at once.

Pure functions: the rules are those of mmdet's ``MaxIoUAssigner``, ``SSDHead``
and ``DeltaXYWHBBoxCoder``, value for value. Nothing is read back from the
device, and no constant is copied to it, so the host never waits; but on a
CPU, where counting costs nothing, only the rows that matter are worked on.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from mmdet.models.task_modules import MaxIoUAssigner
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

EPS = 1e-6  # pixels^2; the least union that MaxIoUAssigner divides by


def prior_levels(num_level_priors: Sequence[int]) -> list[range]:
    """Return the indices of each level's priors, in the list of all levels.

    Args:
        num_level_priors: Number of priors of each feature map.

    Returns:
        One range for each level; no index is in two of them.
    """
    ends = accumulate(num_level_priors)
    return [
        range(end - num, end)
        for num, end in zip(num_level_priors, ends, strict=True)
    ]


def pad_boxes(boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the boxes of all images as one tensor.

    Args:
        boxes: (n, 4) of each of B images.

    Returns:
        The boxes (B, G, 4), filled up with zeros, and where they are real
        (B, G) bool; G is the largest n.
    """
    real = [box.new_ones(len(box), dtype=torch.bool) for box in boxes]
    return (
        pad_sequence(list(boxes), batch_first=True),
        pad_sequence(real, batch_first=True),
    )


def find_bad_boxes(
    boxes: Tensor, real: Tensor, metas: Sequence[dict]
) -> Tensor:
    """Return which boxes are empty, not finite, or wholly outside.

    Args:
        boxes: (B, G, 4) xyxy in pixels, filled up.
        real: (B, G) bool, which are not filled up.
        metas: ``img_shape`` of each image; the largest is the input's.

    Returns:
        (B, G) bool.

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
    """Return the IoU of each box with each prior.

    Args:
        boxes: (n, 4) xyxy in pixels.
        priors: (N, 4) xyxy in pixels.
        over_prior: Divide by the prior's area, not by the union.

    Returns:
        (n, N) in [0, 1].
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
    """Return which priors lie in a box that is to be ignored.

    Args:
        ignored: (B, I, 4) xyxy, filled up with zeros.
        priors: (N, 4) xyxy.
        assigner: Its ``ignore_iof_thr`` and ``ignore_wrt_candidates`` count.

    Returns:
        (B, N) bool.
    """
    found = ignored.new_zeros(len(ignored), len(priors), dtype=torch.bool)
    if assigner.ignore_iof_thr <= 0:
        return found
    for boxes in ignored.unbind(dim=1):
        if assigner.ignore_wrt_candidates:
            share = overlaps(boxes, priors, over_prior=True)
        else:
            share = overlaps(priors, boxes, over_prior=True).T
        found |= share > assigner.ignore_iof_thr
    return found


@torch.no_grad()
def assign(
    boxes: Tensor,
    real: Tensor,
    counts: Sequence[int],
    priors: Tensor,
    blocked: Tensor,
    assigner: MaxIoUAssigner,
) -> Tensor:
    """Give each prior an object, the background, or nothing to answer.

    One object of every image at a time: images are sorted by their number of
    objects, so that those which have a k-th one come first, and memory does
    not grow with the number of objects.

    Args:
        boxes: (B, G, 4) xyxy in pixels, filled up.
        real: (B, G) bool, which of them to use.
        counts: Number of objects of each image, filled-up ones left out.
        priors: (N, 4) xyxy.
        blocked: (B, N) bool, priors that get nothing.
        assigner: The thresholds.

    Returns:
        (B, N) int64: -1 nothing, 0 background, k > 0 the k-th object.
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
