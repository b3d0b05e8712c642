"""Tokens of maps, and the weakening by hand."""

import math

import pytest
import torch

from mmocc.models.ofer.feature_tokens import (
    FeatureTokens,
    excess,
    feature_sums,
    principal_axes,
    token_features,
    weaken,
    with_cells,
)


def test_excess_is_a_share_of_the_radius():
    distances = torch.tensor([[0.0, 4.0, 5.0, 9.0, 99.0]])
    assert excess(distances, 4.0).tolist() == [[-1.0, 0.0, 0.25, 1.25, 2.0]]
    assert excess(distances, math.inf).tolist() == [[-1.0] * 5]


def test_tokens_are_weakened_by_the_formula():
    tokens = torch.tensor([[[2.0, -4.0]] * 4])
    told = torch.tensor([[-1.0, 0.0, 0.25, 2.0]])
    weakened = weaken(tokens, told)
    for row, e in zip(weakened[0], told[0].tolist(), strict=True):
        share = 1 / (1 + math.exp(8 * e))
        assert row.tolist() == pytest.approx([2 * share, -4 * share])
    assert weakened[0, 1].tolist() == [1.0, -2.0]
    assert weakened[0, 0].tolist() == pytest.approx([2.0, -4.0], rel=4e-4)
    softer = weaken(tokens, told, slope=4.0)
    assert softer[0, 2, 0].item() == pytest.approx(2 / (1 + math.e))


def test_a_coarser_cell_has_the_mean_of_its_patches():
    values = torch.arange(8.0).view(1, 8)  # 2 x 4 patches
    wanted = [(0 + 1 + 4 + 5) / 4, (2 + 3 + 6 + 7) / 4]
    both = with_cells(values, (2, 4), [(1, 2)])
    assert both.tolist() == [[*range(8), *wanted]]
    assert torch.equal(with_cells(values, (2, 4), []), values)


def maps_of(seed=0, number=3):
    """Return maps of 8 x 8, 4 x 4 and 2 x 2 cells."""
    torch.manual_seed(seed)
    sides = ((2, 8), (3, 4), (5, 2))
    return [torch.randn(number, c, side, side) for c, side in sides]


def test_features_of_patches_and_of_coarser_cells():
    fine, own, deep = maps_of()
    patches, cells = token_features([fine, own, deep], (4, 4))
    assert patches.shape == (3, 16, 2 + 3 + 4 * 2)
    assert cells.shape == (3, 4, 5)
    row = patches[1, 6]  # row 1, column 2
    four = fine[1, :, 2:4, 4:6]
    assert torch.allclose(row[:2], four.mean((1, 2)))
    assert torch.equal(row[2:5], own[1, :, 1, 2])
    assert torch.equal(row[5:], four.flatten())
    assert torch.equal(cells[1, 3], deep[1, :, 1, 1])
    # All maps as fine as the grid: no cells
    assert len(token_features([fine, own], (4, 4))) == 1


def test_maps_that_do_not_fit_the_grid_are_named():
    with pytest.raises(ValueError, match='at least as fine as the grid'):
        token_features(maps_of()[2:], (4, 4))
    with pytest.raises(ValueError, match=r'a grid of \(3, 3\) patches'):
        token_features(maps_of(), (3, 3))


def test_axes_are_those_of_a_principal_component_analysis():
    torch.manual_seed(1)
    mix = torch.randn(6, 6)
    rows = torch.randn(50, 4, 6) @ mix + torch.randn(4, 6) * 3
    sums = feature_sums(rows[:20]) + feature_sums(rows[20:])
    mean, axes = principal_axes(sums, 2)
    assert torch.allclose(mean, rows.mean(0), atol=1e-5)
    away = rows - rows.mean(0)
    away = (away / away.flatten(0, 1).std(0)).flatten(0, 1).double()
    vectors = torch.linalg.svd(away, full_matrices=False)[2][:2]
    wanted = away @ vectors.T / 3**0.5  # 6 channels, 2 components
    found = ((rows - mean) @ axes).flatten(0, 1).double()
    for place in (0, 1):  # either sign, the largest last
        a, b = found[:, 1 - place], wanted[:, place]
        assert torch.allclose(a * (a @ b).sign(), b, atol=1e-4)
    mean, axes = principal_axes(sums, 6)
    square = ((rows - mean) @ axes).square().sum(2).mean().item()
    assert square == pytest.approx(6, rel=0.01)


def test_a_channel_without_variance_and_wrong_numbers():
    rows = torch.cat([torch.randn(9, 2, 3), torch.ones(9, 2, 1)], 2)
    sums = feature_sums(rows)
    assert principal_axes(sums, 3)[1].isfinite().all()
    with pytest.raises(ValueError, match='dims=5: choose from 1 to 4'):
        principal_axes(sums, 5)
    with pytest.raises(ValueError, match='at least one face'):
        principal_axes(feature_sums(rows[:0]), 2)


def test_tokens_are_fitted_to_one_size():
    parts = token_features(maps_of(), (4, 4))
    tokens = FeatureTokens([part.shape[1:] for part in parts], 2)
    assert not tokens.fitted
    tokens.fit([feature_sums(part) for part in parts])
    assert tokens.fitted
    found = tokens(parts)
    assert found.shape == (3, 20, 2)
    assert found.mean(0).abs().max() < 1e-5  # zeros: the mean of a place
    copy = FeatureTokens(tokens.shapes, 2)
    copy.load_state_dict(tokens.state_dict())
    assert torch.equal(copy(parts), found)
    with pytest.raises(ValueError, match='give faces of one size'):
        tokens(parts[:1])
