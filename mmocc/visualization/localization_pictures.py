"""Where a model sees the object: image, map, and box against ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmengine.visualization.utils import convert_overlay_heatmap

from mmocc.evaluation.localization import (
    box_iou_inclusive,
    map_to_boxes,
    normalize_map,
    resize_map,
)
from mmocc.visualization.sheet import Panel

GOOD, BAD = 'green', 'crimson'
HIT = 0.5  # the IoU from which a box counts as right (ILSVRC)


@dataclass
class Answer:
    """What a model says of an image.

    Attributes:
        name: Name of the model.
        cam: Its class map, (h, w) of any size and range.
        text: Its class, in words, and how sure it is.
        right: Whether that is the true class; None if that is not known.
    """

    name: str
    cam: np.ndarray
    text: str = ''
    right: bool | None = None


@dataclass
class BoxRule:
    """How a map becomes boxes; see :func:`map_to_boxes`.

    Attributes:
        threshold: Share of the map's maximum.
        keep: ``largest``, ``largest_contour`` or ``all``.
        normalize: ``max`` or ``minmax``.
    """

    threshold: float = 0.2
    keep: str = 'largest'
    normalize: str = 'max'

    def __str__(self) -> str:
        whole = 'maximum' if self.normalize == 'max' else 'range (min-max)'
        kept = dict(
            largest='largest component',
            largest_contour='largest contour',
            all='all contours',
        )[self.keep]
        return f'{kept} above {100 * self.threshold:g} % of the {whole}'


PAPERS = BoxRule()


def overlay_map(
    image: np.ndarray, cam: np.ndarray, normalize: str = 'max'
) -> np.ndarray:
    """Lay a map's colours over an image, blue for low and red for high.

    Args:
        image: (H, W, 3) uint8 RGB.
        cam: (h, w), any range; negative values look like zero with ``max``.
        normalize: ``max`` or ``minmax``.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    heat = normalize_map(resize_map(cam, image.shape[:2]), normalize)
    return convert_overlay_heatmap(heat.clip(0, 1), image, alpha=0.5)


def find_boxes(
    cam: np.ndarray, size: tuple[int, int], rule: BoxRule = PAPERS
) -> np.ndarray:
    """Return the boxes (k, 4) that a map stands for, in pixels of the image.

    None, and not the empty box of the metrics, where nothing is foreground.

    Args:
        cam: (h, w), any range.
        size: (H, W) of the image.
        rule: How a map becomes boxes.
    """
    boxes = map_to_boxes(
        resize_map(cam, size), rule.threshold, rule.keep, rule.normalize
    )
    return boxes[boxes.any(axis=1)]


def best_iou(boxes: np.ndarray, truth: np.ndarray) -> float:
    """Return the highest IoU of any found box with any true one; 0 if none."""
    if not len(boxes) or not len(truth):
        return 0.0
    return float(box_iou_inclusive(boxes, truth).max())


def localization_row(
    image: np.ndarray,
    title: str,
    truth: np.ndarray,
    answers: Sequence[Answer],
    rule: BoxRule = PAPERS,
) -> list[Panel]:
    """Return the panels of one image: itself, and map and box of each model.

    Args:
        image: (H, W, 3) uint8 RGB.
        title: What the image is.
        truth: True boxes (n, 4) xyxy in its pixels; n may be 0.
        answers: The models' answers.
        rule: How a map becomes boxes.
    """
    panels = [Panel(image, title, boxes={'ground truth': truth})]
    for answer in answers:
        found = find_boxes(answer.cam, image.shape[:2], rule)
        iou = best_iou(found, truth)
        colour = 'black'
        if answer.right is not None:
            colour = GOOD if answer.right else BAD
        overlaid = overlay_map(image, answer.cam, rule.normalize)
        said = f'predicted: {answer.text}' if answer.text else ''
        panels.append(Panel(overlaid, answer.name, said, {}, colour))
        caption = f'IoU {iou:.2f}' if len(truth) else 'no true box'
        panels.append(
            Panel(
                image,
                f'{answer.name}: box',
                caption if len(found) else 'no box: map has no peak',
                {'ground truth': truth, 'predicted box': found},
                'black' if not len(truth) else GOOD if iou >= HIT else BAD,
            )
        )
    return panels


