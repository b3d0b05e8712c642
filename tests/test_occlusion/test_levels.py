import pytest

from mmocc.occlusion import LEVELS, check_kind, level_range, pixel_bounds


def test_levels_are_the_four_of_the_occluded_vehicle_sets():
    assert LEVELS == {
        'L0': (0, 0),
        'L1': (0.2, 0.4),
        'L2': (0.4, 0.6),
        'L3': (0.6, 0.8),
    }


def test_a_misspelt_kind_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'nose'.*'white', 'noise'"):
        check_kind('nose')


def test_a_misspelt_level_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'L4'.*'L0', 'L1', 'L2', 'L3'"):
        level_range('L4')


@pytest.mark.parametrize('pair', [(0.5, 0.2), (-0.1, 0.5), (0.2, 1.2)])
def test_an_own_level_must_be_ordered_shares(pair):
    with pytest.raises(ValueError, match='0 <= low <= high <= 1'):
        level_range(pair)


@pytest.mark.parametrize(
    ('num', 'shares', 'bounds'),
    [
        (100, (0.2, 0.4), (20, 39)),  # 40 belongs to L2
        (100, (0.4, 0.6), (40, 59)),
        (5, (0.6, 0.8), (3, 3)),  # 0.6 * 5 is just above 3 in floating point
        (100, (0.0, 0.0), (0, 0)),
        (100, (0.5, 1.0), (50, 100)),
        (100, (0.5, 0.5), (50, 50)),
    ],
)
def test_bounds_are_the_pixels_whose_share_is_inside(num, shares, bounds):
    assert pixel_bounds(num, shares) == bounds


def test_every_object_of_four_pixels_or_more_can_reach_every_level():
    for num in range(4, 300):
        for level in ('L1', 'L2', 'L3'):
            low, high = LEVELS[level]
            fewest, most = pixel_bounds(num, (low, high))
            assert low <= fewest / num + 1e-9
            assert most / num < high


@pytest.mark.parametrize('num', [0, 1])
def test_a_too_small_object_is_refused_with_its_size(num):
    with pytest.raises(ValueError, match=f'an object of {num} pixels'):
        pixel_bounds(num, (0.2, 0.4))
