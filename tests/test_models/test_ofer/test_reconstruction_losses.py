"""Losses of redrawing, by hand."""

import math

import pytest
import torch
from mmengine.registry import MODELS

from mmocc.models.ofer.feature_consistency_loss import hole_mse
from mmocc.models.ofer.relativistic_gan_loss import relativistic_lsgan


def build(name, **kwargs):
    return MODELS.build(dict(type=f'mmocc.{name}', **kwargs))


@pytest.mark.parametrize(
    ('real', 'fake', 'expected'),
    [
        ([2.0, 2.0], [1.0, 1.0], 0.0),  # 1 above: the discriminator is done
        ([0.0, 0.0], [0.0, 0.0], 1.0),
        # means 2 and 0: (1-0-1)^2, (3-0-1)^2; (0-2+1)^2 twice
        ([1.0, 3.0], [0.0, 0.0], ((0 + 4) / 2 + 1) / 2),
    ],
)
def test_relativistic_loss_by_hand(real, fake, expected):
    real, fake = torch.tensor(real), torch.tensor(fake)
    assert relativistic_lsgan(real, fake) == pytest.approx(expected)
    loss = build('RelativisticGANLoss', loss_weight=3.0)
    assert loss(real, fake, for_generator=False) == pytest.approx(expected)
    # The generator's is the discriminator's with the sides exchanged.
    other = loss(fake, real, for_generator=True)
    assert other == pytest.approx(3 * expected)


def test_real_scores_are_constants_to_the_generator():
    real, fake = torch.randn(2, 4, requires_grad=True).unbind()
    real, fake = (x.detach().requires_grad_() for x in (real, fake))
    loss = build('RelativisticGANLoss')
    loss(real, fake, for_generator=True).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0
    loss(real, fake, for_generator=False).backward()
    assert real.grad.abs().sum() > 0


def test_consistency_looks_at_the_hole_only_and_at_both_sides_of_it():
    hole = torch.tensor([[[[True, False]]]])
    pred = torch.tensor([[[[3.0, 9.0]], [[1.0, 9.0]]]], requires_grad=True)
    target = torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]], requires_grad=True)
    assert hole_mse(pred, target, hole).item() == pytest.approx((4 + 0) / 2)
    loss = build('FeatureConsistencyLoss', loss_weight=0.5)
    value = loss([pred, 2 * pred], target, hole)
    # second map: 6 and 2 against 1 and 1
    assert value.item() == pytest.approx(0.5 * (2 + (25 + 1) / 2) / 2)
    value.backward()
    assert target.grad is None
    assert pred.grad[0, 0, 0, 0] != 0
    assert (pred.grad[..., 1] == 0).all()


def test_consistency_of_nothing_hidden_is_0_with_gradient():
    pred = torch.randn(1, 2, 3, 3, requires_grad=True)
    hole = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    value = build('FeatureConsistencyLoss')(
        [pred], torch.randn_like(pred), hole
    )
    value.backward()
    assert value == 0
    assert (pred.grad == 0).all()


def test_consistency_with_other_features_names_the_remedy():
    loss = build('FeatureConsistencyLoss')
    maps, target = [torch.zeros(1, 4, 8, 8)], torch.zeros(1, 4, 4, 4)
    with pytest.raises(ValueError, match='the channels and the stride'):
        loss(maps, target, torch.ones(1, 1, 8, 8))


def test_semantic_consistency_is_the_cross_entropy_of_soft_targets():
    target = torch.tensor([[0.0, math.log(3)]])  # 1/4, 3/4
    logits = torch.zeros(1, 2, requires_grad=True)  # 1/2, 1/2
    loss = build('SemanticConsistencyLoss', loss_weight=2.0)
    value = loss(logits, target)
    assert value.item() == pytest.approx(2 * math.log(2))
    value.backward()
    # the gradient of softmax cross-entropy: p(redrawn) - p(true)
    assert logits.grad[0].tolist() == pytest.approx([0.5, -0.5])
    best = loss(target, target)  # the entropy of the target
    assert best < value


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(dtype):
    x, y = torch.randn(2, 3, 4, 4, 4).to(dtype).unbind()
    hole = torch.ones(3, 1, 4, 4)
    calls = [
        lambda a, b: build('RelativisticGANLoss')(a, b, for_generator=True),
        lambda a, b: build('FeatureConsistencyLoss')([a], b, hole),
        lambda a, b: build('SemanticConsistencyLoss')(
            a[..., 0, 0], b[..., 0, 0]
        ),
    ]
    for call in calls:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            half = call(x, y)
        assert half.dtype == torch.float32
        assert torch.allclose(half, call(x.float(), y.float()))
