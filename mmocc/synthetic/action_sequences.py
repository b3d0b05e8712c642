"""Sequences of features with actions in them, which the project draws."""

from collections.abc import Sequence

import numpy as np
from mmengine.dataset import BaseDataset

from mmocc.registry import DATASETS

SPLITS = ('train', 'test')


def make_patterns(
    num_classes: int, channels: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit features of each class's core and surroundings.

    Two (num_classes, channels) arrays; all rows are orthogonal if there are
    enough channels.
    """
    rng = np.random.default_rng([seed, len(SPLITS)])
    noise = rng.normal(size=(channels, 2 * num_classes))
    if channels >= 2 * num_classes:
        noise = np.linalg.qr(noise)[0]
    patterns = noise.T / np.linalg.norm(noise.T, axis=1, keepdims=True)
    return patterns[::2], patterns[1::2]


def place_actions(
    rng: np.random.Generator,
    frames: int,
    count: int,
    lengths: tuple[int, int],
) -> np.ndarray:
    """Return (count, 2) [start, end) of actions that do not touch."""
    sizes = rng.integers(lengths[0], lengths[1] + 1, count)
    free = frames - sizes.sum() - (count - 1)
    # The free frames, cut at random, are the gaps before each.
    cuts = np.sort(rng.integers(0, free + 1, count))
    start = cuts + np.concatenate([[0], np.cumsum(sizes[:-1] + 1)])
    return np.stack([start, start + sizes], axis=1)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], window: int
) -> np.ndarray:
    """Return normal noise; ``window`` neighbours on axis 0 share samples."""
    raw = rng.normal(size=(shape[0] + window - 1, *shape[1:]))
    total = np.pad(raw.cumsum(axis=0), [(1, 0), *[(0, 0)] * (raw.ndim - 1)])
    return (total[window:] - total[:-window]) / window**0.5


@DATASETS.register_module()
class ActionSequences(BaseDataset):
    """Videos as sequences of features, whose actions are known in time.

    Each video has one class, and a few actions of it among noise. The
    middle of an action, its *core*, has strong features; the frames before
    and after it are weaker and of another direction. The cores are enough to
    classify a video, but not to localize the actions: Hide-and-Seek is made
    for this case. It shows that the parts work together, and nothing about
    real videos.

    The features are centred. ``img`` is (T, 1, C) float32, an image of T
    rows, so that packing gives (C, T, 1). The same seed gives the same data.

    Args:
        split: ``train`` or ``test``.
        num_videos: Number of videos; classes take turns.
        num_classes: Number of classes.
        frames: Frames of a video.
        channels: Length of a feature.
        action_frames: Least and most frames of an action.
        core: Share of an action that is its core.
        strength: Length of the features of the core and of the rest, where
            noise has length 1 along each axis.
        max_actions: Most actions in a video; the least is one.
        window: Frames from which a feature is computed (16 for C3D's): so
            many neighbours share noise.
        with_segments: Add ``gt_segments``, (n, 2) [start, end) in frames; only
            for testing: training is weakly supervised.
        seed: Seed of all random numbers.
        **kwargs: As in ``mmengine.dataset.BaseDataset``.

    Raises:
        ValueError: If the split is unknown, or the actions may not fit.
    """

    def __init__(
        self,
        split: str = 'train',
        num_videos: int = 500,
        num_classes: int = 5,
        frames: int = 200,
        channels: int = 32,
        action_frames: Sequence[int] = (25, 55),
        core: float = 0.25,
        strength: Sequence[float] = (6.0, 4.0),
        max_actions: int = 2,
        window: int = 16,
        with_segments: bool = False,
        seed: int = 0,
        **kwargs,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'split {split!r} is none of {SPLITS}')
        if max_actions * (action_frames[1] + 1) - 1 > frames:
            raise ValueError(
                f'{max_actions} actions of {action_frames[1]} frames do not '
                f'fit into {frames} frames: set frames, max_actions or '
                'action_frames'
            )
        self.split, self.seed = split, seed
        self.num_videos, self.frames = num_videos, frames
        self.action_frames = tuple(action_frames)
        self.core, self.strength = core, tuple(strength)
        self.max_actions, self.window = max_actions, window
        self.with_segments = with_segments
        self.patterns = make_patterns(num_classes, channels, seed)
        classes = [f'action {label}' for label in range(num_classes)]
        kwargs.setdefault('metainfo', dict(classes=classes))
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """Return class and actions of each video."""
        classes, infos = len(self.patterns[0]), []
        for index in range(self.num_videos):
            rng = self._rng(index, 0)
            count = rng.integers(1, self.max_actions + 1)
            spans = place_actions(rng, self.frames, count, self.action_frames)
            info = dict(gt_label=index % classes, actions=spans.tolist())
            if self.with_segments:
                info['gt_segments'] = spans
            infos.append(info)
        return infos

    def get_data_info(self, idx: int) -> dict:
        """Return a video's class and features."""
        info = super().get_data_info(idx)
        features = self._features(info['gt_label'], info.pop('actions'))
        noise = smooth_noise(self._rng(idx, 1), features.shape, self.window)
        info['img'] = (features + noise).astype(np.float32)
        return info

    def _rng(self, index: int, use: int) -> np.random.Generator:
        """Return a generator for one video and one use."""
        seeds = [self.seed, SPLITS.index(self.split), index, use]
        return np.random.default_rng(seeds)

    def _features(
        self, label: int, actions: Sequence[Sequence[int]]
    ) -> np.ndarray:
        """Return the (T, 1, C) features of a video without noise, centred."""
        pairs = zip(self.strength, self.patterns, strict=True)
        core, rest = (length * pattern for length, pattern in pairs)
        features = np.zeros((self.frames, 1, core.shape[1]))
        for start, end in actions:
            margin = round((end - start) * (1 - self.core) / 2)
            features[start:end] = rest[label]
            features[start + margin : end - margin] = core[label]
        # On average, this share of frames has an action of any class.
        count = (1 + self.max_actions) / 2
        share = count * sum(self.action_frames) / 2 / self.frames
        mean = self.core * core.mean(0) + (1 - self.core) * rest.mean(0)
        return features - share * mean
