"""Caffe's networks of CAM, computed apart from ours, and converted."""

import sys

import caffe_files
import numpy as np
import pytest
import torch
from conftest import ROOT, import_tool
from mmengine.registry import init_default_scope
from torch.nn import functional as F

TOOL = ROOT / 'tools/model_converters/caffe_cam.py'
CLASSES = 6


@pytest.fixture(scope='module')
def tool():
    init_default_scope('mmpretrain')
    return import_tool(TOOL)


def conv(x, blobs, stride=1, pad=0, groups=1):
    """Convolve group by group, and rectify."""
    weight, bias = map(torch.from_numpy, blobs)
    parts = zip(x.chunk(groups, 1), weight.chunk(groups), strict=True)
    y = [F.conv2d(a, w, None, stride, pad) for a, w in parts]
    return torch.relu(torch.cat(y, 1) + bias[:, None, None])


def pool(x, stride, pad=0):
    return F.max_pool2d(x, 3, stride, pad, ceil_mode=True)


def lrn(x):
    """Divide by the energy of five channels, as Caffe defines it."""
    energy = x**2
    padded = torch.cat([energy.new_zeros(energy[:, :2].shape)] * 2, 1)
    padded = torch.cat([padded[:, :2], energy, padded[:, :2]], 1)
    total = sum(padded[:, i : i + x.shape[1]] for i in range(5))
    return x / (1 + 1e-4 / 5 * total) ** 0.75


def answer(x, blobs):
    weight, bias = map(torch.from_numpy, blobs)
    return x.mean((2, 3)) @ weight.T + bias


def alexnet_layers(rng):
    shapes = [
        (96, 3, 11, 11),
        (256, 48, 5, 5),
        (384, 256, 3, 3),
        (384, 192, 3, 3),
        (384, 192, 3, 3),
        (512, 192, 3, 3),
        (512, 256, 3, 3),
    ]
    layers = {
        f'conv{i}': caffe_files.random_layer(rng, shape)
        for i, shape in enumerate(shapes, 1)
    }
    return {**layers, 'fc9': caffe_files.random_layer(rng, (CLASSES, 512))}


def alexnet(x, layers):
    """Return the scores of BGR images, after its prototxt."""
    x = lrn(pool(conv(x, layers['conv1'], stride=4), 2))
    x = lrn(pool(conv(x, layers['conv2'], pad=2, groups=2), 2))
    x = conv(x, layers['conv3'], pad=1)
    x = conv(x, layers['conv4'], pad=1, groups=2)
    x = pool(conv(x, layers['conv5'], pad=1, groups=2), 1)
    x = conv(x, layers['conv6'], pad=1, groups=2)
    x = conv(x, layers['conv7'], pad=1, groups=2)
    return answer(x, layers['fc9'])


# 1x1, 3x3 reduced and whole, 5x5 reduced and whole, projection
WIDTHS = {
    '3a': (64, 96, 128, 16, 32, 32),
    '3b': (128, 128, 192, 32, 96, 64),
    '4a': (192, 96, 208, 16, 48, 64),
    '4b': (160, 112, 224, 24, 64, 64),
    '4c': (128, 128, 256, 24, 64, 64),
    '4d': (112, 144, 288, 32, 64, 64),
    '4e': (256, 160, 320, 32, 128, 128),
}
PARTS = ('1x1', '3x3_reduce', '3x3', '5x5_reduce', '5x5', 'pool_proj')


