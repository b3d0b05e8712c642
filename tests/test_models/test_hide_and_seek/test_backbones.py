"""The networks of CAM and Hide-and-Seek: sizes, and torchvision's weights."""

import pytest
import torch
import torchvision
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from mmocc.models.hide_and_seek import VGGGAP, AlexNetGAP

# Weights and biases, by hand: kernel^2 x in x out / groups + out
ALEXNET = (
    (11**2 * 3 + 1) * 96
    + (5**2 * 96 + 1) * 256
    + (3**2 * 256 + 1) * 384
    + 2 * (3**2 * 384 + 1) * 384
    + (3**2 * 384 + 1) * 512
    + (3**2 * 512 + 1) * 512
)
# conv2, conv4 to conv7 have half of their weights
ALEXNET_GROUPS = (
    ALEXNET
    - (5**2 * 96 * 256 + 2 * 3**2 * 384**2 + 3**2 * (384 + 512) * 512) // 2
)
# VGG-16's convolutions have 14,714,688 (arXiv 1409.1556, without FC layers)
VGG = 14_714_688 + (3**2 * 512 + 1) * 1024


def googlenet(kernel):
    """Count torchvision's weights up to 4e, and our last convolution's."""
    net = torchvision.models.googlenet(weights=None, init_weights=False)
    total, large = 0, 0
    for name, layer in net.named_children():
        total += count(layer)
        if name.startswith('inception'):
            large += layer.branch3[1].conv.weight.numel()
        if name == 'inception4e':
            break
    last = 3**2 * 832 * 1024 + 2 * 1024  # no bias, but batch norm
    return total - large + large * kernel**2 // 9 + last


def inception():
    """Count torchvision's weights up to Mixed_6e, and two convolutions."""
    net = torchvision.models.inception_v3(weights=None, init_weights=False)
    total = 0
    for name, layer in net.named_children():
        total += count(layer)
        if name == 'Mixed_6e':
            break
    return total + (3**2 * 768 + 1) * 1024 + (3**2 * 1024 + 1) * 1024


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def map_of(model, side):
    """Return the shape of the map of an image of this side."""
    model.eval()
    with torch.no_grad():
        (feat,) = model(torch.zeros(1, 3, side, side))
    return tuple(feat.shape[1:])


@pytest.mark.parametrize(
    ('cfg', 'channels', 'side', 'parameters'),
    [
        (dict(type='AlexNetGAP'), 512, 11, ALEXNET),
        (dict(type='AlexNetGAP', groups=2), 512, 11, ALEXNET_GROUPS),
        (dict(type='GoogLeNetGAP'), 1024, 14, googlenet(5)),
        (dict(type='GoogLeNetGAP', branch_kernel=3), 1024, 14, googlenet(3)),
        (dict(type='VGGGAP'), 1024, 14, VGG),
        (dict(type='VGGGAP', large_maps=True), 1024, 28, VGG),
        (dict(type='InceptionV3CAM'), 1024, 14, inception()),
        (dict(type='InceptionV3CAM', large_maps=True), 1024, 28, inception()),
    ],
)
def test_parameters_and_maps_are_those_of_the_layer_list(
    cfg, channels, side, parameters
):
    model = build(dict(cfg, type=f'mmocc.{cfg["type"]}'))
    assert count(model) == parameters
    for image in (224, 227):
        assert map_of(model, image) == (channels, side, side)


def test_fewer_stages_of_vgg_have_larger_maps():
    cfg = dict(type='mmocc.VGGGAP', depth=11, num_stages=4)
    cfg.update(dilations=(1,) * 4, out_channels=8)
    assert map_of(build(cfg), 64) == (8, 8, 8)
    assert map_of(build(dict(cfg, large_maps=True)), 64) == (8, 16, 16)


