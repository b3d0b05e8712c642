"""Losses, discriminators and frozen networks of reconstruction."""

import math

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from tiny_recon import CLASSIFIER
from tiny_recon import NET as RESNET

from mmocc.models.ofer.reconstruction_losses import (
    hole_mse,
    relativistic_lsgan,
)

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def build(name, **kwargs):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(type=f'mmocc.{name}', **kwargs))


# -- losses ------------------------------------------------------------------


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
    real, fake = (torch.randn(4, requires_grad=True) for _ in range(2))
    loss = build('RelativisticGANLoss')
    loss(real, fake, for_generator=True).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0
    loss(real, fake, for_generator=False).backward()
    assert real.grad.abs().sum() > 0


def test_consistency_compares_only_the_hole():
    hole = torch.tensor([[[[True, False]]]])
    pred = torch.tensor([[[[3.0, 9.0]], [[1.0, 9.0]]]], requires_grad=True)
    target = torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]], requires_grad=True)
    assert hole_mse(pred, target, hole).item() == pytest.approx((4 + 0) / 2)
    loss = build('FeatureConsistencyLoss', loss_weight=0.5)
    value = loss([pred, 2 * pred], target, hole)
    # second map: 6 and 2 against 1 and 1
    assert value.item() == pytest.approx(0.5 * (2 + (25 + 1) / 2))
    value.backward()
    assert target.grad is None
    assert pred.grad[0, 0, 0, 0] != 0
    assert (pred.grad[..., 1] == 0).all()


def test_consistency_of_nothing_hidden_is_0_with_gradient():
    loss = build('FeatureConsistencyLoss')
    pred = torch.randn(1, 2, 3, 3, requires_grad=True)
    hole = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    value = loss([pred], torch.randn_like(pred), hole)
    value.backward()
    assert value == 0
    assert (pred.grad == 0).all()
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
    # the gradient of softmax cross-entropy: p(reconstructed) - p(true)
    assert logits.grad[0].tolist() == pytest.approx([0.5, -0.5])
    best = loss(target, target)  # the entropy of the target
    assert best < value


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(dtype):
    x, y = torch.randn(2, 3, 4, 4, 4).to(dtype).unbind()
    hole = torch.ones(3, 1, 4, 4)
    gan, semantic = (
        build('RelativisticGANLoss'),
        build('SemanticConsistencyLoss'),
    )
    calls = [
        lambda a, b: gan(a, b, for_generator=True),
        lambda a, b: build('FeatureConsistencyLoss')([a], b, hole),
        lambda a, b: semantic(a[..., 0, 0], b[..., 0, 0]),
    ]
    for call in calls:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            half = call(x, y)
        assert half.dtype == torch.float32
        assert torch.allclose(half, call(x.float(), y.float()))


# -- discriminators ----------------------------------------------------------


def test_discriminators_have_the_size_of_the_release():
    with torch.device('meta'):
        patch = build('PatchDiscriminator')
        feature = build('FeaturePatchDiscriminator')
        assert patch(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)
        maps = torch.zeros(1, 256, 64, 64)
        assert feature(maps).shape == (1, 512, 8, 8)
    for net, count in ((patch, 2_766_529), (feature, 10_487_296)):
        assert sum(p.numel() for p in net.parameters()) == count


def test_discriminators_score_places_separately():
    disc = build('PatchDiscriminator', channels=8, strided=2).eval()
    image = torch.zeros(1, 3, 64, 64)
    assert disc(image).shape == (1, 1, 14, 14)
    # InstanceNorm sees the whole map; without it, fields are 34 px wide.
    for module in disc.layers:
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x
    image.requires_grad_()
    disc(image)[0, 0, 7, 7].backward()
    rows = image.grad[0].abs().sum((0, 2)).nonzero()
    assert rows.max() - rows.min() + 1 == 34


# -- frozen networks ---------------------------------------------------------


def frozen(net, **kwargs):
    model = build('FrozenNet', net=net, **kwargs)
    model.init_weights()
    return model


@pytest.fixture
def saved(tmp_path):
    """Return a trained classifier's checkpoint, and the classifier."""
    torch.manual_seed(3)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(CLASSIFIER).eval()
    path = tmp_path / 'classifier.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path), model


def test_a_classifier_gives_the_logits_of_its_checkpoint(saved):
    path, model = saved
    pretrained = dict(type='Pretrained', checkpoint=path)
    expected = model(IMAGES)
    for net in (
        frozen(CLASSIFIER, init_cfg=pretrained),
        frozen(CLASSIFIER | dict(init_cfg=pretrained)),
    ):
        assert torch.equal(net(IMAGES), expected)
        assert net.loaded


def test_a_part_of_a_checkpoint_gives_layers_by_the_callers_names(saved):
    path, model = saved
    net = frozen(
        RESNET,
        layers=dict(early='layer1', late='layer4'),
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'),
    )
    maps = net(IMAGES)
    assert maps.keys() == {'early', 'late'}
    assert torch.equal(maps['late'], model.backbone(IMAGES)[-1])
    assert maps['early'].shape == (2, 8, 8, 8)
    assert not net.net.layer1._forward_hooks  # all are removed


def test_pictures_get_a_gradient_but_weights_and_statistics_do_not_change():
    net = frozen(CLASSIFIER).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = IMAGES.clone().requires_grad_()
    net(images).square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.parameters())
    after = net.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_random_weights_are_logged_once(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmocc.utils.weights.note',
        lambda text, **kwargs: lines.append(text),
    )
    net = frozen(CLASSIFIER)
    net(IMAGES)
    net(IMAGES)
    assert len(lines) == 1
    assert 'no checkpoint of ImageClassifier' in lines[0]
    other = frozen(CLASSIFIER)
    other.load_state_dict(net.state_dict())  # as when a run is resumed
    other(IMAGES)
    assert len(lines) == 1


def test_wrong_layers_and_checkpoints_are_refused(saved):
    with pytest.raises(ValueError, match="no layer 'layer9'"):
        frozen(RESNET, layers=dict(late='layer9'))
    path, _ = saved
    wrong = dict(type='Pretrained', checkpoint=path, prefix='neck.')
    with pytest.raises((ValueError, AssertionError)):
        frozen(RESNET, init_cfg=wrong)
    narrow = RESNET | dict(base_channels=4)
    fits_not = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    with pytest.raises(ValueError, match='does not fit the frozen ResNet'):
        frozen(narrow, init_cfg=fits_not)
