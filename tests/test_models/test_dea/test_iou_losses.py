"""Values, limits and gradients of the losses on boxes, and mm's reductions."""

import pytest
import torch
from torchvision.ops import (
    box_iou,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)

from mmocc.models.dea import (
    CIoULoss,
    DIoULoss,
    EIoULoss,
    FocalEIoULoss,
    GIoULoss,
    ciou_loss,
    diou_loss,
    eiou_loss,
    focal_eiou_loss,
    giou_loss,
)

FUNCTIONS = (giou_loss, diou_loss, eiou_loss, focal_eiou_loss)
APART = (giou_loss, diou_loss, ciou_loss, eiou_loss)
CLASSES = (GIoULoss, DIoULoss, CIoULoss, EIoULoss, FocalEIoULoss)
UNIT = (0, 0, 10, 10)
FAR = 1 + 980100 / 1000100
TABLE = [  # prediction, target, IoU, GIoU, DIoU, EIoU
    ('identical', UNIT, UNIT, 1, 0, 0, 0),
    # 25 of 100; centres (2.5, 2.5) and (5, 5): 12.5 of 200; sides (5 / 10)^2
    ('quarter', (0, 0, 5, 5), UNIT, 0.25, 0.75, 0.8125, 1.3125),
    # 25 of 175; C = 15 x 15: 50 of it empty; centres 5, 5 apart: 50 of 450
    ('overlapping', (5, 5, 15, 15), UNIT, 1 / 7, 68 / 63, 61 / 63, 61 / 63),
    # C = 20 x 10 is full; centres 10 apart: 100 of 500
    ('side by side', (10, 0, 20, 10), UNIT, 0, 1, 1.2, 1.2),
    # C = 20 x 20: 200 of 400 empty; centres: 200 of 800
    ('diagonal', (10, 10, 20, 20), UNIT, 0, 1.5, 1.25, 1.25),
    # 36 of 100, same centre; sides (4 / 10)^2 twice
    ('nested', (2, 2, 8, 8), UNIT, 0.36, 0.64, 0.64, 0.96),
    # C = 1000 x 10: 98 % of it empty; centres 990: 980100 of 1000100
    ('far apart', (990, 0, 1000, 10), UNIT, 0, *(1.98, FAR, FAR)),
]
DEGENERATE = {
    'identical': (UNIT, UNIT),
    'zero-size prediction': ((5, 5, 5, 5), UNIT),
    'zero-size target': (UNIT, (5, 5, 5, 5)),
    'both zero, one place': ((5, 5, 5, 5), (5, 5, 5, 5)),
    'both zero, two places': ((5, 5, 5, 5), (7, 5, 7, 5)),
    'zero width': ((5, 0, 5, 10), (5, 0, 5, 10)),
    'tiny': ((0, 0, 1e-5, 1e-5), (0, 0, 1e-5, 2e-5)),
    'far': (UNIT, (1e6, 1e6, 1e6 + 10, 1e6 + 10)),
    'exchanged corners': ((10, 10, 0, 0), UNIT),
}


def boxes(*rows, grad=False):
    return torch.tensor(rows, dtype=torch.float32).requires_grad_(grad)


