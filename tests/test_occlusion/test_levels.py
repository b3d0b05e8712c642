import pytest

from mmocc.occlusion import (
    cell_names,
    check_kind,
    level_range,
    pixel_bounds,
    split_cell,
)


def test_the_table_has_the_papers_thirteen_cells():
    names = cell_names()
    assert len(names) == 13
    assert names[:3] == ['L0', 'L1 white', 'L1 noise']
    assert split_cell(names[-1]) == ('L3', 'object')


@pytest.mark.parametrize(
    ('check', 'value', 'message'),
    [
        (check_kind, 'nose', r"'nose'.*'white', 'noise'"),
        (level_range, 'L4', r"'L4'.*'L0', 'L1', 'L2', 'L3'"),
        (level_range, (0.5, 0.2), '0 <= low <= high <= 1'),
        (level_range, (-0.1, 0.5), '0 <= low <= high <= 1'),
        (level_range, (0.2, 1.2), '0 <= low <= high <= 1'),
        (split_cell, 'L1', "unknown cell 'L1'"),
        (split_cell, 'white', "unknown cell 'white'"),
        (split_cell, 'L9 white', "unknown occlusion level 'L9'"),
        (split_cell, 'L1 nose', "unknown occluder kind 'nose'"),
    ],
)
def test_a_misspelt_name_or_share_is_refused(check, value, message):
    with pytest.raises(ValueError, match=message):
        check(value)


@pytest.mark.parametrize(
    ('num', 'shares', 'bounds'),
    [
        (100, (0.2, 0.4), (20, 39)),  # 40 belongs to L2
        (100, (0.4, 0.6), (40, 59)),
        (5, (0.6, 0.8), (3, 3)),  # 0.6 * 5 is just above 3 in floating point
        (100, (0.0, 0.0), (0, 0)),
        (100, (0.5, 1.0), (50, 100)),
        (100, (0.5, 0.5), (50, 50)),
        (7, (0.5, 0.5), (4, 4)),  # 3.5, to the even number
        (7, (0.4, 0.4), (3, 3)),  # 2.8
        (9, (0.01, 0.01), (0, 0)),
    ],
)
def test_bounds_are_the_pixels_whose_share_is_inside(num, shares, bounds):
    assert pixel_bounds(num, shares) == bounds
