"""Frozen networks: what they load, give, and never learn."""

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

RESNET = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
CLASSIFIER = dict(
    type='ImageClassifier',
    backbone=RESNET,
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=64),
)
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def build(net, **kwargs):
    model = MODELS.build(dict(type='mmocc.FrozenNet', net=net, **kwargs))
    model.init_weights()
    return model


@pytest.fixture
def saved(tmp_path):
    """Return a trained classifier's checkpoint, and the classifier."""
    torch.manual_seed(3)
    model = MODELS.build(CLASSIFIER).eval()
    path = tmp_path / 'classifier.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path), model


def test_a_classifier_gives_the_logits_of_its_checkpoint(saved):
    path, model = saved
    pretrained = dict(type='Pretrained', checkpoint=path)
    expected = model(IMAGES)
    for net in (
        build(CLASSIFIER, init_cfg=pretrained),
        build(CLASSIFIER | dict(init_cfg=pretrained)),
    ):
        assert torch.equal(net(IMAGES), expected)
        assert net.loaded


def test_a_part_of_a_checkpoint_gives_layers_by_the_callers_names(saved):
    path, model = saved
    net = build(
        RESNET,
        layers=dict(early='layer1', late='layer4'),
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'),
    )
    maps = net(IMAGES)
    assert maps.keys() == {'early', 'late'}
    assert torch.equal(maps['late'], model.backbone(IMAGES)[-1])
    assert maps['early'].shape == (2, 8, 8, 8)
    assert not net.net.layer1._forward_hooks  # none are left behind


def test_pictures_get_a_gradient_but_weights_and_statistics_do_not_change():
    net = build(CLASSIFIER).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = IMAGES.clone().requires_grad_()
    net(images).square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.parameters())
    after = net.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_random_weights_are_spoken_of_once(monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmocc.utils.weights.print_log',
        lambda text, **kwargs: said.append(text),
    )
    net = build(CLASSIFIER)
    net(IMAGES)
    net(IMAGES)
    assert len(said) == 1
    assert 'no checkpoint of ImageClassifier' in said[0]
    other = build(CLASSIFIER)
    other.load_state_dict(net.state_dict())  # as when a run is resumed
    other(IMAGES)
    assert len(said) == 1


def test_wrong_layers_and_checkpoints_are_refused(saved, tmp_path):
    with pytest.raises(ValueError, match="no layer 'layer9'"):
        build(RESNET, layers=dict(late='layer9'))
    path, _ = saved
    wrong = dict(type='Pretrained', checkpoint=path, prefix='neck.')
    with pytest.raises((ValueError, AssertionError)):
        build(RESNET, init_cfg=wrong)
    narrow = RESNET | dict(base_channels=4)
    fits_not = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    with pytest.raises(ValueError, match='does not fit the frozen network'):
        build(narrow, init_cfg=fits_not)
