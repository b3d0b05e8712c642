import numpy as np
import pytest

from mmocc.synthetic.action_sequences import (
    ActionSequences,
    place_actions,
    smooth_noise,
)


def test_actions_lie_inside_and_do_not_touch():
    rng = np.random.default_rng(0)
    for _ in range(300):
        segments = place_actions(rng, 100, 3, (5, 30))
        length = segments[:, 1] - segments[:, 0]
        assert (length >= 5).all() and (length <= 30).all()
        assert segments[0, 0] >= 0 and segments[-1, 1] <= 100
        assert (segments[1:, 0] > segments[:-1, 1]).all()


def test_noise_has_unit_variance_and_is_shared_by_neighbours():
    noise = smooth_noise(np.random.default_rng(0), (20000, 2), 16)
    assert noise.shape == (20000, 2)
    assert noise.std() == pytest.approx(1, abs=0.05)
    for lag, expected in ((8, 0.5), (16, 0.0)):
        shared = (noise[lag:] * noise[:-lag]).mean()
        assert shared == pytest.approx(expected, abs=0.07)


def test_the_same_video_every_time_and_others_in_the_other_split():
    first, again = (ActionSequences(num_videos=6) for _ in range(2))
    test = ActionSequences('test', num_videos=6)
    for index in range(6):
        info, image = first[index], first[index]['img']
        assert (image.shape, image.dtype) == ((200, 1, 32), np.float32)
        assert info['gt_label'] == index % 5
        assert np.array_equal(image, again[index]['img'])
        assert not np.array_equal(image, test[index]['img'])
        assert set(info) == {'img', 'gt_label', 'sample_idx'}
    assert first.metainfo['classes'] == [f'action {i}' for i in range(5)]


def test_actions_have_a_strong_core_amid_weaker_frames():
    data = ActionSequences(num_videos=1, with_segments=True, window=1)
    info = data[0]
    core, rest = (pattern[0] for pattern in data.patterns)
    strength = info['img'][:, 0] @ np.stack([core, rest]).T
    outside = np.ones(200, bool)
    for start, end in info['gt_segments']:
        outside[start:end] = False
        middle = (start + end) // 2
        assert strength[middle - 2 : middle + 3, 0].mean() > 4.5
        assert strength[start : start + 6, 1].mean() > 2.5
    assert np.abs(strength[outside].mean(axis=0)).max() < 0.6
    data = ActionSequences(num_videos=300)  # features are centred
    mean = np.mean([data[i]['img'] for i in range(300)], axis=(0, 1, 2))
    assert np.abs(mean).max() < 0.1


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'val' is none of"):
        ActionSequences('val')
    with pytest.raises(ValueError, match=r'2 actions of 55 .* 100 frames'):
        ActionSequences(frames=100)
