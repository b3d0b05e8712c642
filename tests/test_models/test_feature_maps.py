from typing import NamedTuple

import pytest
import torch

from mmocc.models.feature_maps import (
    feature_to_map,
    last_feature,
    map_features,
    replace_last,
    split_tokens,
    stated_grid,
    tokens_to_map,
)

A, B = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 2, 2)


class Pair(NamedTuple):
    feat: torch.Tensor
    size: tuple


@pytest.mark.parametrize(
    'output',
    [
        B,
        (A, B),
        [A, B],
        {'a': A, 'b': B},
        (A, [A, B]),
        (B, (4, 4)),
        Pair(B, (2, 2)),
        {'b': (B, torch.zeros(3)), 'index': torch.zeros(2, 3).long()},
    ],
)
def test_the_last_feature_is_read_and_written_back(output):
    assert last_feature(output) is B
    new = torch.full((2, 3), 7.0)
    written = replace_last(output, new)
    assert type(written) is type(new if output is B else output)
    assert last_feature(written) is new
    assert last_feature(output) is B  # the given one stays
    if isinstance(output, tuple | list) and len(output) == 2:
        other = [x for x in output if x is A or x == (4, 4) or x == (2, 2)]
        assert all(any(x is y for y in written) for x in other)


@pytest.mark.parametrize('output', [None, (), (3, 'x'), torch.zeros(4)])
def test_no_feature_is_named(output):
    with pytest.raises(ValueError, match='no feature'):
        last_feature(output)


def test_all_features_are_changed_and_nothing_else():
    output = {'a': (A, (4, 4)), 'b': [B, None]}
    changed = map_features(lambda x: x + 1, output)
    assert torch.equal(changed['a'][0], A + 1)
    assert changed['a'][1] == (4, 4)
    assert torch.equal(changed['b'][0], B + 1)
    assert changed['b'][1] is None


def test_a_stated_grid_is_found():
    tokens = torch.zeros(2, 6, 3)
    assert stated_grid((tokens, (2, 3))) == (2, 3)
    assert stated_grid((tokens, torch.Size([2, 3]))) == (2, 3)
    assert stated_grid((tokens, tokens)) is None
    assert stated_grid((A, (2, 3))) is None
    assert stated_grid(tokens) is None


@pytest.mark.parametrize(
    ('tokens', 'first', 'expected'),
    [
        (196, None, (0, (14, 14))),
        (197, None, (1, (14, 14))),
        (198, None, (2, (14, 14))),
        (1, None, (0, (1, 1))),
        (25, (4, 6), (1, (4, 6))),  # and not 5 x 5
        (24, (8, 12), (0, (4, 6))),
        (8, (7, 15), (0, (2, 4))),  # halved twice, rounded up
        (29, (4, 6), (5, (4, 6))),  # class token and four registers
    ],
)
def test_tokens_are_split_into_extra_ones_and_a_grid(tokens, first, expected):
    assert split_tokens(tokens, first) == expected


def test_tokens_of_no_grid_are_named():
    with pytest.raises(ValueError, match=r'24 tokens are no square grid'):
        split_tokens(24)
    with pytest.raises(ValueError, match=r'no grid of 4x6 positions'):
        split_tokens(23, (4, 6))


def test_tokens_lie_row_by_row_and_come_back():
    tokens = torch.arange(14.0).view(1, 7, 2)
    grid, back = tokens_to_map(tokens, (2, 3))
    assert grid[0, 0].tolist() == [[2, 4, 6], [8, 10, 12]]
    assert torch.equal(back(grid), tokens)
    new = back(grid * 0)
    assert torch.equal(new[:, :1], tokens[:, :1])
    assert not new[:, 1:].any()


@pytest.mark.parametrize(
    ('shape', 'map_shape'),
    [
        ((2, 5, 3, 4), (2, 5, 3, 4)),
        ((2, 3, 4, 5), (2, 5, 3, 4)),
        ((2, 5), (2, 5, 1, 1)),
        ((2, 9, 5), (2, 5, 3, 3)),
        ((2, 10, 5), (2, 5, 3, 3)),
        ((2, 5, 9), (2, 5, 3, 3)),
        ((2, 5, 11), (2, 5, 3, 3)),
    ],
)
def test_every_layout_is_a_map_and_comes_back(shape, map_shape):
    feature = torch.randn(shape)
    maps, back = feature_to_map(feature, 5)
    assert maps.shape == map_shape
    assert torch.equal(back(maps), feature)


def test_what_cannot_be_told_is_named():
    with pytest.raises(ValueError, match='as many tokens as channels'):
        feature_to_map(torch.zeros(2, 9, 9), 9)
    assert feature_to_map(torch.zeros(2, 9, 9), 9, (3, 3))[0].shape[1] == 9
    for shape in ((2, 5, 3, 4, 4), (2, 4), (2, 3, 4), (2, 6, 3, 3)):
        with pytest.raises(ValueError, match=r'is no map|no square'):
            feature_to_map(torch.zeros(shape), 5)
