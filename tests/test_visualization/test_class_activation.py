"""Class activation maps, by value and for networks of several kinds."""

import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch.nn import functional as F

from mmocc.visualization import class_activation as module
from mmocc.visualization import target_layers
from mmocc.visualization.class_activation import class_activation

pytest.importorskip('pytorch_grad_cam', reason='pip install "grad-cam>=1.5"')
POOL = dict(type='GlobalAveragePooling')


def build(backbone, neck=POOL, head=None):
    head = dict(
        dict(type='LinearClsHead', num_classes=3, in_channels=64), **head or {}
    )
    torch.manual_seed(0)
    cfg = dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # some start as zero
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def resnet(neck=POOL, head=None, **kwargs):
    sizes = dict(depth=18, stem_channels=8, base_channels=8)
    return build(dict(type='ResNet', **sizes, **kwargs), neck, head)


def vit(head='VisionTransformerClsHead', neck=None, **kwargs):
    arch = dict(
        embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48
    )
    sizes = dict(arch=arch, img_size=(64, 96), patch_size=16)
    backbone = dict(type='VisionTransformer', **sizes, **kwargs)
    return build(backbone, neck, dict(type=head, in_channels=24))


def vit_of_patches():
    patches = dict(out_type='featmap', with_cls_token=False)
    return vit('LinearClsHead', POOL, **patches)


def images(count=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 64, 96, generator=generator)


def scale(cam):
    """Rectify and scale to [0, 1], as grad-cam does."""
    cam = np.maximum(cam, 0)
    cam = cam - cam.min()
    return cam / (1e-7 + cam.max())


def enlarge(cam):
    """Scale, enlarge and scale again, as grad-cam does."""
    return scale(cv2.resize(scale(cam), (96, 64)))


def test_cam_averages_to_the_score_and_equals_grad_cam_up_to_scale():
    model, inputs = resnet(), images()
    cam = class_activation(model, inputs, [2, 0], 'CAM')
    assert cam.shape == (2, 2, 3) and cam.dtype == np.float32
    scores = (model(inputs) - model.head.fc.bias).detach().numpy()
    np.testing.assert_allclose(
        cam.mean(axis=(1, 2)), [scores[0, 2], scores[1, 0]], rtol=1e-4
    )
    maps = class_activation(model, inputs, [2, 0], 'Grad-CAM')
    assert maps.shape == (2, 64, 96) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, [enlarge(one) for one in cam], atol=1e-4)


def test_the_head_of_mmocc_gives_its_own_maps():
    model, inputs = resnet(None, dict(type='mmocc.CAMHead')), images()
    cam = class_activation(model, inputs, None, 'cam')
    with torch.no_grad():
        samples = model.predict(inputs)
    for one, sample in zip(cam, samples, strict=True):
        np.testing.assert_allclose(one, sample.pred_cam.numpy(), rtol=1e-5)


@pytest.mark.parametrize('frozen', [-1, 4])
def test_grad_cam_and_layer_cam_are_those_of_their_papers(frozen):
    model, inputs = resnet(frozen_stages=frozen), images()
    layer = target_layers.find_layer(model, 'backbone.layer3')
    outputs = []
    handle = layer.register_forward_hook(lambda m, i, out: outputs.append(out))
    scores = model(inputs.clone().requires_grad_())
    handle.remove()
    (grads,) = torch.autograd.grad(scores[:, 2].sum(), outputs[0])
    acts, grads = outputs[0].detach().numpy(), grads.numpy()
    expected = dict(
        # arXiv 1610.02391, equations 1 and 2
        gradcam=(grads.mean(axis=(2, 3), keepdims=True) * acts).sum(axis=1),
        # Jiang et al., IEEE TIP 2021, equations 5 to 7
        layercam=(np.maximum(grads, 0) * acts).sum(axis=1),
    )
    for method, cams in expected.items():
        maps = class_activation(model, inputs, 2, method, ['backbone.layer3'])
        expected_maps = [enlarge(cam) for cam in cams]
        np.testing.assert_allclose(maps, expected_maps, atol=1e-4)


def test_score_cam_weighs_channels_by_the_masked_images_scores():
    model, inputs = resnet(), images(1)
    acts = model.backbone(inputs)[-1].detach()
    way = dict(mode='bilinear', align_corners=True)
    masks = F.interpolate(acts, (64, 96), **way)[0, :, None]
    masks = masks - masks.amin(dim=(2, 3), keepdim=True)
    masks = masks / (masks.amax(dim=(2, 3), keepdim=True) + 1e-8)
    with torch.no_grad():  # arXiv 1910.01279, algorithm 1
        weights = model(inputs * masks)[:, 0].softmax(dim=0)
    cam = torch.einsum('c,chw->hw', weights, acts[0]).numpy()
    maps = class_activation(model, inputs, 0, 'score-cam')
    np.testing.assert_allclose(maps[0], enlarge(cam), atol=1e-3)


