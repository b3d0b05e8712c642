"""Draws scenes of real handwritten digits on photographic canvases, in RGB.

The digits are scikit-learn's 1,797 scans of 8x8 pixels (E. Alpaydin and
C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, CC BY 4.0); the
canvases are cut from the photos that scikit-learn carries. A digit's
*silhouette* is where its opacity is at least one half; later digits hide
earlier ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmocc.synthetic.digits.photo_cutouts import add_clutter

DIGIT_CLASSES = (
    'zero', 'one', 'two', 'three', 'four',
    'five', 'six', 'seven', 'eight', 'nine',
)  # fmt: skip

_LEAST_SOURCES = 100  # so that each split has all classes
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_MIN_CONTRAST = 85  # grey levels between a digit and the canvas under it
_TRIES = 60  # random positions per digit
_COLOURS = 48  # random colours per digit
_MARGIN = 3  # pixels between a free digit and the next one
_MIN_VISIBLE = 0.3  # share of a digit that a planned overlap leaves


@dataclass(frozen=True)
class DigitsSettings:
    """What decides the data set.

    Attributes:
        seed: Seed of everything random.
        size: Side of a scene in pixels.
        digits: Digits per scene.
        digit_size: Least and greatest height of a digit's scan in pixels.
        repeat: How often the train split uses each source digit.
        overlap: Chance that a digit is put on top of an earlier one.
        truncate: Chance that a digit crosses the border.
        limit: Greatest number of source digits, for quick trials; None: all.
        occluders: Textures, and cut-outs, for each of training and test.
        clutter: Pieces of photograph on the canvas, under the digits.
    """

    seed: int = 0
    size: int = 256
    digits: int = 4
    digit_size: tuple[int, int] = (56, 96)
    repeat: int = 2
    overlap: float = 0.17
    truncate: float = 0.08
    limit: int | None = None
    occluders: int = 24
    clutter: int = 0

    def __post_init__(self) -> None:
        low, high = self.digit_size
        if not 16 <= low <= high <= self.size * 3 // 4:
            raise ValueError(
                f'digit_size is {low} to {high} pixels on a canvas of '
                f'{self.size}: it must be ascending, at least 16 and at most '
                'three quarters of the canvas'
            )
        least = min(self.occluders, self.clutter)
        if min(self.digits, self.repeat) < 1 or least < 0:
            raise ValueError(
                'digits and repeat must be 1 or more, clutter and '
                f'occluders 0 or more; got {self.digits}, {self.repeat}, '
                f'{self.clutter} and {self.occluders}'
            )
        if self.limit is not None and self.limit < _LEAST_SOURCES:
            raise ValueError(
                f'limit is {self.limit}; each split needs digits of each '
                f'class, so give {_LEAST_SOURCES} or more'
            )


# One digit in each image, smaller than it and among clutter: for localization
# (docs/localization.md).
SINGLE = DigitsSettings(
    size=128, digits=1, digit_size=(32, 72), repeat=4, clutter=3
)


@dataclass
class PlacedDigit:
    """A digit in a scene; masks are boolean (H, W), as large as the canvas."""

    label: int  # the digit, 0 to 9
    source: int  # index of the scan in scikit-learn's digits
    silhouette: np.ndarray  # the part on the canvas, hidden or not
    visible: np.ndarray  # the part that no later digit hides
    area: int  # pixels of the whole silhouette, also beyond the canvas

    @property
    def occluded(self) -> bool:
        """Whether a later digit hides a part."""
        return bool((self.silhouette & ~self.visible).any())

    @property
    def truncated(self) -> bool:
        """Whether a part lies beyond the canvas."""
        return int(self.silhouette.sum()) < self.area

    @property
    def visible_share(self) -> float:
        """Visible pixels over those of the whole silhouette."""
        return float(self.visible.sum()) / self.area

    @property
    def difficult(self) -> bool:
        """Whether less than half of it is visible."""
        return self.visible_share < 0.5

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Tight xyxy of the visible pixels, 0-based and half-open."""
        rows = np.flatnonzero(self.visible.any(axis=1))
        columns = np.flatnonzero(self.visible.any(axis=0))
        ends = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return tuple(int(end) for end in ends)


