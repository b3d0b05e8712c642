"""Random objects of all shapes and sizes, at all kinds and levels."""

import numpy as np
import pytest

from benchmarks.levels import SHAPES, draw_levels, draw_object, tell
from mmocc.occlusion import KINDS, LEVELS, pixel_bounds


def test_every_hidden_share_is_inside_its_level(occluder_folders):
    found = draw_levels(500, occluder_folders, seed=1)
    words = [key[0] for key in found]
    assert found.total() == 500
    assert 'outside' not in words
    assert {key[1:] for key in found if key[0] == 'inside'} == {
        (kind, level) for kind in KINDS for level in ('L1', 'L2', 'L3')
    }
    for word, pixels, level in found:
        if word == 'too small':  # and none is called so that is not
            with pytest.raises(ValueError, match='cannot have a share'):
                pixel_bounds(pixels, LEVELS[level])
    assert '100.00%' not in tell(found)


def test_draws_cover_all_shapes_and_sizes():
    rng = np.random.default_rng(0)
    drawn = [draw_object(rng, (40, 60)) for _ in range(400)]
    assert {shape for shape, *_ in drawn} == set(SHAPES)
    for _, (x1, y1, x2, y2), region in drawn:
        assert 0 <= x1 < x2 <= 60
        assert 0 <= y1 < y2 <= 40
        outside = region.copy()
        outside[y1:y2, x1:x2] = False
        assert not outside.any()
    areas = [region.sum() for *_, region in drawn]
    assert min(areas) <= 1
    assert max(areas) == 40 * 60


def test_the_report_tells_what_was_outside_or_too_small():
    from collections import Counter

    found = Counter(
        {
            ('inside', 'white', 'L1'): 5,
            ('outside', 'white', 'L1'): 1,
            ('too small', 2, 'L3'): 2,
        }
    )
    first, white, *_, small = tell(found).splitlines()
    assert first.startswith('8 draws: 5 of 6 hidden shares inside')
    assert '2 objects too small for it (25.00%)' in first
    assert 'L1 5/6' in white
    assert small.endswith('an object of 2 pixels at L3, 2 times')