def class_name(label: int, classes: Sequence[str] | None) -> str:
    """Return the name of a class, or its number if it has none.

    ImageNet's names are lists of synonyms; the first one is enough.
    """
    if classes is None or label >= len(classes):
        return f'class {label}'
    return str(classes[label]).split(',')[0]


def read_answer(
    sample: Any,
    name: str,
    field: str,
    classes: Sequence[str] | None = None,
) -> Answer:
    """Return a model's answer as it stands in a predicted data sample.

    Args:
        sample: With ``pred_label`` and ``pred_score``, and ``gt_label`` if
            the truth is known.
        name: Name of the model.
        field: Field of the map: ``pred_cam`` or ``gt_cam``.
        classes: Class names.

    Raises:
        ValueError: If the sample has no such map; says how to get one.
    """
    if field not in sample:
        path = sample.get('img_path', 'a sample')
        raise ValueError(
            f'{name} gives no {field!r} for {path}: use mmocc.CAMHead as its '
            f'head with {field.split("_")[0]!r} among its maps, or a method '
            'of grad-cam (--method gradcam of tools/visualization/'
            'vis_localization.py)'
        )
    label = int(sample.pred_label[0])
    sure = 100 * float(sample.pred_score[label])
    right = None
    if 'gt_label' in sample:
        right = label in sample.gt_label.tolist()
    text = f'{class_name(label, classes)} {sure:.0f} %'
    return Answer(name, as_array(sample.get(field)), text, right)


def true_name(sample: Any, classes: Sequence[str] | None = None) -> str:
    """Return the true classes of a sample in words; '' if not known."""
    if 'gt_label' not in sample:
        return ''
    labels = sample.gt_label.tolist()
    return ', '.join(class_name(label, classes) for label in labels)


def true_boxes(sample: Any) -> np.ndarray:
    """Return the true boxes (n, 4) of a sample, n = 0 if it has none.

    xyxy in pixels of the original image.
    """
    boxes = sample.get('gt_bboxes')
    if boxes is None:
        return np.zeros((0, 4), np.float32)
    boxes = getattr(boxes, 'tensor', boxes)  # mmdet's box class
    return as_array(boxes).reshape(-1, 4)


def as_array(value: Any) -> np.ndarray:
    """Return a tensor, on any device and of any float type, as an array."""
    if torch.is_tensor(value):
        return value.detach().float().cpu().numpy()
    return np.asarray(value, np.float32)


def original_image(sample: Any, inputs: torch.Tensor) -> np.ndarray:
    """Return a sample's image in its own size: boxes are in its pixels.

    Args:
        sample: Its file is read if it has one, and if that has the size that
            the sample states.
        inputs: The packed image, for samples without such a file.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    path, size = sample.get('img_path'), sample.get('ori_shape')
    if path and Path(path).is_file():
        image = mmcv.imread(path, channel_order='rgb')
        if size is None or image.shape[:2] == tuple(size):
            return image
    return shown_image(inputs, size)


def shown_image(
    inputs: torch.Tensor, ori_shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Return a packed image as one to look at.

    Args:
        inputs: (3, H, W) or (1, H, W), values 0 to 255, BGR, as mm packs it.
        ori_shape: (h, w) of the original, to bring it back to; boxes are in
            its pixels.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    image = inputs.detach().float().cpu().clamp(0, 255).byte()
    image = image.permute(1, 2, 0).numpy()
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    image = np.ascontiguousarray(image[..., ::-1])
    if ori_shape is None or tuple(ori_shape) == image.shape[:2]:
        return image
    size = tuple(ori_shape)[::-1]
    smaller = size[0] < image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=way)
