"""Where a model sees the object: image, map, and box beside the true box."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import torch

from mmocc.evaluation.localization import (
    box_iou_inclusive,
    enlarge_map,
    map_to_boxes,
)
from mmocc.utils.cell_grid import CellGrid
from mmocc.visualization.colours import overlay_heat
from mmocc.visualization.sheet import Panel, as_rgb

GOOD, BAD = 'green', 'crimson'
HIT = 0.5  # IoU from which ILSVRC counts a box as right


@dataclass
class Answer:
    """What a model predicts for an image.

    Attributes:
        name: Name of the model.
        cam: Its class map, (h, w) of any size and range.
        text: The predicted class and its score.
        right: Whether the class is right; None if the truth is not known.
        cells: Where the map's cells lie; None: evenly.
    """

    name: str
    cam: np.ndarray
    text: str = ''
    right: bool | None = None
    cells: CellGrid | None = None


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
        regions = dict(
            largest='largest component',
            largest_contour='largest contour',
            all='all contours',
        )[self.keep]
        return f'{regions} above {100 * self.threshold:g} % of the {whole}'


PAPERS = BoxRule()


def overlay_map(
    image: np.ndarray,
    cam: np.ndarray,
    normalize: str = 'max',
    cells: CellGrid | None = None,
) -> np.ndarray:
    """Blend an image (H, W, 3) uint8 RGB with a map's colours, blue to red.

    The map is (h, w) of any range. Dark red is its maximum. Dark blue is 0 and
    all below where ``normalize`` is ``max``, the minimum where it is
    ``minmax``. ``cells`` say where its cells lie, by default evenly.
    """
    heat = enlarge_map(cam, image.shape[:2], normalize, cells)
    return overlay_heat(image, heat)


def find_boxes(
    cam: np.ndarray,
    size: tuple[int, int],
    rule: BoxRule = PAPERS,
    cells: CellGrid | None = None,
) -> np.ndarray:
    """Return a map's boxes (k, 4), xyxy in pixels of the image.

    The map is (h, w) of any range, ``size`` the image's (H, W); ``cells`` as
    in :func:`overlay_map`. k is 0 where nothing is foreground; the metrics
    have an empty box there.
    """
    boxes = map_to_boxes(
        cam, rule.threshold, rule.keep, rule.normalize, size, cells
    )
    return boxes[boxes.any(axis=1)]


def best_iou(boxes: np.ndarray, truth: np.ndarray) -> float:
    """Return the highest IoU of any box with any true one; 0 if none."""
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
    """Return an image's panels: itself, and map and box of each model.

    ``image`` is (H, W, 3) uint8 RGB; ``truth`` are boxes (n, 4) xyxy in its
    pixels; n may be 0.
    """
    panels = [Panel(image, title, boxes={'ground truth': truth})]
    for answer in answers:
        cells = answer.cells
        overlaid = overlay_map(image, answer.cam, rule.normalize, cells)
        text = f'predicted: {answer.text}' if answer.text else ''
        colour = _colour(answer.right)
        panels.append(Panel(overlaid, answer.name, text, {}, colour))
        boxes = find_boxes(answer.cam, image.shape[:2], rule, cells)
        iou = best_iou(boxes, truth)
        caption = f'IoU {iou:.2f}' if len(truth) else 'no true box'
        panels.append(
            Panel(
                image,
                f'{answer.name}: box',
                caption if len(boxes) else 'no box: map has no peak',
                {'ground truth': truth, 'predicted box': boxes},
                _colour(iou >= HIT if len(truth) else None),
            )
        )
    return panels


def _colour(right: bool | None) -> str:
    """Return the colour of a caption; None: the truth is not known."""
    return 'black' if right is None else GOOD if right else BAD


def class_name(label: int, classes: Sequence[str] | None) -> str:
    """Return the name of a class (the first synonym), or its number.

    A name that two classes have gets the number, too.
    """
    if classes is None or label >= len(classes):
        return f'class {label}'
    name = str(classes[label])
    number = f' ({label})' if list(classes).count(name) > 1 else ''
    return name.split(',')[0] + number


def read_answer(
    sample: Any,
    name: str,
    field: str,
    classes: Sequence[str] | None = None,
) -> Answer:
    """Return a model's answer from a predicted data sample.

    The map is its ``field``, ``pred_cam`` or ``gt_cam``, and is drawn where
    its ``map_cells`` say; ValueError without a map.
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
    percent = 100 * float(sample.pred_score[label])
    right = None
    if 'gt_label' in sample:
        right = label in sample.gt_label.tolist()
    text = f'{class_name(label, classes)} {percent:.0f} %'
    cam, cells = as_array(sample.get(field)), sample.get('map_cells')
    cells = cells if cells is None else CellGrid(*cells)
    return Answer(name, cam, text, right, cells)


def true_name(sample: Any, classes: Sequence[str] | None = None) -> str:
    """Return the names of a sample's true classes; '' if not known."""
    if 'gt_label' not in sample:
        return ''
    labels = sample.gt_label.tolist()
    return ', '.join(class_name(label, classes) for label in labels)


def true_boxes(sample: Any) -> np.ndarray:
    """Return a sample's ``gt_bboxes`` as float32 (n, 4), n = 0 without any."""
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
    """Return a sample's image in its own size, (h, w, 3) uint8 RGB.

    It is the sample's file if that has the stated size, else ``inputs``.
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
    """Return a packed image as (h, w, 3) uint8 RGB.

    ``inputs`` are (3 or 1, H, W), 0 to 255, BGR; ``ori_shape`` (h, w) resizes.
    """
    image = inputs.detach().float().cpu().clamp(0, 255).byte()
    image = as_rgb(image.permute(1, 2, 0).numpy())
    if ori_shape is None or tuple(ori_shape) == image.shape[:2]:
        return image
    size = tuple(ori_shape)[::-1]
    shrinks = size[0] < image.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=way)
