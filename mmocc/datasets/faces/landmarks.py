"""Five points of a face, and how to bring them where they shall be."""

import numpy as np

# Of the 68 points of iBUG 300-W, from 0: eyes, tip of the nose, corners.
_EYES = (slice(36, 42), slice(42, 48))
_NOSE_TIP, _CORNERS = 30, (48, 54)


def five_points(points: np.ndarray) -> np.ndarray:
    """Return left eye, right eye, tip of the nose, and mouth's corners.

    Args:
        points: (68, 2) landmarks in the order of iBUG 300-W.

    Returns:
        (5, 2); left and right are the picture's.
    """
    eyes = [points[eye].mean(axis=0) for eye in _EYES]
    return np.stack([*eyes, points[_NOSE_TIP], *points[list(_CORNERS)]])


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the turn, scale and shift that brings points nearest to others.

    The least-squares solution of Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns" (PAMI 1991), in two
    dimensions and without mirroring.

    Args:
        source: (n, 2) x and y.
        target: (n, 2).

    Returns:
        float64 (2, 3): x' = A[:, :2] x + A[:, 2].

    Raises:
        ValueError: The source's points are all one, or not finite.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    if not np.isfinite(source).all():
        raise ValueError('landmarks are not finite')
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = source - centre, target - goal
    spread = (a**2).sum()
    if spread < 1e-9:
        raise ValueError('all landmarks are at one place')
    # Of the complex factor that turns and scales a into b.
    cos = (a * b).sum() / spread
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, goal - turn @ centre])


def move_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (n, 2) points moved by a (2, 3) matrix."""
    return np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]