def test_the_layers_of_alexnet_are_the_paper_s():
    model = build(dict(type='mmocc.AlexNetGAP'))
    names = [name for name, _ in model.named_children()]
    assert names == [
        'conv1', 'pool1', 'lrn1', 'conv2', 'pool2', 'lrn2', 'conv3', 'conv4',
        'conv5', 'pool5', 'conv6', 'conv7',
    ]  # fmt: skip
    first = model.conv1(torch.zeros(1, 3, 224, 224))
    assert first.shape == (1, 96, 55, 55)  # the paper's
    # Caffe's local_size 5, alpha 1e-4, beta 0.75: PyTorch divides alpha by 5
    x = torch.randn(1, 8, 1, 1)
    near = x[0, 1:6].square().sum()
    expected = x[0, 3] / (1 + 1e-4 / 5 * near) ** 0.75
    torch.testing.assert_close(model.lrn1(x)[0, 3], expected)


def test_inception_is_torchvision_s_with_other_paddings():
    theirs = torchvision.models.inception_v3(weights=None, init_weights=False)
    ours = build(dict(type='mmocc.InceptionV3CAM'))
    lost = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert all(name.startswith('SPG') for name in lost.missing_keys)
    assert all(
        name.startswith(('AuxLogits', 'Mixed_7', 'fc'))
        for name in lost.unexpected_keys
    )
    theirs.eval()
    ours.eval()
    x = torch.randn(1, 288, 17, 17)
    with torch.no_grad():
        narrow, wide = theirs.Mixed_6a(x), ours.Mixed_6a(x)
        # Of every second position: theirs starts with the first whole window.
        torch.testing.assert_close(wide[..., 1:-1:2, 1:-1:2], narrow)
        maps = torch.randn(1, 768, 5, 5)
        for name in ('Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'):
            after = theirs.get_submodule(name)(maps)
            torch.testing.assert_close(ours.get_submodule(name)(maps), after)
        # With their paddings, the stem is theirs as well.
        ours.Conv2d_1a_3x3.conv.padding = (0, 0)
        for pool in (ours.maxpool1, ours.maxpool2):
            pool.padding, pool.ceil_mode = 0, False
        images = torch.randn(1, 3, 79, 79)
        torch.testing.assert_close(
            output_of(ours, 'Mixed_5d', images),
            output_of(theirs, 'Mixed_5d', images),
        )


def test_dropout_of_inception_is_before_and_after_the_new_layers():
    net = build(dict(type='mmocc.InceptionV3CAM', dropout=0.5))
    torch.manual_seed(0)
    images = torch.randn(2, 3, 75, 75)
    with torch.no_grad():
        seen = []
        for layer in (net.SPG_A3_1b, net.SPG_A3_2b):
            layer.register_forward_pre_hook(
                lambda module, args: seen.append(args[0])
            )
        for training in (True, False):
            net.train(training)
            seen.extend(net(images))
    zeros = [(x == 0).float().mean().item() for x in seen]
    # Each of the three maps: dropped in training, not in evaluation
    for dropped, whole in zip(zeros[:3], zeros[3:], strict=True):
        assert dropped > whole + 0.1


def torchvision_net(name):
    kwargs = {}
    if name == 'googlenet':
        kwargs = dict(init_weights=False, transform_input=True)
    torch.manual_seed(1)
    return torchvision.models.get_model(name, weights=None, **kwargs).eval()


def output_of(net, last, x):
    """Return the output of this layer of a network."""
    outputs = []
    layer = net.get_submodule(last)
    handle = layer.register_forward_hook(lambda m, i, out: outputs.append(out))
    net.eval()
    with torch.no_grad():
        net(x)
    handle.remove()
    return outputs[0]


ALEX = dict(type='mmocc.AlexNetGAP', arch='owt', lrn=False)
VGG_BN = dict(type='mmocc.VGGGAP', depth=11, norm_cfg=dict(type='BN'))
GOOGLE = dict(type='mmocc.GoogLeNetGAP', branch_kernel=3, transform_input=True)
CASES = [
    # torchvision's name, its last layer that we have, ours, our last of them
    ('alexnet', 'features.11', ALEX, 'conv5'),
    ('vgg16', 'features.29', dict(type='mmocc.VGGGAP'), 'features.16'),
    ('vgg11_bn', 'features.27', VGG_BN, 'features.11'),
    ('googlenet', 'inception4e', GOOGLE, 'inception4e'),
]


