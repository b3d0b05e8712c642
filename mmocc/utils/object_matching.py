"""Which detection stands for which object."""

import torch
from torch import Tensor
from torchvision.ops import box_iou


def match_objects(
    pred_boxes: Tensor,
    confidence: Tensor,
    true_boxes: Tensor,
    iou_thr: float = 0.5,
) -> Tensor:
    """Return the detection of each true object, whatever their classes.

    A detection can only match the object that it overlaps most; of those with
    IoU ``iou_thr`` or more, the most confident wins.

    Args:
        pred_boxes: (n, 4) xyxy.
        confidence: (n,) scores of the detector.
        true_boxes: (m, 4) xyxy, in the same pixels.
        iou_thr: IoU from which a detection is of the object.

    Returns:
        (m,) int64: index of the detection; -1 if the object was missed.
    """
    match = torch.full((len(true_boxes),), -1, dtype=torch.int64)
    if not len(pred_boxes) or not len(true_boxes):
        return match
    boxes = pred_boxes.float().cpu(), true_boxes.float().cpu()
    overlap, owner = box_iou(*boxes).max(dim=1)
    order = confidence.cpu().argsort(stable=True)  # the best is written last
    for index in order[overlap[order] >= iou_thr].tolist():
        match[owner[index]] = index
    return match
