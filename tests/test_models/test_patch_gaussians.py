"""Patches of several maps on one grid, and a Gaussian for each."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import mahalanobis as scipy_mahalanobis

from mmocc.models.gaussian import fit_gaussian, mahalanobis, moments
from mmocc.models.patch_features import as_rows, patch_grid


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_grid_has_each_maps_neighbourhood():
    fine, coarse = draw(2, 3, 8, 8), draw(2, 5, 4, 4, seed=1)
    grid = patch_grid([fine, coarse])
    assert grid.shape == (2, 8, 8, 8)
    # By hand: a corner has four neighbours, an inner cell nine.
    corner = fine[:, :, :2, :2].mean((2, 3))
    torch.testing.assert_close(grid[:, :3, 0, 0], corner)
    inner = fine[:, :, 2:5, 3:6].mean((2, 3))
    torch.testing.assert_close(grid[:, :3, 3, 4], inner)
    plain = patch_grid([fine, coarse], kernel=1)
    torch.testing.assert_close(plain[:, :3], fine)
    larger = F.interpolate(coarse, (8, 8), mode='bilinear')
    torch.testing.assert_close(plain[:, 3:], larger)
    small = patch_grid([fine, coarse], kernel=1, size=(2, 4))
    halves = fine.view(2, 3, 2, 4, 4, 2).mean((3, 5))
    torch.testing.assert_close(small[:, :3], halves)
    rows = as_rows(grid)
    torch.testing.assert_close(rows[:, 11], grid[:, :, 1, 3])
    for maps, kernel, message in (
        ([], 3, 'at least one map'),
        ([fine], 2, 'odd and positive, got 2'),
    ):
        with pytest.raises(ValueError, match=message):
            patch_grid(maps, kernel)


def test_gaussians_are_numpys_and_distances_scipys():
    rows = draw(40, 3, 6) @ draw(6, 6, seed=1) + 5
    fitted = fit_gaussian(moments(rows), shrink=0.1)
    new = draw(7, 3, 6, seed=2) * 3
    found = mahalanobis(new, fitted)
    for place in range(3):
        own = rows[:, place].double().numpy()
        cov = np.cov(own, rowvar=False) + 0.1 * np.eye(6)
        inverse = np.linalg.inv(cov)
        for image in range(7):
            expected = scipy_mahalanobis(
                new[image, place].double().numpy(), own.mean(0), inverse
            )
            assert float(found[image, place]) == pytest.approx(
                expected, rel=1e-4
            )


def test_moments_add_up_and_leave_out_what_does_not_count():
    rows = draw(9, 2, 4)
    whole = moments(rows)
    first, second = moments(rows[:5]), moments(rows[5:])
    for both, alone in ((first + second, whole), (whole - second, first)):
        for a, b in zip(both, alone, strict=True):
            torch.testing.assert_close(a, b)
    keep = torch.ones(9, 2, dtype=torch.bool)
    keep[3:, 1] = False
    part = moments(rows.masked_fill(~keep[..., None], float('nan')), keep)
    assert part.count.tolist() == [9, 3]
    expected = moments(rows[:3])
    torch.testing.assert_close(part.second[1], expected.second[1])
    torch.testing.assert_close(part.first[0], whole.first[0])


def test_far_features_lose_no_digits():
    rows = draw(50, 1, 3) * 0.01 + 1000
    fitted = fit_gaussian(moments(rows), shrink=1e-6)
    spread = mahalanobis(rows, fitted).square().mean()
    assert float(spread) == pytest.approx(3, rel=0.1)


def test_too_few_features_are_refused():
    with pytest.raises(ValueError, match='place 1 has 1'):
        keep = torch.tensor([[True, True], [True, False]])
        fit_gaussian(moments(draw(2, 2, 3), keep))
    with pytest.raises(ValueError, match='shrink must be positive'):
        fit_gaussian(moments(draw(4, 1, 2)), 0.0)
