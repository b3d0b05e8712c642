"""Self-assembly, compared with Eq. 2 and 3 by hand."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS

from mmocc.models.ofer.self_assembly import self_assembly


def cosine(a, b):
    return F.cosine_similarity(a, b, dim=0, eps=1e-6).clamp_min(0)


def paper(feature, mirrored, hole):
    """Eq. 3, position after position, of one map (C, h, w)."""
    _, height, width = feature.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    out, previous = feature.clone(), None
    known = [feature[:, y, x] for y, x in places if not hole[y, x]]
    for y, x in places:
        if not hole[y, x]:
            continue
        p = feature[:, y, x]
        near = mirrored[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        sources = [near.mean(dim=(1, 2))]
        if known:
            sources.append(max(known, key=lambda k: cosine(p, k)))
        if previous is not None:
            sources.append(previous)
        shares = [cosine(p, source) for source in sources]
        total = sum(shares)
        if total > 1e-6:
            parts = zip(shares, sources, strict=True)
            p = sum(share * source for share, source in parts) / total
        out[:, y, x] = previous = p
    return out


def case(seed=0, number=3, channels=5, size=(4, 6)):
    generator = torch.Generator().manual_seed(seed)
    shape = (number, channels, *size)
    feature = torch.randn(shape, generator=generator)
    mirrored = torch.randn(shape, generator=generator)
    hole = torch.rand(number, 1, *size, generator=generator) < 0.4
    return feature, mirrored, hole


def test_equals_the_equation_with_its_gradient():
    feature, mirrored, hole = case()
    hole[1] = False  # numbers of hidden positions differ
    hole[2, :, 1:] = True
    inputs = [x.requires_grad_() for x in (feature, mirrored)]
    out = self_assembly(*inputs, hole).feature
    rows = zip(feature, mirrored, hole[:, 0], strict=True)
    expected = torch.stack([paper(*row) for row in rows])
    assert torch.allclose(out, expected, atol=1e-5)
    weight = torch.randn(out.shape)
    grads = torch.autograd.grad((out * weight).sum(), inputs)
    others = torch.autograd.grad((expected * weight).sum(), inputs)
    for grad, other in zip(grads, others, strict=True):
        assert torch.allclose(grad, other, atol=1e-4)


@pytest.mark.parametrize('mode', ['paper', 'release'])
def test_weights_sum_to_1_and_visible_positions_keep_their_content(mode):
    feature, mirrored, hole = case(size=(7, 5))
    out, weights = self_assembly(feature, mirrored, hole, mode)
    assert torch.allclose(weights.sum(1), torch.ones(3, 7, 5))
    assert weights.min() >= 0
    visible = ~hole.expand_as(feature)
    assert torch.equal(out[visible], feature[visible])
    assert (weights[:, 3:][~hole] == 1).all()
    assert (out[~visible] != feature[~visible]).any()


def test_only_the_mirror_is_used_if_nothing_else_is_similar():
    # Content is one-hot: 0 in the visible part, 1 in mirror and hole.
    feature = torch.zeros(1, 2, 3, 6)
    hole = torch.zeros(1, 1, 3, 6, dtype=torch.bool)
    hole[..., 3:] = True
    feature[:, 0, :, :3] = 1
    feature[:, 1, :, 3:] = 0.1
    mirrored = torch.zeros(1, 2, 3, 6)
    mirrored[:, 1] = 7
    out, weights = self_assembly(feature, mirrored, hole)
    first = out[0, :, 0, 3]
    assert torch.allclose(first, torch.tensor([0.0, 7.0]), atol=1e-4)
    assert weights[0, :, 0, 3].tolist() == pytest.approx([1, 0, 0, 0])
    assert torch.allclose(out[0, 1, :, 3:], torch.full((3, 3), 7.0))


@pytest.mark.parametrize('mode', ['paper', 'release'])
@pytest.mark.parametrize('hidden', [True, False])
def test_all_or_nothing_hidden_is_defined(mode, hidden):
    feature, mirrored, hole = case()
    feature.requires_grad_()
    out, weights = self_assembly(feature, mirrored, hole.fill_(hidden), mode)
    out.square().sum().backward()
    assert out.isfinite().all()
    assert feature.grad.isfinite().all()
    assert torch.allclose(weights.sum(1), torch.ones(3, 4, 6))
    if hidden:
        assert (weights[:, 1] == 0).all()  # no visible position
    else:
        assert torch.equal(out, feature)


@pytest.mark.parametrize('mode', ['paper', 'release'])
def test_blank_features_stay_as_they_are(mode):
    feature = torch.zeros(1, 4, 3, 3, requires_grad=True)
    hole = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    out, _ = self_assembly(feature, feature.detach(), hole, mode)
    out.sum().backward()
    assert (out == 0).all()
    assert feature.grad.isfinite().all()


def test_the_release_starts_with_half_and_half():
    feature, mirrored, hole = case(number=1)
    weights = self_assembly(feature, mirrored, hole, 'release').weights
    first = hole[0, 0].flatten().nonzero()[0, 0]
    got = weights[0].flatten(1)[:, first].tolist()
    assert got == pytest.approx([0.5, 0.5, 0, 0])


def test_detached_weights_are_constants_to_the_gradient():
    feature, mirrored, hole = case()
    # With constant weights the layer is linear in the mirrored map.
    results = []
    for detach in (True, False):
        x = mirrored.clone().requires_grad_()
        out, _ = self_assembly(feature, x, hole, 'paper', detach)
        (grad,) = torch.autograd.grad(out.sum(), x)
        results.append(grad)
    assert not torch.allclose(*results)
    assert (results[0] >= 0).all()
    assert results[0].sum() > 0


def test_autocast_and_half_inputs_are_computed_in_float32():
    feature, mirrored, hole = case()
    half = [x.bfloat16() for x in (feature, mirrored)]
    expected = self_assembly(*(x.float() for x in half), hole).feature
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = self_assembly(*half, hole).feature
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, expected.bfloat16())


def test_wrong_shapes_and_modes_are_refused():
    feature, mirrored, hole = case()
    with pytest.raises(ValueError, match='mirrored map of that shape'):
        self_assembly(feature, mirrored[:, :2], hole)
    with pytest.raises(ValueError, match='hole'):
        self_assembly(feature, mirrored, hole[..., :2])
    with pytest.raises(ValueError, match="mode 'csa'"):
        MODELS.build(dict(type='mmocc.SelfAssembly', mode='csa'))
