"""The results of all stages of Latent-OFER for a face, side by side."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.visualization.utils import img_from_canvas

from mmocc.visualization.colours import Scale, overlay_heat
from mmocc.visualization.localization_pictures import (
    BAD,
    GOOD,
    as_array,
    class_name,
    overlay_map,
    shown_image,
    true_name,
)
from mmocc.visualization.sheet import Panel

HIDDEN = (255, 0, 255)  # magenta: no skin, hair or cup has it


def enlarge(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return values (gh, gw) at the size of an image, without smoothing."""
    size = image.shape[1::-1]
    return cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)


def distance_scale(distances: np.ndarray, radius: float | None) -> Scale:
    """Return the colours of distances (gh, gw).

    They go from 0 to twice the radius, whatever the face; without a radius,
    or one of 0, from the least to the greatest distance.
    """
    if radius:
        return Scale(0.0, 2.0 * radius, f'distance (radius {radius:.2g})')
    low, high = float(distances.min()), float(distances.max())
    return Scale(low, max(high, low + 1e-6), 'distance')


def overlay_patches(
    image: np.ndarray, values: np.ndarray, scale: Scale
) -> np.ndarray:
    """Return an image (H, W, 3) uint8 RGB under the colours of its patches.

    The values are (gh, gw).
    """
    heat = enlarge(values.astype(np.float32), image)
    return overlay_heat(image, heat, scale.low, scale.high)


def paint_patches(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB with the patches of (gh, gw) painted."""
    hidden = enlarge((mask > 0).astype(np.uint8), image)
    return np.where(hidden[..., None] > 0, np.uint8(HIDDEN), image)


def draw_scores(
    scores: np.ndarray,
    classes: Sequence[str] | None = None,
    truth: Sequence[int] = (),
    side: int = 240,
) -> np.ndarray:
    """Draw the probabilities of the classes as bars.

    Args:
        scores: (classes,), 0 to 1.
        classes: Their names.
        truth: The true classes, whose names are green.
        side: Height and width in pixels of the uint8 RGB picture.
    """
    figure = Figure((side / 100, side / 100), dpi=100, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = range(len(scores))
    axes.barh(places, scores, color='tab:blue')
    names = [class_name(place, classes) for place in places]
    axes.set_yticks(places, names, fontsize=8)
    for place in truth:
        axes.get_yticklabels()[place].set_color(GOOD)
    axes.set(xlim=(0, 1), xticks=())
    axes.invert_yaxis()
    axes.spines[['top', 'right', 'bottom']].set_visible(False)
    return img_from_canvas(canvas)


def patch_values(sample: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a sample's distances and mask, (gh, gw) float32 each."""
    grid = tuple(sample.patch_grid)
    distances = as_array(sample.pred_patch_dist).reshape(grid)
    return distances, as_array(sample.pred_patch_mask).reshape(grid)


def face_picture(sample: Any) -> np.ndarray:
    """Return a sample's reconstructed face, (H, W, 3) uint8 RGB."""
    recon = as_array(sample.recon).transpose(1, 2, 0)
    return (recon + 0.5).clip(0, 255).astype(np.uint8)


def stage_panels(image: np.ndarray, sample: Any) -> list[Panel]:
    """Return distances, mask and reconstruction, if the sample has them.

    The photo is (H, W, 3) uint8 RGB.
    """
    panels = []
    if 'pred_patch_dist' in sample:
        distances, mask = patch_values(sample)
        count = f'{int(mask.sum())} of {mask.size} patches'
        scale = distance_scale(distances, sample.get('patch_radius'))
        panels = [
            Panel(
                overlay_patches(image, distances, scale),
                'distance',
                f'{distances.min():.2f} to {distances.max():.2f}',
                scale=scale,
            ),
            Panel(paint_patches(image, mask), 'occluded', count),
        ]
    if 'recon' in sample:
        panels.append(Panel(face_picture(sample), 'reconstructed'))
    return panels


def ofer_row(
    inputs: torch.Tensor,
    title: str,
    sample: Any,
    classes: Sequence[str] | None = None,
) -> list[Panel]:
    """Return the panels of one face.

    They are the photo, the distances of its patches, the occluded ones, the
    reconstructed face, the attention, and the probabilities, as far as the
    model gives them; without the latter, ValueError.

    Args:
        inputs: The packed photo, (3, H, W) BGR, 0 to 255, with its occluders.
        title: Of the photo.
        sample: Its predicted data sample.
        classes: Names of the expressions.
    """
    if 'pred_score' not in sample:
        raise ValueError(
            f'{sample.get("img_path", "a sample")} has no pred_score: '
            'pictures need predictions of mmocc.LatentOFER'
        )
    image = shown_image(inputs)
    truth = true_name(sample, classes)
    row = [Panel(image, title, f'truth: {truth}' if truth else '')]
    row += stage_panels(image, sample)
    if 'attention' in sample:
        face = row[-1].image if 'recon' in sample else image
        read = ''
        if 'chosen_patches' in sample:
            read = f'{int(sample.chosen_patches.sum())} latents read'
        attention = overlay_map(face, as_array(sample.attention), 'minmax')
        row.append(Panel(attention, 'attention', read))
    return [*row, score_panel(sample, classes)]


def score_panel(sample: Any, classes: Sequence[str] | None) -> Panel:
    """Return the probabilities, with the predicted expression below."""
    scores = as_array(sample.pred_score)
    label = int(sample.pred_label[0])
    labels = sample.gt_label.tolist() if 'gt_label' in sample else []
    answer = f'{class_name(label, classes)} {100 * scores[label]:.0f} %'
    colour = 'black'
    if labels:
        colour = GOOD if label in labels else BAD
    bars = draw_scores(scores, classes, labels)
    return Panel(bars, 'expression', answer, colour=colour)
