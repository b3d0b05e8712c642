"""SPG by the values of its definition, written as loops over pixels."""

import math

import pytest
import torch
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from mmocc.models.hide_and_seek import SPGHead
from mmocc.models.hide_and_seek.spg_head import find_seeds, seed_loss


def seeds_of(rows, high, low):
    """Return the seeds of one map, a list of rows, pixel by pixel."""
    flat = [value for row in rows for value in row]
    if sum(value > high for value in flat) < 30:
        high = 0.7 * max(flat)
    kinds = {(True, False): 1.0, (False, False): -1.0}
    return [[kinds.get((v > high, v < low), 0.0) for v in row] for row in rows]


def cross_entropy(logits, seeds):
    """Return the mean over known pixels of one batch, pixel by pixel."""
    losses = []
    for logit, seed in zip(
        logits.flatten().tolist(), seeds.flatten().tolist(), strict=True
    ):
        share = 1 / (1 + math.exp(-logit))
        if seed == 1:
            losses.append(-math.log(share))
        elif seed == 0:
            losses.append(-math.log(1 - share))
    return sum(losses) / len(losses)


def test_seeds_are_object_background_or_unknown():
    torch.manual_seed(0)
    maps = torch.rand(3, 8, 9)
    maps[1] *= 0.6  # none above: 0.7 of the maximum
    maps[2] = 0.05  # all above 0.7 of the maximum, but below low
    seeds = find_seeds(maps, 0.5, 0.1)
    expected = [seeds_of(rows, 0.5, 0.1) for rows in maps.double().tolist()]
    assert torch.equal(seeds, torch.tensor(expected))
    assert {-1.0, 0.0, 1.0} == set(seeds[0].unique().tolist())
    assert (seeds[1] == 1).any() and (seeds[2] == 0).all()


def test_the_threshold_is_lowered_below_thirty_pixels():
    for highest, count in ((30, 30), (29, 49)):
        maps = torch.full((1, 10, 10), 0.1)
        maps.view(-1)[: highest + 20] = 0.8
        maps.view(-1)[:highest] = 1.0
        seeds = find_seeds(maps, 0.9, 0.2)
        assert (seeds == 1).sum() == count
        assert (seeds == 0).sum() == 80 - highest


def test_the_loss_ignores_unknown_pixels():
    torch.manual_seed(1)
    logits = torch.randn(2, 4, 5, dtype=torch.double, requires_grad=True)
    seeds = torch.randint(-1, 2, (2, 4, 5)).double()
    loss = seed_loss(logits, seeds)
    assert loss.item() == pytest.approx(cross_entropy(logits, seeds))
    loss.backward()
    assert torch.equal(logits.grad != 0, seeds != -1)
    nothing = seed_loss(logits, torch.full_like(seeds, -1))
    assert nothing.item() == 0


SIZE = (12, 16)
THRESHOLDS = ((0.8, 0.2), (0.6, 0.3), (0.55, 0.45))


def build(**options):
    torch.manual_seed(0)
    made = SPGHead(
        3,
        6,
        side_channels=(4, 5),
        channels=7,
        guided_channels=8,
        mask_size=SIZE,
        thresholds=THRESHOLDS,
        **options,
    )
    made.init_weights()
    with torch.no_grad():  # about 0.5 and far from it: all kinds of seeds
        made.branch_b[-1].weight.mul_(8)
        logits = made.branch_b(made.branch_b2(features()[1]))
        made.branch_b[-1].bias.sub_(logits.mean())
    return made


def features(count=2):
    torch.manual_seed(1)
    return tuple(torch.rand(count, c, 6, 8) for c in (4, 5, 6))


def enlarged(maps):
    return F.interpolate(maps, SIZE, mode='bilinear', align_corners=False)


def test_each_branch_is_taught_by_the_one_before():
    made, feats = build(), features()
    labels = [2, 0]
    samples = [DataSample().set_gt_label(label) for label in labels]
    losses = made.loss(feats, samples)

    relu = torch.relu
    b1, b2 = (
        enlarged(made.branch_b[2](relu(made.branch_b[0](relu(first[0](x))))))
        for first, x in zip(
            (made.branch_b1, made.branch_b2), feats[:2], strict=True
        )
    )
    c = enlarged(made.branch_c[2](relu(made.branch_c[0](feats[2]))))
    guides = []
    for index, label in enumerate(labels):
        weight = made.fc.weight[label][:, None, None]
        cam = enlarged((feats[2][index] * weight).sum(0)[None, None])[0, 0]
        guides.append((cam - cam.min()) / (cam.max() - cam.min()))
    shares = b2.sigmoid()[:, 0], (b1.sigmoid() + b2.sigmoid())[:, 0] / 2
    for name, logits, guide, pair in zip(
        ('loss_b2', 'loss_b1', 'loss_c'),
        (b2, b1, c),
        (torch.stack(guides), *shares),
        THRESHOLDS,
        strict=True,
    ):
        seeds = [seeds_of(rows, *pair) for rows in guide.tolist()]
        seeds = torch.tensor(seeds)
        assert len(seeds.unique()) == 3, name  # a case of each kind
        expected = cross_entropy(logits, seeds)
        assert losses[name].item() == pytest.approx(expected, rel=1e-5), name
    scores = made.fc(feats[2].mean((2, 3)))
    expected = F.cross_entropy(scores, torch.tensor(labels))
    torch.testing.assert_close(losses['loss_cls'], expected)
    assert set(losses) == {'loss_cls', 'loss_b2', 'loss_b1', 'loss_c'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in made.parameters())


def test_masks_do_not_teach_their_teacher():
    made, feats = build(), features()
    samples = [DataSample().set_gt_label(1) for _ in range(2)]
    made.loss(feats, samples)['loss_b1'].backward()
    assert made.branch_b1[0].weight.grad is not None
    assert made.branch_b2[0].weight.grad is None
    assert made.fc.weight.grad is None


def test_predictions_are_the_cam_heads():
    made, feats = build().eval(), features(1)
    (sample,) = made.predict(feats, [DataSample().set_gt_label(1)])
    expected = (feats[2][0] * made.fc.weight[1][:, None, None]).sum(0)
    torch.testing.assert_close(sample.gt_cam, expected)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(thresholds=((0.1, 0.7),) * 3), 'low <= high'),
        (dict(thresholds=((0.7, 0.1),) * 2), 'three pairs'),
        (dict(side_channels=(1, 2, 3)), 'two numbers'),
        (dict(pool='max'), "pool='avg'"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SPGHead(3, 6, **options)


def test_missing_maps_and_labels_are_named():
    made, feats = build(), features(1)
    sample = DataSample().set_gt_label(1)
    with pytest.raises(ValueError, match='InnerMapsBackbone'):
        made.loss(feats[1:], [sample])
    with pytest.raises(ValueError, match='one label'):
        made.loss(feats, [sample.set_gt_label([0, 1])])
