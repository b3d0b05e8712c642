"""Random objects of all shapes and sizes, at all kinds and levels."""

from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks.levels import SHAPES, describe, draw_levels, draw_object
from mmocc.occlusion import (
    KINDS,
    LEVELS,
    OccluderBank,
    occlude_object,
    pixel_bounds,
)


def test_every_hidden_share_is_inside_its_level(occluder_folders):
    counts = draw_levels(500, occluder_folders, seed=1)
    words = [key[0] for key in counts]
    assert counts.total() == 500
    assert 'outside' not in words
    assert {key[1:] for key in counts if key[0] == 'inside'} == {
        (kind, level) for kind in KINDS for level in ('L1', 'L2', 'L3')
    }
    for word, pixels, level in counts:
        if word == 'too small':  # and only those are called so
            with pytest.raises(ValueError, match='cannot have a share'):
                pixel_bounds(pixels, LEVELS[level])
    assert '100.00%' not in describe(counts)


def test_draws_cover_all_shapes_and_sizes():
    rng = np.random.default_rng(0)
    drawn = [draw_object(rng, (40, 60)) for _ in range(400)]
    assert {shape for shape, *_ in drawn} == set(SHAPES)
    for _, (x1, y1, x2, y2), region in drawn:
        assert 0 <= x1 < x2 <= 60
        assert 0 <= y1 < y2 <= 40
        assert region.sum() == region[y1:y2, x1:x2].sum()
    areas = [region.sum() for *_, region in drawn]
    assert min(areas) <= 1
    assert max(areas) == 40 * 60


def test_the_description_counts_shares_outside_and_small_objects():
    counts = Counter({('inside', 'white', 'L1'): 5, ('too small', 2, 'L3'): 2})
    counts['outside', 'white', 'L1'] = 1
    first, white, *_, small = describe(counts).splitlines()
    assert first.startswith('8 draws: 5 of 6 hidden shares inside')
    assert '2 objects too small for it (25.00%)' in first
    assert 'L1 5/6' in white
    assert small.endswith('an object of 2 pixels at L3, 2 times')


def test_l0_hides_nothing_and_an_empty_object_is_refused():
    image = torch.full((3, 8, 8), 7, dtype=torch.uint8)
    region = torch.ones(8, 8, dtype=torch.bool)
    rest = OccluderBank(['white']), torch.Generator()
    occluded, mask = occlude_object(
        image, region, 'white', LEVELS['L0'], *rest
    )
    assert torch.equal(occluded, image)
    assert not mask.any()
    with pytest.raises(ValueError, match='an object of 0 pixels'):
        occlude_object(image, ~region, 'white', LEVELS['L1'], *rest)
