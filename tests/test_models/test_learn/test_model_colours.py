"""Occluders have the colours of the images: order, range, grey."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.structures import DataSample
from torch import nn

RED = np.uint8([20, 40, 220])  # BGR
MEAN, STD = [125.0, 120.0, 110.0], [50.0, 51.0, 52.0]


@pytest.fixture(scope='module')
def red(tmp_path_factory):
    """Banks whose texture and cut-out are red all over."""
    root = tmp_path_factory.mktemp('red')
    banks = {}
    for name, channels in (('texture_bank', 3), ('object_bank', 4)):
        (root / name).mkdir()
        image = np.full((40, 40, channels), 255, np.uint8)
        image[..., :3] = RED
        cv2.imwrite(str(root / name / 'red.png'), image)
        banks[name] = str(root / name)
    return dict(banks, kinds=('texture', 'object'))


def build(preprocessor, kind='mmocc.LEARNClassifier', channels=3, **occluder):
    neck = dict(type='GlobalAveragePooling')
    learn = dict(type='mmocc.LEARN', in_channels=64)
    cfg = dict(
        type=kind,
        data_preprocessor=preprocessor,
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=8,
            base_channels=8,
            in_channels=channels,
        ),
        neck=[learn, neck] if 'LEARN' in kind else neck,
        head=dict(
            type='LinearClsHead', num_classes=10, in_channels=64, topk=1
        ),
        occluder=occluder,
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(copy.deepcopy(cfg))


def seen_by(model):
    """Collect the batches that a model's backbone gets."""
    batches = []
    model.backbone.register_forward_pre_hook(
        lambda module, args: batches.append(args[0])
    )
    return batches


def samples_of(files, num=4):
    meta = dict(img_path='a.png') if files else {}
    return [DataSample(metainfo=meta).set_gt_label(i) for i in range(num)]


def step(model, images, files=True):
    """Train on (N, C, H, W) uint8 images; return those with an occluder."""
    batches = seen_by(model)
    samples = samples_of(files, len(images))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = model.data_preprocessor(
            dict(inputs=list(images), data_samples=samples), training=True
        )
    model.loss(**data)
    return batches[-1][len(images) :]


def raw(batch, mean=MEAN, std=STD):
    """Return normalised images in 0-255 units again."""
    mean, std = (torch.tensor(x).view(1, -1, 1, 1) for x in (mean, std))
    return batch * std + mean


def assert_hidden_by(images, colour):
    """Some pixels have the colour, and nearly all others are black."""
    colour = torch.tensor(colour, dtype=torch.float32).view(1, -1, 1, 1)
    hidden = ((images - colour).abs() < 1.5).all(dim=1)
    black = (images.abs() < 1.5).all(dim=1)
    assert (hidden.float().mean(dim=(1, 2)) > 0.1).all()
    assert (hidden | black).float().mean() > 0.9  # a cut-out's rim is mixed


BLACK = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
BOTH = pytest.mark.parametrize(
    'kind', ['mmocc.LEARNClassifier', 'mmocc.OcclusionAugClassifier']
)


@BOTH
@pytest.mark.parametrize(
    ('to_rgb', 'files', 'options', 'order'),
    [
        (False, True, {}, 'bgr'),
        (True, True, {}, 'rgb'),
        (False, False, {}, 'rgb'),  # mmpretrain's CIFAR
        (True, False, {}, 'rgb'),
        (False, True, dict(channel_order='rgb'), 'rgb'),
        (True, True, dict(channel_order='bgr'), 'bgr'),
        (True, True, dict(bgr_to_rgb=False), 'bgr'),
        (False, True, dict(bgr_to_rgb=True), 'rgb'),
    ],
)
def test_red_cut_outs_and_textures_are_red_to_the_model(
    red, kind, to_rgb, files, options, order
):
    preprocessor = dict(mean=MEAN, std=STD, to_rgb=to_rgb)
    model = build(preprocessor, kind, **red, **options)
    images = raw(step(model, BLACK, files))
    assert_hidden_by(images, RED if order == 'bgr' else RED[::-1].copy())


def test_stock_cifar_is_rgb_from_its_data_set_to_the_model(red, monkeypatch):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        images = [
            dict(img=np.full((32, 32, 3), (220, 40, 20), np.uint8), gt_label=i)
            for i in range(4)
        ]
        kind = DATASETS.get('CIFAR10')
        monkeypatch.setattr(kind, 'load_data_list', lambda self: images)
        cifar = kind(
            data_root='x', split='train', pipeline=[dict(type='PackInputs')]
        )
        items = [cifar[i] for i in range(4)]
    model = build(dict(mean=MEAN, std=STD, to_rgb=False), **red)
    batches = seen_by(model)
    data = {k: [item[k] for item in items] for k in items[0]}
    model.loss(**model.data_preprocessor(data, training=True))
    # red photos under red occluders: the model sees one colour
    seen = raw(batches[-1])
    assert (
        seen - torch.tensor([220.0, 40, 20])[:, None, None]
    ).abs().max() < 2


