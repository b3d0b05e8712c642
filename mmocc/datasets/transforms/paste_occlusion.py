"""Pastes objects and face masks on faces."""

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmocc.datasets.identity import identity_number, note_identity
from mmocc.datasets.picture_layout import (
    check_order,
    check_picture,
    like_picture,
    order_of,
    picture_name,
    to_bgr,
)
from mmocc.occlusion.cutouts import Cutout, load_kinds, pick_view
from mmocc.occlusion.paste import (
    blend,
    face_turn,
    fit_affine,
    mask_targets,
    place_affine,
    render_cutout,
)
from mmocc.occlusion.patches import patch_coverage, patch_grid
from mmocc.registry import TRANSFORMS

HIDDEN = 0.5  # from this coverage on, a pixel counts as hidden


@TRANSFORMS.register_module()
class PasteOcclusion(BaseTransform):
    """Paste cut-outs on a face, and give the hidden share of each patch.

    Face masks (cut-outs with anchors, see :mod:`mmocc.occlusion.cutouts`) are
    put on mouth and nose by the face's five points. Other cut-outs have a
    random place, size and angle. Borders are blended; on grey pictures
    cut-outs are grey, so that colour does not reveal them. A pixel counts as
    hidden if at least half of it is covered; the coverage of a patch is the
    exact share of its hidden pixels.

    Put it after all steps that move pixels, and before packing. With a
    ``seed`` the occlusion depends only on (seed, the image's identity: see
    :mod:`mmocc.datasets.identity`); without, on NumPy's global state.

    Required Keys:

    - img (uint8, (H, W, 3); (H, W, 4), whose alpha is kept; (H, W) or
      (H, W, 1) grey; H and W multiples of ``patch_size``)
    - landmarks (float (5, 2), pixels of the image before ``Resize`` and
      ``RandomFlip``, whose ``scale_factor`` and ``flip`` it applies; only for
      face masks without the argument ``landmarks``)
    - img_path, or what else says which image it is (optional)
    - channel_order (optional)

    Modified Keys:

    - img (a new array; the input is never changed in place)

    Added Keys:

    - occlusion_mask (uint8, (H, W); 1 = hidden)
    - patch_coverage (float32, (gh, gw), in [0, 1])
    - occlusion_kind (str; empty if nothing was pasted)
    - clean_img (as img; with ``keep_clean``)

    Args:
        occluders: Folder whose subfolders are the kinds, or folder(s) by
            kind. Each image gets one kind. ``builtin:train`` and
            ``builtin:test`` are drawn by mmocc, in place of a folder.
        patch_size: Side of a patch in pixels.
        prob: Probability that anything is pasted.
        number: Range of the number of objects, or one number; a face has
            only one mask.
        length: Range of an object's longer side, or one length, as a share of
            the image's shorter side.
        angle: Range of an object's rotation, or one angle, in degrees.
        feather: Width of the blended border, as a share of the image's
            shorter side.
        landmarks: (5, 2) points as shares of width and height, for aligned
            images without ``landmarks``.
        keep_clean: Whether to add ``clean_img``.
        seed: Base seed of repeatable occlusions.
        channel_order: ``bgr`` or ``rgb``, in which images come; by default
            the sample's ``channel_order`` if it has one, else ``rgb`` of a
            data set that holds its images (CIFAR), else ``bgr``.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If an option is out of its range or a cut-out unreadable;
            while running, if an image has another form, does not fit the
            patches, or lacks the five points for a face mask.
    """

    def __init__(
        self,
        occluders: str | Path | Mapping[str, str | Sequence[str]],
        patch_size: int = 16,
        prob: float = 1.0,
        number: int | tuple[int, int] = (1, 1),
        length: float | tuple[float, float] = (0.4, 0.7),
        angle: float | tuple[float, float] = (-45.0, 45.0),
        feather: float = 0.02,
        landmarks: Sequence[Sequence[float]] | None = None,
        keep_clean: bool = False,
        seed: int | None = None,
        channel_order: str | None = None,
    ) -> None:
        number = both_ends(number, 'number')
        length = both_ends(length, 'length')
        if not 0 <= prob <= 1:
            raise ValueError(f'prob is {prob}; it must be in [0, 1]')
        if not 1 <= number[0] <= number[1]:
            raise ValueError(f'number {number} must be 1 <= low <= high')
        if not 0 < length[0] <= length[1]:
            raise ValueError(f'length {length} must be 0 < low <= high')
        if landmarks is not None and np.shape(landmarks) != (5, 2):
            raise ValueError(
                f'landmarks must be five points (x, y), got shape '
                f'{np.shape(landmarks)}'
            )
        self.occluders = occluders
        # a pipeline that pastes nothing needs no files
        self.kinds = load_kinds(occluders) if prob else {}
        self.patch_size = patch_size
        self.prob = prob
        self.number = number
        self.length = length
        self.angle = both_ends(angle, 'angle')
        self.feather = feather
        self.landmarks = landmarks
        self.keep_clean = keep_clean
        self.seed = seed
        self.channel_order = check_order(channel_order)

    @cache_randomness
    def random(self, identity: str) -> np.random.Generator:
        """Return the random generator of an image."""
        if self.seed is None:
            return np.random.default_rng(np.random.randint(2**31))
        return np.random.default_rng([self.seed, identity_number(identity)])

    def transform(self, results: dict) -> dict:
        """Paste on ``results['img']``, and store the hidden pixels."""
        image = check_picture(results, 'mmocc.PasteOcclusion')
        order = order_of(results, self.channel_order)
        rng = self.random(note_identity(results))
        try:
            patch_grid(image.shape[:2], self.patch_size)
            colours = to_bgr(image, order)
            pasted, mask, kind = self._paste(colours, results, rng)
        except ValueError as error:
            name = picture_name(results)
            raise ValueError(f'{name}: {error}') from error
        if self.keep_clean:
            results['clean_img'] = image
        results['img'] = like_picture(pasted, image, order)
        results['occlusion_mask'] = mask
        results['occlusion_kind'] = kind
        results['patch_coverage'] = patch_coverage(mask, self.patch_size)
        return results

    def _paste(
        self, image: np.ndarray, results: dict, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """Return the BGR picture, the mask of hidden pixels, and the kind."""
        size = image.shape[:2]
        mask = np.zeros(size, np.uint8)
        if rng.random() >= self.prob:
            return image.copy(), mask, ''
        grey = (image == image[..., :1]).all()
        kind = list(self.kinds)[rng.integers(len(self.kinds))]
        for _ in range(rng.integers(self.number[0], self.number[1] + 1)):
            index = int(rng.integers(len(self.kinds[kind])))
            cutout = self.kinds[kind][index]
            if cutout.anchors is None:
                affine = self._anywhere(cutout, size, rng)
            else:
                points = self._points(results, size)
                turn = face_turn(points)
                cutout = pick_view(self.kinds[kind], index, turn)
                anchors = np.asarray(cutout.anchors)
                affine = fit_affine(anchors, mask_targets(points))
            colours, cover = render_cutout(
                cutout.pixels, affine, size, self.feather * min(size)
            )
            if grey:
                colours = colours.mean(axis=-1, keepdims=True)
            image = blend(image, colours, cover)
            mask |= (cover >= HIDDEN).astype(np.uint8)
            if cutout.anchors is not None:
                break  # a face wears one mask
        return image, mask, kind

    def _anywhere(
        self, cutout: Cutout, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """Return a random map from a cut-out to an image."""
        centre = rng.uniform(0.2, 0.8, 2) * size[::-1]
        low, high = self.length
        length = rng.uniform(low, high) * min(size)
        low, high = self.angle
        angle, mirror = rng.uniform(low, high), rng.random() < 0.5
        shape = cutout.pixels.shape[:2]
        return place_affine(shape, centre, length, angle, mirror)

    def _points(self, results: dict, size: tuple[int, int]) -> np.ndarray:
        """Return the face's five points in pixels of the current image."""
        points: np.ndarray
        if results.get('landmarks') is not None:
            points = np.array(results['landmarks'], np.float64).reshape(5, 2)
            points *= results.get('scale_factor', 1.0)
            _check_frame(results, size)
        elif self.landmarks is not None:
            points = np.asarray(self.landmarks) * size[::-1]
        else:
            raise ValueError(
                'a face mask needs the five points of the face: a data set '
                'that gives `landmarks`, or landmarks=... of '
                'mmocc.PasteOcclusion for aligned images'
            )
        if results.get('flip') and results['flip_direction'] == 'horizontal':
            points = points[[1, 0, 2, 4, 3]]
            points[:, 0] = size[1] - points[:, 0]
        return points

    def __repr__(self) -> str:
        hidden = ('kinds', '_cache', '_cache_enabled')
        values = {k: v for k, v in vars(self).items() if k not in hidden}
        options = ', '.join(f'{k}={v!r}' for k, v in values.items())
        return f'{type(self).__name__}({options})'


def _check_frame(results: dict, size: tuple[int, int]) -> None:
    """Raise ValueError if an image was cropped or padded after loading."""
    if 'ori_shape' not in results:
        return
    scale = results.get('scale_factor', 1.0)
    wanted = np.multiply(results['ori_shape'][1::-1], scale)
    if np.abs(wanted - size[::-1]).max() > 1:
        raise ValueError(
            f'the image is {size[1]}x{size[0]}, which is not what loading and '
            'Resize make: `landmarks` do not follow crops and padding; put '
            'mmocc.PasteOcclusion before these'
        )


def both_ends(value: Any, name: str) -> tuple:
    """Return a range (low, high), which may be given as one number.

    Raises:
        ValueError: If it has more or fewer numbers (naming the argument).
    """
    ends = (value, value) if isinstance(value, Real) else tuple(value)
    if len(ends) != 2:
        raise ValueError(f'{name} must be a number or (low, high): {value}')
    return ends
