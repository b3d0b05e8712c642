"""The regions that DEA redraws, and their pictures."""

from collections.abc import Sequence

import torch
from mmdet.structures import SampleList
from mmdet.structures.bbox import scale_boxes
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou, roi_align

from mmocc.models.dea.exporting import is_exporting

# Regions and values to cut at a time on a CPU, for its cache and its memory.
AT_ONCE = 32
MOST_VALUES = 1 << 22


def keep_inside(boxes: Tensor, size: Tensor) -> Tensor:
    """Clip boxes (n, 4) to their images; each stays at least a pixel a side.

    ``size`` is (n, 2) or (2,), width and height of each box's image.
    """
    low = torch.minimum(boxes[:, :2].clamp_min(0), size - 1)
    high = torch.minimum(torch.maximum(boxes[:, 2:], low + 1), size)
    return torch.cat([low, high], dim=1)


def check_truth(
    rois: Tensor, size: Tensor, paths: Sequence[str | None]
) -> None:
    """Raise ValueError if a box of ``rois`` (n, 5) has no pixel of its image.

    ``size`` is (n, 2), width and height of each box's image, ``paths`` the
    file of each image of the batch, if it is known.
    """
    low, high = rois[:, 1:3].clamp_min(0), torch.minimum(rois[:, 3:], size)
    bad = ~((high > low).all(1) & rois.isfinite().all(1))
    if bad.any():
        index, *box = rois[bad][0].tolist()
        raise ValueError(
            f'box {box} of {paths[int(index)] or f"image {int(index)}"} is '
            'empty, inverted, not finite or outside the image: correct the '
            "annotation, or put dict(type='FilterAnnotations', "
            'min_gt_bbox_wh=(1, 1)) into the train pipeline'
        )