def googlenet_layers(rng):
    shapes = {
        'conv1/7x7_s2': (64, 3, 7, 7),
        'conv2/3x3_reduce': (64, 64, 1, 1),
        'conv2/3x3': (192, 64, 3, 3),
    }
    width = 192
    for block, widths in WIDTHS.items():
        inputs = (width, width, widths[1], width, widths[3], width)
        for part, out, into, side in zip(
            PARTS, widths, inputs, (1, 1, 3, 1, 5, 1), strict=True
        ):
            shapes[f'inception_{block}/{part}'] = (out, into, side, side)
        width = widths[0] + widths[2] + widths[4] + widths[5]
    shapes['CAM_conv'] = (1024, width // 2, 3, 3)
    shapes['CAM_fc'] = (CLASSES, 1024)
    return {k: caffe_files.random_layer(rng, v) for k, v in shapes.items()}


def googlenet(x, layers):
    """Return the scores of BGR images, after its prototxt."""
    x = lrn(pool(conv(x, layers['conv1/7x7_s2'], stride=2, pad=3), 2))
    x = conv(x, layers['conv2/3x3_reduce'])
    x = pool(lrn(conv(x, layers['conv2/3x3'], pad=1)), 2)
    for block in WIDTHS:
        a, b, c, d, e, f = (layers[f'inception_{block}/{p}'] for p in PARTS)
        branches = (
            conv(x, a),
            conv(conv(x, b), c, pad=1),
            conv(conv(x, d), e, pad=2),
            conv(pool(x, 1, pad=1), f),
        )
        x = torch.cat(branches, 1)
        if block == '3b':
            x = pool(x, 2)
    x = conv(x, layers['CAM_conv'], pad=1, groups=2)
    return answer(x, layers['CAM_fc'])


def vgg_layers(rng):
    layers, width = {}, 3
    for stage, (count, out) in enumerate(
        ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1
    ):
        for number in range(1, count + 1):
            shape = (out, width, 3, 3)
            name = f'conv{stage}_{number}'
            layers[name] = caffe_files.random_layer(rng, shape)
            width = out
    layers['CAM_conv'] = caffe_files.random_layer(rng, (1024, 256, 3, 3))
    layers['CAM_fc'] = caffe_files.random_layer(rng, (CLASSES, 1024))
    return layers


def vgg(x, layers):
    """Return the scores of BGR images, after its prototxt."""
    for name, blobs in layers.items():
        if name == 'CAM_conv':
            return answer(conv(x, blobs, pad=1, groups=2), layers['CAM_fc'])
        if name.endswith('_1') and name != 'conv1_1':
            x = F.max_pool2d(x, 2)
        x = conv(x, blobs, pad=1)
    raise AssertionError


NETS = {
    'alexnet-gap': (alexnet_layers, alexnet, 99),
    'googlenet-gap': (googlenet_layers, googlenet, 64),
    'vgg16-gap': (vgg_layers, vgg, 32),
}


@pytest.mark.parametrize('name', NETS)
def test_scores_of_rgb_are_caffes_of_bgr(name, tool):
    make, run, side = NETS[name]
    rng = np.random.default_rng(0)
    layers = make(rng)
    images = torch.from_numpy(rng.normal(0, 50, (2, 3, side, side))).float()
    model = tool.convert(tool.NETWORKS[name], layers)
    with torch.no_grad():
        scores = model(images)
        expected = run(images.flip(1), layers)
    assert expected.std() > 1  # far from equal
    torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-3)


def test_a_file_becomes_a_checkpoint(tool, tmp_path, monkeypatch, capsys):
    pytest.importorskip('google.protobuf')
    layers = alexnet_layers(np.random.default_rng(1))
    path, out = tmp_path / 'net.caffemodel', tmp_path / 'new/net.pth'
    caffe_files.write(path, layers, old=True)
    argv = ['caffe_cam.py', 'alexnet-gap', str(path), str(out)]
    monkeypatch.setattr(sys, 'argv', argv)
    tool.main()
    state = torch.load(out)['state_dict']
    expected = tool.convert(tool.NETWORKS['alexnet-gap'], layers).state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in state)
    printed = capsys.readouterr().out
    assert 'model.backbone.groups=2 model.backbone.padding=0' in printed
    assert 'pipeline.1.scale="(227,227)"' in printed
    with pytest.raises(SystemExit, match='exists'):
        tool.main()
    monkeypatch.setattr(
        sys, 'argv', ['', 'vgg16-gap', str(path), str(tmp_path / 'b.pth')]
    )
    with pytest.raises(SystemExit, match="no layer 'conv1_1'"):
        tool.main()


def test_the_printed_options_fit_the_config(tool):
    from mmengine.config import Config, DictAction

    folder = ROOT / 'configs/hide_and_seek'
    for name, network in tool.NETWORKS.items():
        cfg = Config.fromfile(folder / f'{name}_cam_in1k.py')
        options = tool.test_options(network)
        pairs = (option.split('=', 1) for option in options)
        cfg.merge_from_dict(
            {
                key: DictAction._parse_iterable(value.strip('"'))
                for key, value in pairs
            }
        )
        for key, value in network.backbone.items():
            assert cfg.model.backbone[key] == value
        assert list(cfg.data_preprocessor.mean) == list(tool.MEAN)
        resize = cfg.test_dataloader.dataset.pipeline[1]
        assert tuple(resize.scale) == (network.side,) * 2


def test_layers_that_do_not_fit_are_named(tool):
    layer = torch.nn.Conv2d(4, 6, 3)
    with pytest.raises(ValueError, match=r"'conv' is \(6, 4, 5, 5\)"):
        tool.fill(layer, [np.zeros((6, 4, 5, 5), np.float32)], 'conv')
    with pytest.raises(ValueError, match='3 arrays'):
        tool.fill(layer, [np.zeros(1, np.float32)] * 3, 'conv')
    # Without a bias, as older files may have the last layer
    linear = torch.nn.Linear(2, 3)
    tool.fill(linear, [np.ones((1, 1, 3, 2), np.float32)], 'fc')
    assert linear.bias.abs().sum() == 0 and (linear.weight == 1).all()
