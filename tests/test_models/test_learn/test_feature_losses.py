import math

import pytest
import torch

from mmocc.models.learn.feature_losses import (
    feature_distance,
    latent_distance,
)
from mmocc.registry import MODELS


def build(name, **kwargs):
    return MODELS.build(dict(type=f'mmocc.{name}', **kwargs))


REC, INTRA, INTER = (
    'FeatureReconstructionLoss',
    'IntraClassLatentLoss',
    'InterClassLatentLoss',
)


@pytest.mark.parametrize(
    ('distance', 'expected'),
    [
        ('l2', [(1 + 4 + 0 + 1) / 4, 0.0]),
        ('l1', [(1 + 2 + 0 + 1) / 4, 0.0]),
        # positions (1,0)|(0,0) -> cos 0, (1,1)|(3,0) -> cos 1/sqrt 2
        ('cosine', [1 - (0 + 1 / math.sqrt(2)) / 2, 0.0]),
    ],
)
def test_feature_distances_by_hand(distance, expected):
    # (N, C, H, W) = (2, 2, 1, 2)
    pred = torch.tensor([[[[1.0, 1.0]], [[0.0, 1.0]]]]).repeat(2, 1, 1, 1)
    target = pred.clone()
    target[0] = torch.tensor([[[0.0, 3.0]], [[0.0, 0.0]]])
    got = feature_distance(pred, target, distance)
    assert torch.allclose(got, torch.tensor(expected), atol=1e-6)

    vectors = torch.randn(2, 3, 5)
    maps = vectors[..., None, None]  # of one cell
    got = feature_distance(*vectors, distance)
    assert torch.equal(got, feature_distance(*maps, distance))


def test_latent_l2_equals_the_written_out_difference():
    a, b = torch.randn(5, 7), torch.randn(4, 7)
    expected = (a[:, None] - b).square().mean(-1)
    assert torch.allclose(latent_distance(a, b), expected, atol=1e-5)


def test_latent_cosine_is_0_1_2_for_equal_orthogonal_opposite():
    a = torch.tensor([[1.0, 0.0]])
    b = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    assert latent_distance(a, b, 'cosine').tolist() == [[0.0, 1.0, 2.0]]


@pytest.mark.parametrize('distance', ['l2', 'cosine'])
def test_equal_and_zero_latents_have_a_finite_gradient(distance):
    z = torch.zeros(3, 4, requires_grad=True)
    latent_distance(z, z, distance).sum().backward()
    assert z.grad.isfinite().all()


CLEAN = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
OCCLUDED = torch.tensor([[0.0, 0.0], [3.0, 2.0], [0.0, 4.0]])
LABELS = torch.tensor([0, 0, 1])


def pair(i, j):
    z = torch.cat([CLEAN, OCCLUDED])
    return float((z[i] - z[j]).square().sum()) / 2


def mean(values):
    values = list(values)
    return sum(values) / len(values)


POSITIVE_PAIRS = [
    (i, j) for i in (0, 1, 3, 4) for j in (0, 1, 3, 4) if i != j
] + [(2, 5), (5, 2)]
NEGATIVE_PAIRS = [(i, j) for i in (0, 1, 3, 4) for j in (2, 5)] + [
    (j, i) for i in (0, 1, 3, 4) for j in (2, 5)
]


@pytest.mark.parametrize(
    ('positives', 'expected'),
    [
        ('twin', mean(pair(i, i + 3) for i in range(3))),
        ('class', mean(pair(i, j) for i, j in POSITIVE_PAIRS)),
        # centroids of the clean latents: (2, 0) and (0, 2)
        ('centroid', mean([1 / 2, 1 / 2, 0, 4 / 2, 5 / 2, 4 / 2])),
    ],
)
def test_intra_class_loss_by_hand(positives, expected):
    loss = build(INTRA, distance='l2', positives=positives, loss_weight=2.0)
    got = loss(CLEAN, OCCLUDED, LABELS)
    assert got == pytest.approx(2 * expected, rel=1e-5)


def test_inter_class_loss_by_hand():
    loss = build(INTER, distance='l2', margin=5.0, loss_weight=3.0)
    expected = mean(max(0, 5 - pair(i, j)) for i, j in NEGATIVE_PAIRS)
    got = loss(CLEAN, OCCLUDED, LABELS)
    assert got == pytest.approx(3 * expected, rel=1e-5)


@pytest.mark.parametrize('distance', ['l2', 'cosine'])
@pytest.mark.parametrize('positives', ['class', 'twin', 'centroid'])
def test_one_class_and_all_different_give_no_nan(distance, positives):
    intra = build(INTRA, distance=distance, positives=positives)
    inter = build(INTER, distance=distance)
    for labels in (torch.zeros(4).long(), torch.arange(4)):
        clean = torch.randn(4, 32, 1, 1, requires_grad=True)
        occluded = torch.randn(4, 32, 1, 1, requires_grad=True)
        total = intra(clean, occluded, labels) + inter(clean, occluded, labels)
        total.backward()
        assert total.isfinite()
        assert clean.grad.isfinite().all()
    z = torch.randn(4, 8, requires_grad=True)
    no_pair = inter(z, z, torch.zeros(4).long())
    no_pair.backward()
    assert no_pair == 0
    assert (z.grad == 0).all()


def test_the_target_of_the_reconstruction_gets_no_gradient():
    pred = torch.randn(2, 3, 2, 2, requires_grad=True)
    target = pred.detach().clone().requires_grad_()
    build(REC)(pred, target).backward()
    assert target.grad is None
    assert pred.grad is not None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(dtype):
    z = (100 * torch.randn(8, 64)).to(dtype)
    labels = torch.arange(8) % 2
    for loss in (build(INTRA, distance='l2'), build(INTER, distance='l2')):
        full = loss(z.float(), z.float(), labels)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            half = loss(z, z, labels)
        assert half.dtype == torch.float32
        assert torch.allclose(half, full)


@pytest.mark.parametrize(
    ('name', 'kwargs', 'message'),
    [
        (REC, dict(distance='l3'), "distance 'l3'"),
        (INTRA, dict(distance='l1'), "distance 'l1'"),
        (INTRA, dict(positives='all'), "positives 'all'"),
        (INTER, dict(margin=0), 'margin must be positive'),
    ],
)
def test_bad_options_are_refused(name, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(name, **kwargs)
