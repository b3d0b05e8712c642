"""ADL and ACoL by the values of their papers' definitions."""

import pytest
import torch
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from mmocc.models.hide_and_seek import ADL, ACoLHead
from mmocc.models.hide_and_seek.acol_head import scale_maps


def test_adl_drops_the_strongest_positions_or_weighs_all():
    # Means over the channels: 1, 2, 3 and 4
    maps = torch.tensor([[[[0.0, 1], [2, 3]], [[2.0, 3], [4, 5]]]])
    drop = ADL(drop_rate=1.0, gamma=0.75)(maps)  # 3 is dropped, too
    expected = maps.clone()
    expected[:, :, 1] = 0
    assert torch.equal(drop, expected)
    weigh = ADL(drop_rate=0.0)(maps)
    attention = torch.tensor([[1.0, 2], [3, 4]])
    torch.testing.assert_close(weigh, maps * attention.sigmoid())
    layer = ADL().eval()
    assert layer(maps) is maps


def test_adls_maximum_is_each_images_own_and_the_choice_the_batchs():
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 10, 100, 1000]).view(4, 1, 1, 1)
    maps = (torch.rand(4, 3, 5, 5) + 0.1) * scale
    layer = ADL(drop_rate=0.5, gamma=0.9)
    kinds = []
    for _ in range(60):
        share = layer(maps) / maps
        dropped = (share == 0).any((1, 2, 3))
        assert dropped.all() or not dropped.any()  # one draw for all
        kinds.append(bool(dropped.all()))
    assert 15 < sum(kinds) < 45
    with pytest.raises(ValueError, match=r'gamma 1\.5'):
        ADL(gamma=1.5)
    with pytest.raises(ValueError, match=r'\(2, 3\)'):
        layer(torch.zeros(2, 3))


def test_adl_takes_tokens():
    tokens = torch.rand(2, 9, 4)
    found = ADL(drop_rate=0.0)(tokens)
    expected = tokens * tokens.mean(2, keepdim=True).sigmoid()
    torch.testing.assert_close(found, expected)


def head(**options):
    """Return a head of two classes on two channels, each its own map."""
    made = ACoLHead(2, 2, channels=(), **options)
    with torch.no_grad():
        for branch, gain in ((made.branch_a, 1.0), (made.branch_b, 2.0)):
            branch[-1].weight.copy_(gain * torch.eye(2)[..., None, None])
            branch[-1].bias.zero_()
    return made


FEATS = torch.tensor([[[[0.0, 1], [4, 10]], [[5.0, 5], [5, 6]]]])


def test_branch_b_sees_what_branch_a_did_not():
    made = head(threshold=0.4)
    # A's map of class 0, scaled: 0, 0.1, 0.4, 1
    erased = made.erased((FEATS,), FEATS[:, 0])
    kept = torch.tensor([[1.0, 1], [0, 0]])
    assert torch.equal(erased, FEATS * kept)
    cam = made.class_maps((FEATS,), torch.tensor([0]))
    # B's map of class 0 on what it sees, scaled: 0, 1, 0, 0
    assert torch.equal(cam, torch.tensor([[[0.0, 1], [0.4, 1]]]))
    flat = torch.full((1, 2, 2), 3.0)
    assert torch.equal(scale_maps(flat), torch.zeros(1, 2, 2))


def test_both_branches_learn_from_the_label():
    made = head(threshold=0.4)
    sample = DataSample().set_gt_label(0)
    losses = made.loss((FEATS,), [sample])
    label = torch.tensor([0])
    a = FEATS.mean((2, 3))
    b = 2 * (FEATS * torch.tensor([[1.0, 1], [0, 0]])).mean((2, 3))
    torch.testing.assert_close(losses['loss_a'], F.cross_entropy(a, label))
    torch.testing.assert_close(losses['loss_b'], F.cross_entropy(b, label))
    assert 'loss' not in losses  # the sum that a log would show
    sum(losses[key] for key in ('loss_a', 'loss_b')).backward()
    assert all(p.grad is not None for p in made.parameters())


def test_predictions_have_as_scores_and_the_fused_maps():
    made = head(threshold=0.4).eval()
    (sample,) = made.predict((FEATS,), [DataSample().set_gt_label(1)])
    expected = FEATS.mean((2, 3)).softmax(1)[0]
    torch.testing.assert_close(sample.pred_score, expected)
    assert sample.pred_label.tolist() == [1]
    labels = torch.tensor([1])
    maps = made.class_maps((FEATS,), labels)[0]
    assert torch.equal(sample.gt_cam, maps)
    assert torch.equal(sample.pred_cam, maps)
    with pytest.raises(ValueError, match='all'):
        head(maps=('all',))
    with pytest.raises(ValueError, match=r'\(0, 1\]'):
        head(threshold=0)