def random_pairs(num=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low = 250 * torch.rand(2, num, 2, generator=generator)
    size = 2 + 100 * torch.rand(2, num, 2, generator=generator)
    return torch.cat([low, low + size], dim=-1)


@pytest.mark.parametrize('row', TABLE, ids=[row[0] for row in TABLE])
def test_a_pair_of_known_boxes_costs_what_the_formula_says(row):
    _, pred, target, iou, giou, diou, eiou = row
    pred, target = boxes(pred), boxes(target)
    values = [function(pred, target).item() for function in FUNCTIONS]
    expected = [giou, diou, eiou, iou**0.5 * eiou]
    assert values == pytest.approx(expected, abs=1e-6)


def test_giou_diou_and_ciou_equal_torchvision():
    pred, target = random_pairs()
    stock = {
        giou_loss: generalized_box_iou_loss,
        diou_loss: distance_box_iou_loss,
        ciou_loss: complete_box_iou_loss,
    }
    for ours, theirs in stock.items():
        a = pred.clone().requires_grad_()
        b = pred.clone().requires_grad_()
        loss, expected = ours(a, target), theirs(b, target)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
        loss.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_eiou_is_the_formula_of_the_efficient_iou():
    pred, target = random_pairs()
    for p, t, loss in zip(
        pred.tolist(), target.tolist(), eiou_loss(pred, target), strict=True
    ):
        w = max(0, min(p[2], t[2]) - max(p[0], t[0]))
        h = max(0, min(p[3], t[3]) - max(p[1], t[1]))
        pw, ph, tw, th = p[2] - p[0], p[3] - p[1], t[2] - t[0], t[3] - t[1]
        iou = w * h / (pw * ph + tw * th - w * h)
        cw = max(p[2], t[2]) - min(p[0], t[0])
        ch = max(p[3], t[3]) - min(p[1], t[1])
        rho_x = (p[0] + p[2] - t[0] - t[2]) / 2
        rho_y = (p[1] + p[3] - t[1] - t[3]) / 2
        value = 1 - iou + (rho_x**2 + rho_y**2) / (cw**2 + ch**2)
        value += (pw - tw) ** 2 / cw**2 + (ph - th) ** 2 / ch**2
        assert loss.item() == pytest.approx(value, abs=1e-5)


def test_focal_eiou_weighs_by_iou_and_gives_the_weight_no_gradient():
    pred, target = random_pairs()
    pred.requires_grad_()
    weight = box_iou(pred, target).diagonal().detach() ** 1.5
    assert 0 < (weight > 0).sum() < len(weight)
    loss = focal_eiou_loss(pred, target, gamma=1.5)
    expected = weight * eiou_loss(pred, target)
    torch.testing.assert_close(loss, expected)
    (grad,) = torch.autograd.grad(loss.sum(), pred)
    (wanted,) = torch.autograd.grad(expected.sum(), pred)
    torch.testing.assert_close(grad, wanted)


def test_focal_eiou_is_divided_in_both_ways_of_the_paper():
    # IoU 0.25 and EIoU 1.3125; IoU 0.36 and EIoU 0.96; far apart: weight 0
    pred = boxes((0, 0, 5, 5), (2, 2, 8, 8), (990, 0, 1000, 10))
    target = boxes(UNIT, UNIT, UNIT)
    weighted = 0.5 * 1.3125 + 0.6 * 0.96  # 1.23225
    plain = FocalEIoULoss(loss_weight=2.0)
    by_weight = FocalEIoULoss(loss_weight=2.0, divisor='weights')
    near = pytest.approx
    assert plain(pred, target).item() == near(2 * weighted / 3)
    assert plain(pred, target, avg_factor=6).item() == near(2 * weighted / 6)
    expected = near(2 * weighted / 1.1)
    assert by_weight(pred, target).item() == expected
    assert by_weight(pred, target, avg_factor=6).item() == expected
    # Weights of the call count in both sums: (0.65625 + 2 x 0.576) / 1.7
    weight = torch.tensor([1.0, 2, 1])
    expected = near(2 * (0.65625 + 1.152) / 1.7)
    assert by_weight(pred, target, weight).item() == expected
    wide = weight[:, None].repeat(1, 4)
    assert by_weight(pred, target, wide).item() == expected
    total = by_weight(pred, target, reduction_override='sum')
    assert total.item() == near(2 * weighted)
    # SSD's head takes single losses, and divides their sum by their number.
    single = by_weight(pred, target, weight, reduction_override='none')
    assert single.sum().item() / 4 == expected
    # The divisor is a constant: its gradient is that of the sum, shrunk.
    pred.requires_grad_()
    (grad,) = torch.autograd.grad(by_weight(pred, target), pred)
    (whole,) = torch.autograd.grad(plain(pred, target) * 3 / 1.1, pred)
    torch.testing.assert_close(grad, whole)
    apart = by_weight(pred[2:], target[2:])
    apart.backward()
    assert apart.item() == 0
    assert not by_weight(torch.empty(0, 4), torch.empty(0, 4)).item()
    with pytest.raises(ValueError, match="unknown divisor 'sum'"):
        FocalEIoULoss(divisor='sum')


@pytest.mark.parametrize('case', DEGENERATE)
@pytest.mark.parametrize('function', [*FUNCTIONS, ciou_loss])
def test_gradients_are_finite_everywhere(function, case):
    pred, target = (boxes(b, grad=True) for b in DEGENERATE[case])
    loss = function(pred, target)
    loss.sum().backward()
    assert (loss.isfinite() & (loss >= 0)).all()
    assert pred.grad.isfinite().all() and target.grad.isfinite().all()


@pytest.mark.parametrize('function', APART)
def test_farther_boxes_cost_more_and_the_gradient_pulls_them_near(function):
    gaps = torch.tensor([1.0, 5, 20, 100, 1000, 10000])
    pred = boxes(*[UNIT] * 6)
    pred[:, ::2] += 10 + gaps[:, None]
    pred.requires_grad_()
    loss = function(pred, boxes(*[UNIT] * 6))
    assert (loss.diff() > 0).all()
    assert loss[0] > 1
    loss.sum().backward()
    assert (pred.grad[:, 0] > 0).all()  # a step against it goes left
    exchanged = boxes((10, 10, 0, 0))  # corners: never a good box
    assert function(exchanged, boxes(UNIT)).item() >= 1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('function', FUNCTIONS)
def test_half_precision_is_computed_in_float32(function, dtype):
    # both types hold whole numbers up to 256, but no areas up to 65536
    pred, target = random_pairs().mul(0.7).round().clamp(max=256)
    target[:, 2:] = torch.max(target[:, 2:], target[:, :2] + 1)
    loss = function(pred.to(dtype), target.to(dtype))
    assert loss.dtype == torch.float32
    assert torch.equal(loss, function(pred, target))
    torch.testing.assert_close(function(8 * pred, 8 * target), loss)
    plain = EIoULoss()(pred, target)
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(EIoULoss()(pred, target), plain)


@pytest.mark.parametrize('cls', CLASSES)
def test_weights_and_reductions_are_those_of_mm(cls):
    pred, target = random_pairs(6)
    each = 10 * cls().compute(pred, target)
    weight = torch.tensor([1.0, 0, 2, 0.5, 0, 1])
    weighted, pair = each * weight, (pred, target)
    loss = cls(loss_weight=10.0)
    close = torch.testing.assert_close
    close(loss(*pair), each.mean())
    close(loss(*pair, weight), weighted.mean())
    close(loss(*pair, weight[:, None].repeat(1, 4)), weighted.mean())
    close(loss(*pair, weight, avg_factor=3), weighted.sum() / 3)
    close(loss(*pair, weight, reduction_override='sum'), weighted.sum())
    close(loss(*pair, weight, reduction_override='none'), weighted)
    close(cls(10.0, reduction='sum')(*pair), each.sum())


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('cls', CLASSES)
def test_nothing_to_compare_costs_nothing_and_has_a_gradient(cls, reduction):
    pred = torch.empty(0, 4, requires_grad=True)
    loss = cls(reduction=reduction)(pred, torch.empty(0, 4))
    assert loss.sum().item() == 0
    loss.sum().backward()
    assert pred.grad.shape == (0, 4)
    pred = boxes(UNIT, grad=True)
    loss = cls()(pred, boxes(UNIT) + 1, torch.zeros(1), avg_factor=0)
    loss.backward()
    assert loss.item() == 0
    assert pred.grad.abs().sum() == 0


def test_bad_arguments_are_named():
    pair = boxes(UNIT), boxes(UNIT)
    with pytest.raises(ValueError, match=r"unknown reduction 'max'"):
        GIoULoss(reduction='max')
    with pytest.raises(ValueError, match=r"unknown reduction 'max'"):
        GIoULoss()(*pair, reduction_override='max')
    with pytest.raises(ValueError, match='avg_factor goes with'):
        GIoULoss(reduction='sum')(*pair, avg_factor=2)
    with pytest.raises(ValueError, match=r'got \(1, 5\) and \(1, 4\)'):
        GIoULoss()(torch.zeros(1, 5), boxes(UNIT))


@pytest.mark.parametrize('loss', [*FUNCTIONS, ciou_loss])
def test_float64_stays_float64_and_gradients_are_those_of_differences(loss):
    generator = torch.Generator().manual_seed(0)
    low = 10 * torch.rand(6, 2, generator=generator, dtype=torch.float64)
    size = 5 + 10 * torch.rand(6, 2, generator=generator, dtype=torch.float64)
    pred = torch.cat([low, low + size], dim=1).requires_grad_()
    target = torch.cat([low + 1.3, low + size + 0.7], dim=1)
    assert loss(pred, target).dtype == torch.float64
    assert loss(pred.float(), target).dtype == torch.float32
    # Their weights are constants for the gradient.
    if loss not in (focal_eiou_loss, ciou_loss):
        assert torch.autograd.gradcheck(lambda x: loss(x, target), pred)
