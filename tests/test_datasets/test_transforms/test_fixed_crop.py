import numpy as np
import pytest

from mmocc.datasets.transforms import FixedCrop

IMAGE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.mark.parametrize(
    ('position', 'x', 'y'),
    [
        ('top_left', 0, 0),
        ('top_right', 4, 0),
        ('bottom_left', 0, 2),
        ('bottom_right', 4, 2),
        ('center', 2, 1),
    ],
)
def test_each_position_is_where_it_says(position, x, y):
    results = FixedCrop(3, position)(dict(img=IMAGE.copy()))
    assert np.array_equal(results['img'], IMAGE[y : y + 3, x : x + 3])
    assert results['crop_box'] == (x, y, x + 3, y + 3)
    assert results['full_shape'] == (5, 7)
    assert results['img_shape'] == (3, 3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="'middle' is none of"):
        FixedCrop(3, 'middle')
    with pytest.raises(ValueError, match=r'small.png is 5x7 .*crop of 6'):
        FixedCrop(6, 'center')(dict(img=IMAGE, img_path='small.png'))
