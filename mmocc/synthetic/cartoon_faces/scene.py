"""Backgrounds, light and camera of the cartoon faces."""

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import Pose

BACKGROUNDS = ('plain', 'gradient', 'stripes', 'blobs', 'shelves', 'clouds')


def draw_background(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a background.

    Args:
        size: Side of the picture in pixels.
        rng: Source of its kind and colours.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    kind = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    first, second = rng.uniform(30, 230, (2, 3))
    if kind == 'clouds':
        share = rng.uniform(0, 1, (6, 6)).astype(np.float32)
        share = cv2.resize(share, (size, size), interpolation=cv2.INTER_CUBIC)
    else:
        row, column = np.mgrid[:size, :size].astype(np.float32) / size
        angle = rng.uniform(0, np.pi)
        along = np.cos(angle) * column + np.sin(angle) * row
        count = rng.integers(3, 9)
        share = dict(
            plain=np.zeros_like(row),
            gradient=along,
            stripes=(np.sin(2 * np.pi * count * along) > 0) * 0.6,
            blobs=np.zeros_like(row),
            shelves=(row * count % 1 > 0.85) * 0.8,
        )[kind]
    share = np.clip(share, 0, 1)[..., None]
    image = ((1 - share) * first + share * second).astype(np.uint8)
    if kind == 'blobs':
        for x, y, radius in rng.uniform(0, 1, (12, 3)) * (
            size,
            size,
            size / 6,
        ):
            colour = rng.integers(20, 236, 3).tolist()
            centre = (int(x), int(y))
            cv2.circle(image, centre, int(radius), colour, -1, cv2.LINE_AA)
    return image


def photograph(
    image: np.ndarray,
    face: np.ndarray,
    pose: Pose,
    rng: np.random.Generator,
) -> np.ndarray:
    """Light a drawing and take a picture of it.

    Args:
        image: (H, W, 3) uint8 RGB.
        face: (H, W) float32, 1 on the head.
        pose: Of the head, which is lit as an ellipsoid.
        rng: Source of light, blur and noise.

    Returns:
        A new picture, (H, W, 3) uint8.
    """
    height, width = face.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - pose.x) / pose.scale, (y - pose.y) / (1.25 * pose.scale)
    depth = np.sqrt(np.clip(1 - u**2 - v**2, 0.05, 1))
    light = rng.normal(0, 1, 3) * (1, 0.6, 0) + (0, -0.4, 1.6)
    light /= np.linalg.norm(light)
    lit = light[0] * u + light[1] * v + light[2] * depth
    shade = 1 + rng.uniform(0.15, 0.45) * (lit - 0.7) * face
    slope = rng.normal(0, 0.12, 2)
    shade *= 1 + slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5)
    colour = rng.uniform(0.8, 1.15) * rng.normal(1, 0.04, 3)
    picture = image * shade[..., None] * colour
    picture = cv2.GaussianBlur(
        picture, (0, 0), float(rng.uniform(0.2, 0.7)) * width / 64
    )
    picture += rng.normal(0, rng.uniform(1, 6), picture.shape)
    return np.clip(picture, 0, 255).round().astype(np.uint8)