def draw_opacity(scan: np.ndarray, side: int, angle: float) -> np.ndarray:
    """Return a scan as soft-edged strokes: float32 in [0, 1], cut tight.

    Args:
        scan: 8x8 array of ink, 0 to 16.
        side: Pixels that the eight rows of the scan become.
        angle: Turn in degrees.
    """
    cell = side / scan.shape[0]
    ink = np.pad(scan.astype(np.float32) / 16, 2)
    full = round(cell * ink.shape[0])
    ink = cv2.resize(ink, (full, full), interpolation=cv2.INTER_CUBIC)
    centre = (full / 2, full / 2)
    turn = cv2.getRotationMatrix2D(centre, angle, 1)
    ink = cv2.warpAffine(ink, turn, (full, full), flags=cv2.INTER_LINEAR)
    ramp = np.clip((ink - 0.38) / 0.2, 0, 1)
    opacity = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    rows = np.flatnonzero((opacity > 0).any(axis=1))
    columns = np.flatnonzero((opacity > 0).any(axis=0))
    return opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def make_canvas(
    photos: Sequence[np.ndarray], size: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a calm, tinted cut of one of the photos: float32 (size, size, 3).

    It is blurred and dark, and its grey levels lie within 32 of its mean, so
    that a small network learns the lighter digits in minutes.
    """
    photo = photos[rng.integers(len(photos))]
    side = int(rng.integers(160, min(photo.shape[:2]) + 1))
    top = int(rng.integers(photo.shape[0] - side + 1))
    left = int(rng.integers(photo.shape[1] - side + 1))
    cut = photo[top : top + side, left : left + side].astype(np.float32)
    cut = cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)
    blur = float(rng.uniform(1.0, 2.5)) * size / 256
    cut = cv2.GaussianBlur(cut, (0, 0), blur)
    luma = cut @ _LUMA
    grey = (luma - luma.mean()) * np.float32(rng.uniform(0.4, 0.7))
    grey = np.clip(grey, -32, 32)
    colour = (cut - luma[..., None]) * np.float32(rng.uniform(0.3, 0.7))
    base = rng.uniform(40, 80) + rng.uniform(-22, 22, 3)
    base = base.astype(np.float32)
    return np.clip(base + colour + grey[..., None], 0, 255)


def pick_colour(
    canvas: np.ndarray,
    under: np.ndarray,
    hidden: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return an RGB colour that stands out from what lies under a digit.

    It is at least ``_MIN_CONTRAST`` grey levels lighter than nearly all of
    the canvas (or white); over other digits, it differs most from them.

    Args:
        canvas: Pixels of the empty canvas under the digit, (N, 3).
        under: The same pixels as drawn so far, (N, 3).
        hidden: Boolean (N,), the pixels where ``under`` is another digit.
        rng: Source of the random colours.
    """
    colours = rng.uniform(0, 255, (_COLOURS, 3)).astype(np.float32)
    colours = np.concatenate([colours, [[255, 255, 255]]])
    high = np.percentile(canvas @ _LUMA, 98)
    luma = colours @ _LUMA
    contrast = luma - high
    good = colours[contrast >= min(_MIN_CONTRAST, contrast.max())]
    if not hidden.any():
        return good[0]
    others = under[hidden][::16]
    far = np.linalg.norm(good[:, None] - others[None], axis=2).min(axis=1)
    return good[far.argmax()]


def draw_scene(
    scans: np.ndarray,
    labels: Sequence[int],
    sources: Sequence[int],
    photos: Sequence[np.ndarray],
    settings: DigitsSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[PlacedDigit]]:
    """Draw the digits one after the other on a fresh canvas.

    Args:
        scans: (k, 8, 8) digits.
        labels: Their k classes.
        sources: Their k indices in scikit-learn's digits.
        photos: RGB photos to cut the canvas from.
        settings: Sizes and chances.
        rng: Source of everything random.

    Returns:
        The scene, uint8 RGB (size, size, 3), and the digits in drawing order,
        also those without a visible pixel.
    """
    empty = make_canvas(photos, settings.size, rng)
    empty = add_clutter(empty, photos, settings.clutter, rng)
    scene, placed = empty.copy(), []
    for scan, label, source in zip(scans, labels, sources, strict=True):
        low, high = settings.digit_size
        side = int(rng.integers(low, high + 1))
        opacity = draw_opacity(scan, side, float(rng.uniform(-10, 10)))
        plan = _pick_plan(bool(placed), settings, rng)
        full = _find_place(opacity, placed, plan, settings.size, rng)
        silhouette, area = full >= 0.5, int((opacity >= 0.5).sum())
        digit = PlacedDigit(
            int(label), int(source), silhouette, silhouette, area
        )
        where = full > 0
        hidden = np.zeros_like(where)
        for other in placed:
            hidden |= other.visible
            other.visible = other.visible & ~digit.silhouette
        under = scene[where]
        colour = pick_colour(empty[where], under, hidden[where], rng)
        scene[where] += full[where][:, None] * (colour - under)
        placed.append(digit)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8), placed


