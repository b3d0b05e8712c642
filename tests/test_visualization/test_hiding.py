"""What a pipeline hides: the shares, and what all draws have in common."""

import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.registry import TRANSFORMS

from mmocc.visualization.hiding import draw_hiding, find_hiding, unwrap

HAS = dict(type='mmocc.HideAndSeek', grid_sizes=(8,), fill=(0, 0, 255))
OCCLUDE = dict(type='mmocc.Occlude', kind='white', level='L2')


@TRANSFORMS.register_module(force=True)
class NoiseImage(BaseTransform):
    """Make an image, another each time."""

    def transform(self, results):
        results['img'] = np.random.randint(1, 250, (40, 64, 3), np.uint8)
        results['gt_bboxes'] = np.float32([[8, 8, 40, 32]])
        return results


@TRANSFORMS.register_module(force=True)
class Drop(BaseTransform):
    def transform(self, results):
        return None


class Numbers(BaseDataset):
    def load_data_list(self):
        return [dict(img_path=f'{i}.png') for i in range(3)]


def dataset(*pipeline):
    steps = [dict(type='NoiseImage'), *pipeline]
    return Numbers(pipeline=steps, serialize_data=False)


@pytest.mark.parametrize('keep_mask', [False, True])
def test_the_share_is_that_of_the_hidden_pixels(keep_mask):
    draw = draw_hiding(dataset(dict(HAS, keep_mask=keep_mask)), 1)
    red = (draw.after == (255, 0, 0)).all(axis=2)  # RGB
    assert draw.share == pytest.approx(red.mean())
    assert 0.2 < draw.share < 0.8
    assert np.array_equal(draw.before[~red], draw.after[~red])
    assert (draw.path, draw.object_share) == ('1.png', None)
    assert draw.boxes.tolist() == [[8, 8, 40, 32]]
    draw = draw_hiding(dataset(OCCLUDE), 0)  # the pipeline's own share
    assert 0.4 <= draw.object_share < 0.6
    assert draw.share == pytest.approx(draw.hidden.sum() / (40 * 64))


def test_draws_differ_in_the_hiding_alone():
    data = dataset(HAS)
    first, again, second = (draw_hiding(data, 0, n) for n in (0, 0, 1))
    assert np.array_equal(first.before, second.before)
    assert not np.array_equal(first.hidden, second.hidden)
    assert np.array_equal(first.hidden, again.hidden)
    other = draw_hiding(data, 0, 0, seed=1)
    assert not np.array_equal(first.before, other.before)


def test_hiding_is_found_in_wrappers_and_by_name():
    inner = dict(type='RandomApply', transforms=[HAS], prob=1.0)
    steps = dataset(inner, OCCLUDE).pipeline.transforms
    assert find_hiding(steps) == [1, 2]
    assert find_hiding(steps, ['Occlude']) == [2]
    assert draw_hiding(dataset(inner), 0).share > 0.2
    message = 'hides nothing.*NoiseImage, RandomApply, Occlude.*--transforms'
    with pytest.raises(ValueError, match=message):
        find_hiding(steps, ['GridMask'])
    with pytest.raises(ValueError, match='Drop drops sample 2'):
        draw_hiding(dataset(dict(type='Drop'), HAS), 2)


def test_data_sets_in_wrappers_are_found():
    one, two = dataset(HAS), dataset(HAS)
    joint, repeated = ConcatDataset([one, two]), RepeatDataset(one, times=2)
    assert unwrap(joint, 1) == (one, 1)
    assert unwrap(joint, 5) == (two, 2)
    assert unwrap(repeated, 5) == (one, 2)
    assert draw_hiding(joint, 4).path == '1.png'
