import numpy as np
import pytest
import torch
from sklearn.svm import OneClassSVM

from mmocc.models.ofer.svdd import (
    KernelSVDD,
    PatchWhitening,
    centre_distances,
    one_class_loss,
    push_from_zero,
    quantile_radius,
    soft_boundary_loss,
)


def test_centre_distances_and_losses_are_the_formulas():
    centre = push_from_zero(torch.tensor([0.0, 0.05, -0.05, 0.5, -2.0]))
    assert torch.allclose(centre, torch.tensor([0.1, 0.1, -0.1, 0.5, -2.0]))
    points = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]], dtype=torch.bfloat16)
    distances = centre_distances(points, torch.zeros(2))
    assert distances.dtype == torch.float32
    assert distances.tolist() == [[5.0], [0.0]]
    distances = torch.tensor([1.0, 1.5, 3.0], requires_grad=True)
    assert one_class_loss(distances).item() == pytest.approx(12.25 / 3)
    # R = 2: 4 + (0 + 0 + 5) / 3 / 0.25; only the outlier is pulled
    loss = soft_boundary_loss(distances, torch.tensor(2.0), 0.25)
    assert loss.item() == pytest.approx(4 + 5 / 3 / 0.25)
    loss.backward()
    assert distances.grad.tolist() == pytest.approx([0, 0, 2 * 3 / 3 / 0.25])


def test_without_patches_the_losses_are_zero_with_a_gradient():
    weight = torch.ones(2, requires_grad=True)
    none = (torch.zeros(0, 2) * weight).sum(1)
    soft = soft_boundary_loss(none, torch.tensor(2.0), 0.1)
    for loss in (one_class_loss(none), soft):
        assert loss == 0
        loss.backward(retain_graph=True)
        assert (weight.grad == 0).all()


def test_a_share_nu_exceeds_the_radius():
    distances = torch.rand(20_000, generator=torch.manual_seed(0))
    for nu in (0.01, 0.5):
        radius = quantile_radius(distances, nu)
        assert abs((distances > radius).float().mean() - nu) < 1e-3
    with pytest.raises(ValueError, match='0 distances'):
        quantile_radius(torch.zeros(0), 0.1)
    with pytest.raises(ValueError, match='1 of them not finite'):
        quantile_radius(torch.tensor([1.0, float('nan')]), 0.1)


@pytest.fixture
def cloud():
    return torch.randn(600, 8, generator=torch.manual_seed(0))


def test_the_kernel_sphere_orders_points_as_the_one_class_svm(cloud):
    svdd = KernelSVDD(nu=0.1)
    svdd.fit(cloud)
    svm = OneClassSVM(nu=0.1, gamma='scale').fit(cloud.double().numpy())
    more = 1.5 * torch.randn(300, 8, generator=torch.manual_seed(1))
    scores = torch.from_numpy(svm.score_samples(more.double().numpy()))
    order = svdd(more).argsort()
    assert torch.equal(order, (-scores).argsort())
    # the SVM's own boundary is the quantile that nu asks for
    radius = quantile_radius(svdd(cloud), 0.1)
    outside = svdd(more) > radius
    wanted = torch.from_numpy(svm.predict(more.double().numpy()) < 0)
    assert (outside == wanted).float().mean() > 0.97


def test_kernel_distances_are_those_in_feature_space(cloud):
    svdd = KernelSVDD(nu=0.2, gamma=0.05)
    svdd.fit(cloud)
    points = torch.cat([svdd.support, cloud[:3]]).double()
    kernel = torch.exp(-0.05 * torch.cdist(points, points).square())
    weight = torch.cat([svdd.weight.double(), torch.zeros(3).double()])
    for place in (-3, -2, -1):
        difference = -weight
        difference[place] += 1
        square = difference @ kernel @ difference
        assert np.isclose(
            svdd(points[place].float()), square.sqrt(), atol=1e-3
        )


def test_the_kernel_sphere_survives_a_checkpoint_of_tensors(tmp_path, cloud):
    svdd = KernelSVDD(nu=0.1)
    with pytest.raises(RuntimeError, match='FitRadiusHook'):
        svdd(cloud)
    svdd.fit(cloud)
    torch.save(svdd.state_dict(), tmp_path / 'svdd.pth')
    other = KernelSVDD(nu=0.1)
    other.load_state_dict(torch.load(tmp_path / 'svdd.pth', weights_only=True))
    assert torch.equal(other(cloud), svdd(cloud))
    far = svdd(cloud[:5] + 1000)
    assert far.isfinite().all()
    assert (far > svdd(cloud).max()).all()
    assert svdd(cloud.view(6, 100, 8)).shape == (6, 100)


# -- whitening ---------------------------------------------------------------

L, D = 3, 5


def latents(number=4000, seed=0):
    """Return Gaussian latents, another mean and covariance at each place."""
    torch.manual_seed(0)
    mean, mix = 3 * torch.randn(L, D), torch.randn(L, D, D)
    torch.manual_seed(seed)
    noise = torch.randn(number, L, D)
    return mean + torch.einsum('nld,lde->nle', noise, mix)


def all_clean(z):
    return torch.ones(z.shape[:2], dtype=torch.bool)


def fitted(*parts, ridge=0.0):
    module = PatchWhitening(L, D, ridge)
    module.fit((z, all_clean(z)) for z in parts)
    return module


def test_each_position_gets_mean_0_and_covariance_1():
    z = latents()
    out = fitted(z[:1000], z[1000:])(z)
    assert out.dtype == torch.float32
    assert out.mean(dim=0).abs().max() < 1e-4
    for place in range(L):
        covariance = torch.cov(out[:, place].T, correction=0)
        assert torch.allclose(covariance, torch.eye(D), atol=1e-3)


def test_occluded_patches_are_not_counted():
    z, clean = latents(), all_clean(latents())
    clean[::3, 1] = False
    wanted = PatchWhitening(L, D)
    wanted.fit([(z, clean)])
    spoilt = z.clone()
    spoilt[~clean] = 1e3
    found = PatchWhitening(L, D)
    found.fit([(spoilt, clean)])
    assert torch.equal(found.mean, wanted.mean)
    assert torch.equal(found.matrix, wanted.matrix)
    rest = z[clean[:, 1], 1].mean(dim=0)
    assert torch.allclose(wanted.mean[1], rest, atol=1e-5)


def test_a_direction_without_variance_does_not_decide():
    z = latents()
    z[..., 0] = 2.0
    module = fitted(z, ridge=0.01)
    moved = z.clone()
    moved[..., 0] += 0.01
    change = (module(moved) - module(z)).norm(dim=-1)
    assert change.max() < 0.1
    assert module(z).isfinite().all()


def test_a_position_that_is_never_clean_is_refused():
    z, clean = latents(10), all_clean(latents(10))
    clean[1:, 2] = False
    with pytest.raises(ValueError, match=r'position 2 .* clean in 1 pic'):
        PatchWhitening(L, D).fit([(z, clean)])
    z[0, 0] = torch.nan
    with pytest.raises(ValueError, match='not finite'):
        PatchWhitening(L, D).fit([(z, all_clean(z))])
