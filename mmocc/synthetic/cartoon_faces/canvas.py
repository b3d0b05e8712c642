"""A canvas that draws in the coordinates of a turned head, and colours."""

from dataclasses import dataclass

import cv2
import numpy as np

RGB = tuple[int, int, int]
_BITS = 4  # of a pixel, for OpenCV's fractional coordinates


@dataclass(frozen=True)
class Pose:
    """How a head is seen: angles in radians, lengths in pixels."""

    yaw: float  # turn to the picture's right
    pitch: float  # nod downwards
    roll: float  # turn in the picture's plane, clockwise
    scale: float  # half a head's width
    x: float  # column of the middle of the head
    y: float  # row of the middle

    def enlarged(self, factor: float) -> 'Pose':
        """Return the pose in a picture that is larger by a factor."""
        sizes = (factor * v for v in (self.scale, self.x, self.y))
        return Pose(self.yaw, self.pitch, self.roll, *sizes)


def draw_pose(size: int, rng: np.random.Generator) -> Pose:
    """Draw a pose for a picture of ``size`` x ``size`` pixels."""
    return Pose(
        yaw=float(np.clip(rng.normal(0, 0.22), -0.5, 0.5)),
        pitch=float(np.clip(rng.normal(0, 0.1), -0.25, 0.25)),
        roll=float(np.clip(rng.normal(0, 0.1), -0.3, 0.3)),
        scale=size * float(rng.uniform(0.29, 0.34)),
        x=size * float(0.5 + np.clip(rng.normal(0, 0.025), -0.06, 0.06)),
        y=size * float(0.53 + np.clip(rng.normal(0, 0.025), -0.06, 0.06)),
    )


class Canvas:
    """Draws smooth shapes, given in half widths of a head from its middle.

    Args:
        pixels: (H, W, C) uint8, drawn on in place.
        pose: How the head is seen.
        width: Half the head's width.
        height: Half its height.
    """

    def __init__(
        self, pixels: np.ndarray, pose: Pose, width: float, height: float
    ) -> None:
        self.pixels, self.pose = pixels, pose
        self.radii = np.array([width, height])

    def project(
        self, points: np.ndarray, depth: float = 1.0, lift: float = 0.0
    ) -> np.ndarray:
        """Return the pixels (n, 2) of points of the head.

        Args:
            points: (n, 2) x and y seen from the front.
            depth: 1 on the face, which is an ellipsoid; 0 in the plane
                through the ears; below 0 behind it.
            lift: How far points stand out of the face.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        room = np.maximum(0, 1 - ((points / self.radii) ** 2).sum(1))
        forward = depth * 0.8 * np.sqrt(room) + lift
        pose = self.pose
        x = points[:, 0] + np.sin(pose.yaw) * forward
        if depth == 1:
            x -= (1 - np.cos(pose.yaw)) * points[:, 0]
        y = points[:, 1] + np.sin(pose.pitch) * forward
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        turned = np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
        return turned * pose.scale + (pose.x, pose.y)

    def fill(
        self,
        points: np.ndarray,
        colour: tuple[int, ...],
        depth: float = 1.0,
        lift: float = 0.0,
    ) -> None:
        """Fill a polygon; arguments as in :meth:`project`."""
        where = self._fixed(self.project(points, depth, lift))
        cv2.fillPoly(self.pixels, [where], colour, cv2.LINE_AA, _BITS)

    def line(
        self,
        points: np.ndarray,
        colour: tuple[int, ...],
        width: float,
        depth: float = 1.0,
        lift: float = 0.0,
        closed: bool = False,
    ) -> None:
        """Draw a line of a width in half widths of the head."""
        self.line_px(self.project(points, depth, lift), colour, width, closed)

    def line_px(
        self,
        points: np.ndarray,
        colour: tuple[int, ...],
        width: float,
        closed: bool = False,
    ) -> None:
        """Draw a line through points in pixels, (n, 2)."""
        thick = max(1, round(width * self.pose.scale))
        style = closed, colour, thick, cv2.LINE_AA, _BITS
        cv2.polylines(self.pixels, [self._fixed(points)], *style)

    @staticmethod
    def _fixed(points: np.ndarray) -> np.ndarray:
        """Return OpenCV's fixed-point numbers; its pixel centres lie at 0."""
        return np.round((points - 0.5) * 2**_BITS).astype(np.int32)


def ellipse(
    x: float, y: float, rx: float, ry: float, count: int = 32
) -> np.ndarray:
    """Return (count, 2) points of an ellipse of half axes rx and ry."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def arc(
    start: tuple[float, float], end: tuple[float, float], bend: float
) -> np.ndarray:
    """Return (12, 2) points from start to end, bent upwards in the middle."""
    t = np.linspace(0, 1, 12)[:, None]
    points = (1 - t) * np.array(start) + t * np.array(end)
    points[:, 1] -= (bend * 4 * t * (1 - t))[:, 0]
    return points


def between(x: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return (2 n, 2) points of the outline between two curves over x."""
    sides = [np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]]
    return np.concatenate(sides)


def rounded_box(
    x: float, y: float, rx: float, ry: float, r: float
) -> np.ndarray:
    """Return the outline of a box of half sizes rx, ry and corners r."""
    parts = []
    for k, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        angle = np.linspace(k, k + 1, 6) * np.pi / 2
        middle = np.array([x + sx * (rx - r), y + sy * (ry - r)])
        circle = np.stack([np.cos(angle), np.sin(angle)], 1)
        parts.append(middle + r * circle)
    return np.concatenate(parts)


def tint(colour: RGB, factor: float, towards: RGB = (0, 0, 0)) -> RGB:
    """Return a colour moved by a share towards another."""
    pairs = zip(colour, towards, strict=True)
    return tuple(round(a + factor * (b - a)) for a, b in pairs)


def opaque(colour: RGB) -> tuple[int, ...]:
    """Return RGBA of a colour."""
    return (*colour, 255)


def any_colour(rng: np.random.Generator) -> RGB:
    """Draw a colour that is neither black nor white."""
    return tuple(rng.integers(25, 240, 3).tolist())
