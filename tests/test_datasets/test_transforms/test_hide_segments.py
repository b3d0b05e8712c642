import numpy as np
import pytest
from PIL import Image

from mmocc.datasets.transforms import HideSegments


def test_whole_segments_get_the_mean_feature_and_the_rest_is_untouched():
    features = np.random.default_rng(0).normal(size=(25, 3)).astype('f4')
    before = features.copy()
    transform = HideSegments(10, fill=[1.0, 2, 3], keep_mask=True)
    np.random.seed(0)
    patterns = set()
    for _ in range(50):
        results = transform(dict(img=features))
        hidden = results['hidden_frames']
        assert (results['img'][hidden] == [1, 2, 3]).all()
        assert np.array_equal(results['img'][~hidden], before[~hidden])
        for start in (0, 10, 20):  # the last segment has 5 frames
            assert len(set(hidden[start : start + 10])) == 1
        patterns.add(tuple(hidden[[0, 10, 20]]))
    assert np.array_equal(features, before)
    assert len(patterns) == 8  # all possible ones


def test_each_clip_gets_its_own_hidden_segments():
    clips = np.full((40, 12, 4, 4, 3), 9, np.uint8)
    transform = HideSegments(
        4, fill=[0.6, 2.4, 3], key='imgs', time_axis=1, keep_mask=True
    )
    np.random.seed(0)
    results = transform(dict(imgs=clips))
    hidden = results['hidden_frames']
    assert hidden.shape == (40, 12)
    assert len(np.unique(hidden, axis=0)) == 8
    assert (results['imgs'][hidden] == [1, 2, 3]).all()  # rounded
    assert (results['imgs'][~hidden] == 9).all()


def test_a_list_of_frames_stays_a_list_and_its_frames_are_not_changed():
    frames = [np.full((2, 3), index, float) for index in range(6)]
    np.random.seed(1)
    results = HideSegments(2, fill=-1.0, keep_mask=True)(dict(img=frames))
    for index, frame in enumerate(results['img']):
        hidden = results['hidden_frames'][index]
        assert (frame == (-1 if hidden else index)).all()
        assert (frames[index] == index).all()
    assert 0 < results['hidden_frames'].mean() < 1


def draw(times, *args):
    """Return the hidden frames of some draws, (times, 20)."""
    transform = HideSegments(*args, keep_mask=True)
    np.random.seed(0)
    data = [dict(img=np.ones((20, 1))) for _ in range(times)]
    return np.array([transform(item)['hidden_frames'] for item in data])


def test_every_frame_is_hidden_equally_often_in_segments_of_any_length():
    assert np.abs(draw(3000, [7], 0.3).mean(0) - 0.3).max() < 0.042
    hidden = draw(400, [0, 100], 1.0)  # 0 hides nothing
    assert np.array_equal(hidden.any(1), hidden.all(1))
    assert hidden.mean() == pytest.approx(0.5, abs=0.1)


def test_a_long_mean_is_read_from_a_file(tmp_path):
    path = tmp_path / 'mean.npy'
    np.save(path, np.arange(5, dtype='f4'))
    transform = HideSegments(3, hide_prob=1.0, fill=str(path))
    assert (transform(dict(img=np.zeros((4, 5))))['img'] == range(5)).all()
    assert 'mean.npy' in repr(transform)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(segment_lengths=-1), r'whole numbers.*\[-1\]'),
        (dict(segment_lengths=3, hide_prob=2), 'got 2'),
        (dict(segment_lengths=3, time_axis=2), 'time_axis must be 0 or 1'),
        (dict(segment_lengths=3, fill='gone.npy'), "'gone.npy' is no .npy"),
        (dict(segment_lengths=3, fill=[[1.0]]), 'a list of numbers'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        HideSegments(**arguments)


def test_data_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'2 numbers.*\(4, 3\)'):
        HideSegments(2, 1.0, fill=[1.0, 2.0])(dict(img=np.zeros((4, 3))))
    with pytest.raises(ValueError, match='has no axis 1 for time'):
        HideSegments(2, time_axis=1)(dict(img=np.zeros(4)))
    with pytest.raises(ValueError, match='list of frames is time_axis 0'):
        HideSegments(2, time_axis=1)(dict(img=[np.zeros(4)]))


def test_pil_frames_are_refused_with_the_remedy():
    frames = [Image.new('RGB', (4, 4)) for _ in range(3)]
    with pytest.raises(ValueError, match=r'frame of img is Image.*asarray'):
        HideSegments(3, hide_prob=1.0)(dict(img=frames))
    with pytest.raises(ValueError, match=r'img is Image; .*list of frames'):
        HideSegments(3)(dict(img=frames[0]))


def test_float16_features_are_filled_in_their_type():
    features = np.ones((8, 3), np.float16)
    after = HideSegments(4, hide_prob=1.0, fill=0.1)(dict(img=features))['img']
    assert after.dtype == np.float16
    assert (after == np.float16(0.1)).all()
