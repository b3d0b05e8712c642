"""Scores of redrawings, by value and against independent code."""

import numpy as np
import pytest
import torch

from mmocc.models.dea.anomaly_scores import (
    knn_distance,
    mse,
    pearson,
    rank_mean,
    ssim,
    zscore_mean,
)


def pictures(count=3, channels=1, side=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, side, side, generator=generator)


def test_pearson_is_that_of_numpy_and_that_of_flat_pictures_is_0():
    a, b = pictures(channels=3), pictures(channels=3, seed=1)
    for other in (a, 0.2 + 0.5 * a, 1 - a, b):
        expected = [
            np.corrcoef(x.flatten(), y.flatten())[0, 1]
            for x, y in zip(a.numpy(), other.numpy(), strict=True)
        ]
        assert pearson(a, other).tolist() == pytest.approx(expected, abs=1e-5)
    grey = pearson(torch.full_like(a, 0.3), a)
    assert grey.tolist() == pytest.approx([0] * 3, abs=1e-5)
    flat = torch.full((2, 1, 12, 12), 0.1, requires_grad=True)
    value = pearson(flat, flat.detach())
    assert value.tolist() == pytest.approx([0, 0], abs=1e-3)
    value.sum().backward()
    assert flat.grad.isfinite().all()


def test_mse_of_known_differences_and_scores_of_no_object():
    target = torch.zeros(2, 1, 4, 4)
    recon = target.clone()
    recon[0, 0, 0, :2] = torch.tensor([1.0, 0.5])
    # (1 + 0.25) / 16 pixels; nothing
    assert mse(recon, target).tolist() == [1.25 / 16, 0]
    nothing = torch.zeros(0, 1, 16, 16)
    for score in (pearson, mse, ssim):
        assert score(nothing, nothing).shape == (0,)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip('skimage.metrics')
    a = pictures(side=30)
    b = (a + 0.3 * pictures(side=30, seed=1)).clamp(0, 1)
    expected = []
    for x, y in zip(a[:, 0].numpy(), b[:, 0].numpy(), strict=True):
        options = dict(gaussian_weights=True, use_sample_covariance=False)
        options |= dict(data_range=1.0, sigma=1.5, win_size=11, full=True)
        _, places = metrics.structural_similarity(x, y, **options)
        expected.append(places[5:-5, 5:-5].mean())  # where the window fits
    assert ssim(a, b).tolist() == pytest.approx(expected, abs=1e-4)
    colours = pictures(channels=3)
    assert ssim(colours, colours).tolist() == pytest.approx([1] * 3, abs=1e-5)
    with pytest.raises(ValueError, match=r'11 x 11 pixels, got \(10, 10\)'):
        ssim(pictures(side=10), pictures(side=10))


def test_knn_distance_by_hand_whatever_the_chunks(monkeypatch):
    monkeypatch.setattr('mmocc.models.dea.anomaly_scores.CHUNK', 1)
    bank = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    latents = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    # distances 0, 5, 10 and 5, 0, 5
    assert knn_distance(latents, bank, 1).tolist() == [0, 0]
    assert knn_distance(latents, bank, 2).tolist() == [2.5, 2.5]
    assert knn_distance(latents, bank, 9).tolist() == pytest.approx(
        [5, 10 / 3]
    )
    with pytest.raises(ValueError, match='empty'):
        knn_distance(latents, bank[:0])


REFERENCE = torch.tensor([[0.0, 10.0], [2.0, 30.0], [4.0, 50.0]])


def test_fusions_by_hand():
    # means 2 and 30, deviations 2 and 20
    scores = torch.tensor([[2.0, 30.0], [6.0, 30.0], [0.0, 70.0]])
    expected = [0, (2 + 0) / 2, (-1 + 2) / 2]
    assert zscore_mean(scores, REFERENCE).tolist() == pytest.approx(expected)
    # a score that never varies does not spoil it
    reference = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    assert zscore_mean(torch.ones(1, 2), reference).tolist() == [0]
    # below: 1.5 of 3 (a tie counts half) and 0; 3 and 3; 0 and 2
    scores = torch.tensor([[2.0, 5.0], [9.0, 99.0], [-1.0, 31.0]])
    expected = [0.25, 1, 1 / 3]
    assert rank_mean(scores, REFERENCE).tolist() == pytest.approx(expected)