def test_a_guessed_order_is_logged_where_it_matters(red, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'mmocc.models.learn.model_colours.print_log',
        lambda message, **_: messages.append(message),
    )
    preprocessor = dict(mean=MEAN, std=STD)
    step(build(preprocessor, kinds='noise'), BLACK, files=False)
    assert not messages
    step(build(preprocessor, **red), BLACK, files=False)
    assert len(messages) == 1
    assert "channel_order='bgr'" in messages[0]


@pytest.mark.parametrize('swap', ['bgr_to_rgb', 'rgb_to_bgr', None])
def test_mmengines_preprocessor_is_known(red, swap):
    preprocessor = ImgDataPreprocessor(
        MEAN, STD, **{swap: True} if swap else {}
    )
    images = raw(step(build(preprocessor, **red), BLACK))
    assert_hidden_by(images, RED[::-1].copy() if swap else RED)


class Own(nn.Module):
    """A preprocessor of one's own, that may tell its statistics."""

    device = torch.device('cpu')

    def __init__(self, tell=None):
        super().__init__()
        for name, value in (tell or {}).items():
            setattr(self, name, value)

    def forward(self, data, training=False):
        inputs = torch.stack(data['inputs']).float()
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
        return dict(data, inputs=(inputs - mean) / std)


def test_a_preprocessor_of_ones_own_tells_its_statistics_or_is_refused(red):
    told = build(Own(dict(mean=MEAN, std=STD)), **red)
    assert_hidden_by(raw(step(told, BLACK)), RED)
    given = build(Own(), mean=MEAN, std=STD, **red)
    assert_hidden_by(raw(step(given, BLACK)), RED)
    message = r'from -2\.\d* to -2.*normalised already.*mean and std in 0-255'
    with pytest.raises(ValueError, match=message):
        step(build(Own(), **red), BLACK)
    in_units_of_one = dict(mean=[0.5, 0.5, 0.4], std=[0.2, 0.2, 0.2])
    with pytest.raises(ValueError, match='0-1 units'):
        build(Own(in_units_of_one), **red)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (torch.rand(2, 3, 8, 8), r'from 0.* to (1|0\.9\d*).*normalised'),
        (torch.randn(2, 3, 8, 8), 'normalised already'),
        (torch.rand(2, 4, 8, 8), r'1 or 3 channels.*\(2, 4, 8, 8\)'),
        (torch.rand(2, 3, 8), r'1 or 3 channels.*\(2, 3, 8\)'),
    ],
)
def test_batches_in_no_known_range_are_refused(images, message):
    occluder = MODELS.build(dict(type='mmocc.BatchOccluder'))
    with pytest.raises(ValueError, match=message):
        occluder(images)


def test_raw_and_dark_batches_are_not_refused():
    for top in (2, 20, 256):
        occluder = MODELS.build(dict(type='mmocc.BatchOccluder'))
        images = torch.randint(top, (2, 3, 8, 8)).float()
        images[0, 0, 0, 0] = top - 1
        before = images.clone()
        if top > 2:  # 0 and 1 alone are a mask or a scaled image
            occluder(images)
        assert torch.equal(images, before)


def test_grey_models_get_grey_occluders(red):
    preprocessor = dict(mean=[100.0], std=[50.0])
    model = build(preprocessor, channels=1, **red)
    images = raw(step(model, BLACK[:, :1]), [100.0], [50.0])
    grey = 0.114 * RED[0] + 0.587 * RED[1] + 0.299 * RED[2]
    assert_hidden_by(images, [grey])
    white = build(preprocessor, channels=1, kinds='white')
    images = raw(step(white, BLACK[:, :1]), [100.0], [50.0])
    assert set(images.round().unique().tolist()) == {0, 255}
    noise = build(preprocessor, channels=1, kinds='noise')
    images = raw(step(noise, BLACK[:, :1]), [100.0], [50.0])
    assert images.max() > 240  # as bright as noise in colours


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(channel_order='gbr'), "unknown channel_order 'gbr'"),
        (dict(channel_order='bgr', bgr_to_rgb=True), 'contradicts'),
        (dict(mean=[1.0, 2.0], std=[3.0, 4.0]), 'mean .* has 2 numbers'),
        (dict(std=0.0), 'must be positive'),
    ],
)
def test_colour_options_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmocc.BatchOccluder', **options))(
            torch.zeros(1, 3, 8, 8)
        )


def test_another_number_of_channels_later_is_refused():
    occluder = MODELS.build(dict(type='mmocc.BatchOccluder', mean=9, std=9))
    occluder(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match='a batch of 1 channels after one'):
        occluder(torch.zeros(1, 1, 8, 8))