@pytest.mark.parametrize(('name', 'last', 'cfg', 'ours'), CASES)
def test_torchvision_s_weights_give_torchvision_s_features(
    name, last, cfg, ours, tmp_path
):
    net = torchvision_net(name)
    path = tmp_path / 'theirs.pth'
    torch.save(net.state_dict(), path)
    init = dict(type='Pretrained', checkpoint=str(path))
    model = build(dict(cfg, init_cfg=init))
    model.init_weights()
    x = torch.randn(2, 3, 64, 64)
    expected = output_of(net, last, x)
    assert expected.abs().max() > 0
    torch.testing.assert_close(output_of(model, ours, x), expected)


def test_inside_a_classifier_they_load_as_well():
    net = torchvision_net('alexnet')
    state = {f'backbone.{k}': v for k, v in net.state_dict().items()}
    names = list(state)
    model = build(
        dict(
            type='ImageClassifier',
            backbone=ALEX,
            head=dict(type='mmocc.CAMHead', num_classes=2, in_channels=512),
        )
    )
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert all(key.startswith('backbone.classifier.') for key in unexpected)
    assert set(missing) == {
        f'{layer}.{kind}'
        for layer in ('backbone.conv6.conv', 'backbone.conv7.conv', 'head.fc')
        for kind in ('weight', 'bias')
    }
    assert list(state) == names  # the caller's dict does not change


def test_mmpretrain_s_vgg_loads_by_prefix(tmp_path):
    theirs = build(dict(type='VGG', depth=11))
    state = {f'backbone.{k}': v for k, v in theirs.state_dict().items()}
    path = tmp_path / 'theirs.pth'
    torch.save(state, path)
    init = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
    model = build(dict(type='mmocc.VGGGAP', depth=11, init_cfg=init))
    model.init_weights()
    for key, value in theirs.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='mmocc.AlexNetGAP', norm_cfg=dict(type='BN')),
        dict(type='mmocc.GoogLeNetGAP'),
        dict(type='mmocc.VGGGAP', depth=11),
    ],
)
def test_own_checkpoints_load_strictly(cfg):
    first, second = build(cfg), build(cfg)
    second.load_state_dict(first.state_dict(), strict=True)
    for key, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[key], value)


@pytest.mark.parametrize(
    ('name', 'cfg', 'remedy'),
    [
        (
            'alexnet',
            dict(type='mmocc.AlexNetGAP'),
            r'features.0.weight \(64, 3, 11, 11\).*conv1.conv.weight is '
            r'\(96, 3, 11, 11\)',
        ),
        (
            'vgg11_bn',
            dict(type='mmocc.VGGGAP', depth=11),
            'features.1.weight .*not there.*settings',
        ),
        ('googlenet', dict(type='mmocc.GoogLeNetGAP'), 'branch_kernel=3'),
        (
            'alexnet',
            dict(type='mmocc.AlexNetGAP', arch='big'),
            r"'big' is none of \['cam', 'owt'\]",
        ),
    ],
)
def test_weights_of_other_layers_are_refused(name, cfg, remedy):
    net = torchvision_net(name)
    with pytest.raises(ValueError, match=remedy):
        build(cfg).load_state_dict(net.state_dict(), strict=False)


def test_caffes_padding_and_groups_keep_the_maps_size():
    net = AlexNetGAP(padding=0, groups=2)
    assert net(torch.zeros(1, 3, 227, 227))[0].shape == (1, 512, 11, 11)
    assert net.conv1.conv.padding == (0, 0)
    assert net.conv2.conv.padding == (2, 2)
    whole, halves = (VGGGAP(depth=11, groups=n) for n in (1, 2))
    assert halves.conv6.conv.groups == 2
    sizes = [net.conv6.conv.weight.numel() for net in (whole, halves)]
    assert sizes[0] == 2 * sizes[1]
