"""When two models' answers may be compared image by image."""

import numpy as np
import pytest
from toy_answers import answers

from mmocc.datasets.transforms.occlude import Occlude
from mmocc.report import pairing


def cell(hits, identity, thumbnail=None):
    """Make answers of labels 0, 1, 0, ... to images with these names."""
    made = answers(hits)
    made.identity = np.array(list(identity), str)
    if thumbnail is not None:
        made.thumbnail = np.array(thumbnail, np.uint8)
    return made


def test_a_thumbnail_has_the_hidden_share_of_each_part():
    mask = np.zeros((4, 6), np.uint8)
    mask[:2, :3] = 1
    mask[2, 5] = 1
    expected = [[255, 0], [0, round(255 / 6)]]
    assert pairing.mask_thumbnail(mask, 2).tolist() == expected
    # parts of 4 / 3 times 6 / 3 pixels: pixels are split between parts
    shares = [[1, 0.5, 0], [0.5, 0.25, 0.25], [0, 0, 0.125]]
    thumbnail = pairing.mask_thumbnail(mask.astype(bool), 3)
    assert np.abs(thumbnail - 255 * np.array(shares)).max() <= 0.5


@pytest.mark.parametrize('size', [(8, 8), (3, 5), (160, 224), (1, 1)])
def test_a_thumbnail_keeps_the_hidden_share_at_any_size(size):
    mask = np.random.default_rng(0).random(size) < 0.3
    thumbnail = pairing.mask_thumbnail(mask)
    assert thumbnail.shape == (8, 8)
    assert thumbnail.mean() / 255 == pytest.approx(mask.mean(), abs=1 / 255)
    assert (pairing.mask_thumbnail(np.ones(size)) == 255).all()


def test_a_larger_mask_of_the_same_has_the_same_thumbnail():
    mask = np.random.default_rng(0).random((16, 24)) < 0.5
    larger = mask.repeat(3, axis=0).repeat(3, axis=1)
    one, two = map(pairing.mask_thumbnail, (mask, larger))
    assert np.abs(one.astype(int) - two).max() <= 1


def test_shared_images_are_found_by_name_whatever_their_place():
    one = cell([1, 1, 0], ['c', 'a', 'b'])
    two = cell([1, 1, 0, 0], ['b', 'x', 'c', 'a'])
    rows = pairing.shared_rows([one, two])
    assert [list(row) for row in rows] == [[1, 2, 0], [3, 0, 2]]
    assert one.identity[rows[0]].tolist() == ['a', 'b', 'c']
    # of an image that is there twice, each goes with its own
    one = cell([1, 0, 1], ['a', 'a', 'b'])
    two = cell([1, 1], ['a', 'b'])
    rows = pairing.shared_rows([one, one, two])
    assert [list(row) for row in rows] == [[0, 2], [0, 2], [0, 1]]
    rows = pairing.shared_rows([one, one])
    assert [list(row) for row in rows] == [[0, 1, 2], [0, 1, 2]]


def test_answers_to_the_same_images_are_paired_in_any_order():
    one = dict(L0=cell([1, 0, 1, 0], 'abcd'))
    two = dict(L0=cell([0, 1, 1, 1], 'cbad'))  # even places have label 0
    assert pairing.why_not_paired(one, two) is None
    assert pairing.why_not_paired(one, dict(L0=cell([1, 1], 'cx'))) is None


def test_answers_to_other_images_or_labels_are_not_paired():
    one = dict(L0=cell([1, 0, 1, 0], 'abcd'))
    other = dict(L0=cell([1, 0], 'xy'))
    reason = pairing.why_not_paired(one, other)
    assert reason == 'the test sets have no image in common'
    other = dict(L0=cell([1, 0, 1], 'bca'))
    reason = pairing.why_not_paired(one, other)
    assert reason == '2 of 3 images have other labels, the first is b'


def square(left, top):
    """Return the thumbnail of a hidden square of four parts."""
    mask = np.zeros((8, 8), np.uint8)
    mask[top : top + 2, left : left + 2] = 255
    return mask


def test_answers_to_other_occlusions_are_not_paired():
    here, there = square(2, 2), square(2, 3)
    clean = cell([1, 0], 'ab')
    one = {'L0': clean, 'L1 white': cell([1, 0], 'ab', [here, here])}
    two = {'L0': clean, 'L1 white': cell([1, 0], 'ab', [here, there])}
    assert pairing.why_not_paired(one, one) is None
    assert pairing.why_not_paired(one, two) == (
        'in L1 white, other parts of 1 of 2 images are hidden, the first is b'
    )
    # a little of the rim differs where images have other sizes
    rim = here.copy()
    rim[2, 2:4] -= 12
    two['L1 white'].thumbnail[1] = rim
    assert pairing.why_not_paired(one, two) is None


def test_a_few_tiny_objects_may_differ_by_their_rim():
    here, there = square(2, 2), square(2, 3)
    names = list(map(str, range(40)))
    same = {'L1 white': cell([1] * 40, names, [here] * 40)}
    few = {'L1 white': cell([1] * 40, names, [there] * 2 + [here] * 38)}
    assert pairing.why_not_paired(few, same) is None
    few['L1 white'].thumbnail[2] = there
    assert 'of 3 of 40 images' in pairing.why_not_paired(few, same)


def test_masks_differ_by_more_than_a_rim():
    nothing = np.zeros((8, 8), np.uint8)
    whole = np.full((8, 8), 255, np.uint8)
    # of 1 / 64 of the image a rim of 0.1 / 64 + 0.02 / 8 may differ: 26 %
    dot, paler, pale = nothing.copy(), nothing.copy(), nothing.copy()
    dot[0, 0], pale[0, 0], paler[0, 0] = 255, 255 - 65, 255 - 68
    # of the whole image 12 %
    most, rest = whole.copy(), whole.copy()
    most[0, :7] = 0  # 7 of 64 parts
    rest[0] = 0  # 8 of 64 parts
    pairs = [
        (nothing, nothing, False),
        (whole, nothing, True),
        (dot, pale, False),
        (dot, paler, True),
        (whole, most, False),
        (rest, whole, True),
        (square(0, 0), square(1, 0), True),
    ]
    ours, theirs, expected = zip(*pairs, strict=True)
    found = pairing.masks_differ(np.stack(ours), np.stack(theirs))
    assert found.tolist() == list(expected)


@pytest.mark.parametrize('box', [None, (0.25, 0.125, 0.75, 0.5)])
def test_the_same_occlusion_in_images_of_other_size_does_not_differ(box):
    """Places differ where seeds do, and rims only where sizes do."""

    def thumbnails(side, seed=0):
        occlude = Occlude(kind='white', level='L2', seed=seed)
        made = []
        for number in range(12):
            results = dict(
                img=np.zeros((side, side, 3), np.uint8),
                img_path=f'/data/{number}.png',
            )
            if box:
                results['gt_bboxes'] = np.array([box]) * side
            mask = occlude.transform(results)['occlusion_mask']
            made.append(pairing.mask_thumbnail(mask))
        return np.stack(made)

    small = thumbnails(160)
    assert not pairing.masks_differ(small, thumbnails(224)).any()
    assert pairing.masks_differ(small, thumbnails(160, seed=1)).mean() > 0.8