def jitter_boxes(boxes: Tensor, amount: float) -> Tensor:
    """Move each side of boxes (n, 4) by a random share of the box's own side.

    The share is uniform in [-amount, amount]; below 0.5.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + side * amount * (2 * torch.rand_like(boxes) - 1)


def draw_levels(
    boxes: Tensor, priors: Sequence[Tensor], pos_iou_thr: float
) -> Tensor:
    """Return the (n,) map of a random prior that is matched to each box.

    Args:
        boxes: (n, 4) xyxy in pixels.
        priors: For each map its priors (p_l, 4) xyxy in pixels.
        pos_iou_thr: IoU from which a prior is matched; the best one always is.
    """
    if not len(boxes):
        return torch.zeros(0, dtype=torch.int64, device=boxes.device)
    iou = box_iou(boxes, torch.cat(list(priors)))
    chance = (iou >= pos_iou_thr).float()
    chance.scatter_(1, iou.argmax(1, keepdim=True), 1.0)
    chosen = torch.multinomial(chance, 1)[:, 0]
    counts = [len(part) for part in priors]
    ends = torch.tensor(counts, device=boxes.device).cumsum(0)
    return torch.bucketize(chosen, ends, right=True)


def crop_regions(images: Tensor, rois: Tensor, size: int) -> Tensor:
    """Return regions of images, resized to (n, C, size, size), antialiased.

    The aspect is not kept, as in the paper. Each pixel is the mean of bilinear
    samples, spread evenly over its part of the region at most a pixel of the
    image apart (torchvision's RoIAlign with an adaptive sampling ratio).

    Args:
        images: (B, C, H, W).
        rois: (n, 5): batch index and xyxy in pixels, inside the images; a
            pixel's centre lies half a pixel from its corner.
        size: Height and width of the pictures.
    """
    images, rois = images.float(), rois.float()
    on_cpu = images.device.type == 'cpu'
    if is_exporting() or not on_cpu or not len(rois):
        return roi_align(images, rois, size, sampling_ratio=-1, aligned=True)
    # A mean of bilinear samples is a product of matrices; on a CPU that takes
    # half of RoIAlign's time, and uses all its threads.
    out = images.new_empty(len(rois), images.shape[1], size, size)
    # Regions of similar size together: each is padded to the largest.
    sides = (rois[:, 3:] - rois[:, 1:3]).amax(1)
    with torch.autocast('cpu', enabled=False):
        for part in sides.argsort().split(AT_ONCE):
            most = images.shape[1] * int(sides[part[-1]] + 2) ** 2
            for few in part.split(max(1, MOST_VALUES // most)):
                out[few] = _crop(images, rois[few], size)
    return out


def _crop(images: Tensor, rois: Tensor, size: int) -> Tensor:
    """Return regions as sums of their pixels, by rows and by columns."""
    batch, left, top, right, bottom = rois.unbind(1)
    height, width = images.shape[2:]
    rows, y, h = _shares(top, bottom, height, size)
    columns, x, w = _shares(left, right, width, size)
    shape = len(rois), images.shape[1], rows.shape[2], columns.shape[2]
    pixels = images.new_zeros(shape)
    for i, image in enumerate(batch.long().tolist()):
        own = images[image, :, y[i] : y[i] + h[i], x[i] : x[i] + w[i]]
        pixels[i, :, : h[i], : w[i]] = own
    thin = torch.bmm(pixels.flatten(1, 2), columns.mT)
    return rows[:, None] @ thin.unflatten(1, shape[1:3])


def _shares(
    low: Tensor, high: Tensor, extent: int, size: int
) -> tuple[Tensor, list[int], list[int]]:
    """Return shares (n, size, m), and each region's pixels along a side."""
    step = (high - low) / size
    number = step.ceil().clamp_min(1)[:, None]
    sample = torch.arange(int(number.max()))
    share = ((sample < number) / number)[:, None]
    # A region with fewer samples repeats its last one, with share 0.
    place = (torch.minimum(sample, number - 1) + 0.5) / number
    place = place[:, None] + torch.arange(size)[:, None]
    place = place * step[:, None, None] + low[:, None, None] - 0.5
    place = place.clamp(0, extent - 1)
    before = place.long()
    after = (before + 1).clamp_max(extent - 1)
    first = before[:, 0, 0]
    length = after[:, -1, -1] + 1 - first
    shares = low.new_zeros(len(low), size, int(length.max()))
    start = first[:, None, None]
    shares.scatter_add_(2, after - start, (place - before) * share)
    shares.scatter_add_(2, before - start, (before + 1 - place) * share)
    return shares, first.tolist(), length.tolist()


def to_pictures(
    inputs: Tensor,
    channels: int,
    is_rgb: bool,
    mean: Tensor | float = 0.0,
    std: Tensor | float = 1.0,
) -> Tensor:
    """Return normalised images as pictures (B, channels, H, W) in [0, 1].

    Args:
        inputs: (B, 1 or 3, H, W), normalised.
        channels: 1 for grey (ITU-R BT.601), 3 for RGB.
        is_rgb: Whether the inputs are RGB, not BGR.
        mean: (3, 1, 1), which was subtracted.
        std: (3, 1, 1), by which they were divided.
    """
    images = ((inputs.float() * std + mean) / 255).clamp(0, 1)
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    if not is_rgb:
        images = images.flip(1)
    if channels == 1:
        share = images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        return (images * share).sum(1, keepdim=True)
    return images


def size_per_box(samples: SampleList, boxes: Sequence[Tensor]) -> Tensor:
    """Return the (n, 2) width and height of each box's image."""
    sizes = [
        part.new_tensor(sample.img_shape[1::-1]).expand(len(part), 2)
        for sample, part in zip(samples, boxes, strict=True)
    ]
    return torch.cat(sizes)


def rescale_results(
    results: Sequence[InstanceData], samples: SampleList
) -> None:
    """Scale boxes to pixels of the original images, in place."""
    for result, sample in zip(results, samples, strict=True):
        factor = [1 / scale for scale in sample.scale_factor]
        result.bboxes = scale_boxes(result.bboxes, factor)