def test_every_method_of_the_package_gives_maps_of_the_image():
    model, inputs = resnet(), images()
    for method in module.method_classes():
        cam = class_activation(model, inputs, [0, 1], method)
        assert cam.shape == (2, 64, 96), method
        assert ((cam >= 0) & (cam <= 1)).all(), method  # and finite
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(
    ('model', 'layer'),
    [
        (resnet, 'backbone.layer4'),
        # The class token reads the patches in the last attention.
        (vit, 'backbone.layers.1.ln1'),
        (vit_of_patches, 'backbone.ln1'),
    ],
)
def test_the_default_layer_is_the_last_that_the_score_depends_on(model, layer):
    model, inputs = model(), images()
    default = target_layers.default_layer(
        model, inputs, target_layers.extra_tokens(model)
    )
    assert default == (layer, model.get_submodule(layer))
    cam = class_activation(model, inputs, [0, 1])
    assert cam.shape == (2, 64, 96)
    assert cam.max() == pytest.approx(1, abs=1e-5)


def test_a_vit_s_map_lies_as_its_patches_do():
    # Tokens counted from 1 at the class token: patch (y, x) is 6 y + x + 1.
    tokens = torch.arange(25.0).reshape(1, 25, 1)
    maps = target_layers.as_maps(tokens, (64, 96), num_extra_tokens=1)
    assert torch.equal(maps[0, 0], torch.arange(1.0, 25).reshape(4, 6))
    with pytest.raises(ValueError, match=r'25 tokens .* --num-extra-tokens'):
        target_layers.as_maps(tokens, (64, 96))
    with pytest.raises(ValueError, match=r'\(2, 3\) has no map'):
        target_layers.as_maps(torch.zeros(2, 3), (64, 96))


@pytest.mark.parametrize(
    ('count', 'size', 'grid'),
    [
        (196, (224, 224), (14, 14)),
        (24, (64, 96), (4, 6)),
        (24, (96, 64), (6, 4)),
        (12, (60, 100), (3, 4)),  # patches of 20 x 25
        (1, (32, 32), (1, 1)),
    ],
)
def test_tokens_lie_in_a_grid_of_the_image_s_aspect(count, size, grid):
    assert target_layers.token_grid(count, size) == grid
    for wrong in (0, 197, 24):
        with pytest.raises(ValueError, match='no grid of square patches'):
            target_layers.token_grid(wrong, (224, 224))


def test_a_layer_before_an_in_place_relu_keeps_its_own_values():
    maps = []
    for in_place in (False, True):
        model = resnet()
        model.backbone.relu.inplace = in_place
        layers = ['backbone.bn1']
        maps.append(class_activation(model, images(), 0, 'eigencam', layers))
    np.testing.assert_array_equal(*maps)


def test_methods_go_by_any_spelling():
    assert module.check_method('Grad-CAM++') == 'gradcamplusplus'
    assert module.check_method('LayerCAM') == 'layercam'
    assert module.check_method('KPCA_CAM') == 'kpcacam'
    titles = [
        module.method_title(m) for m in ('cam', 'gradcamplusplus', 'kpcacam')
    ]
    assert titles == ['CAM', 'GradCAM++', 'KPCA-CAM']
    with pytest.raises(ValueError, match=r"unknown method 'gradcan'.*'cam'"):
        module.check_method('gradcan')


def test_faults_are_named():
    model, inputs = resnet(), images()
    for network, options, message in (
        (model, (3,), r'category 3 is not in 0 \.\.\. 2'),
        (model, ([0, 1, 2],), '3 categories for 2 images'),
        (model, (0, 'cam', ['backbone.layer5']), "'backbone.layer5'.*layer4"),
        (vit(), (0, 'cam'), 'linear on the averaged outputs'),
        (model.backbone, (), r'gives scores \(N, classes\)'),
    ):
        with pytest.raises(ValueError, match=message):
            class_activation(network, inputs, *options)


def test_a_missing_or_old_package_is_refused(monkeypatch):
    monkeypatch.setattr(module, 'version', lambda name: '1.4.8')
    with pytest.raises(ImportError, match=r'grad-cam 1\.4\.8 is too old'):
        class_activation(resnet(), images(), 0)
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    with pytest.raises(ImportError, match=r'pip install "grad-cam>=1\.5"'):
        class_activation(resnet(), images(), 0)
    # CAM itself needs no package.
    assert class_activation(resnet(), images(), 0, 'cam').shape == (2, 2, 3)