def _pick_plan(
    has_others: bool, settings: DigitsSettings, rng: np.random.Generator
) -> str:
    """Draw the place of a digit: free, onto another, over the border."""
    draw = rng.uniform()
    if draw < settings.truncate:
        return 'truncate'
    if has_others and draw < settings.truncate + settings.overlap:
        return 'overlap'
    return 'free'


def _find_place(
    opacity: np.ndarray,
    placed: list[PlacedDigit],
    plan: str,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the opacity at a random place of the plan, or the best one."""
    used = np.zeros((size, size), np.uint8)
    for other in placed:
        used |= other.silhouette
    near = cv2.dilate(used, np.ones((2 * _MARGIN + 1,) * 2, np.uint8))
    areas = [int(other.visible.sum()) for other in placed]
    best, least = None, np.inf
    height, width = opacity.shape
    beyond = 2 if plan == 'truncate' else np.inf
    out_y, out_x = int(height // beyond), int(width // beyond)
    for _ in range(_TRIES):
        top = int(rng.integers(-out_y, size - height + out_y + 1))
        left = int(rng.integers(-out_x, size - width + out_x + 1))
        on_canvas, part = _overlap(opacity, top, left, size)
        ink = part > 0
        if plan == 'overlap':
            fits = _hides_one(ink, on_canvas, placed, areas)
        else:
            inside = (part >= 0.5).sum() / (opacity >= 0.5).sum()
            fits = 0.45 < inside < 0.95 if plan == 'truncate' else inside == 1
            fits = fits and not near[on_canvas][ink].any()
        hides = -1 if fits else int(used[on_canvas][ink].sum())
        if hides < least:
            best, least = (on_canvas, part), hides
        if fits:
            break
    full = np.zeros((size, size), np.float32)
    full[best[0]] = best[1]
    return full


def _overlap(
    opacity: np.ndarray, top: int, left: int, size: int
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the place of a digit on the canvas, and its part there."""
    y, x = max(top, 0), max(left, 0)
    part = opacity[y - top : size - top, x - left : size - left]
    return np.s_[y : y + part.shape[0], x : x + part.shape[1]], part


def _hides_one(
    ink: np.ndarray,
    on_canvas: tuple[slice, slice],
    placed: list[PlacedDigit],
    areas: list[int],
) -> bool:
    """Return whether the ink hides a part of one digit, and not too much."""
    hidden = [int(o.visible[on_canvas][ink].sum()) for o in placed]
    if sum(number > 0 for number in hidden) != 1:
        return False
    one = int(np.argmax(hidden))
    left = (areas[one] - hidden[one]) / placed[one].area
    return hidden[one] / placed[one].area > 0.08 and left > _MIN_VISIBLE
