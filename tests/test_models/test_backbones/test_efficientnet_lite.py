"""The backbone: sizes, names, freezing, and numbers of its reference."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.registry import MODELS
from torch import nn

from mmocc.models import EfficientNetLite
from mmocc.models.backbones.efficientnet_lite import SameConv2d, scaled

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_maps_and_parameters_of_lite0():
    model = EfficientNetLite(out_indices=range(8)).eval()
    shapes = [tuple(x.shape[1:]) for x in model(IMAGES)]
    assert shapes == [
        (16, 32, 32), (24, 16, 16), (40, 8, 8), (80, 4, 4),
        (112, 4, 4), (192, 2, 2), (320, 2, 2), (1280, 2, 2),
    ]  # fmt: skip
    # 4,652,008 of the whole network (timm), 1,281,000 of them the classifier's
    assert sum(p.numel() for p in model.parameters()) == 3_371_008


def test_only_what_is_asked_for_is_computed_and_given():
    inner, last = EfficientNetLite(out_indices=(2, 4))(IMAGES)
    assert inner.shape == (2, 40, 8, 8)
    assert last.shape == (2, 112, 4, 4)


@pytest.mark.parametrize(
    ('variant', 'channels', 'parameters'),
    # of the whole networks in timm, without 1,281,000 of the classifier
    [
        ('efficientnet-lite1', 320, 5_416_680),
        ('efficientnet-lite2', 352, 6_092_072),
    ],
)
def test_wider_and_deeper_variants(variant, channels, parameters):
    model = EfficientNetLite(variant, out_indices=(6,)).eval()
    assert model(IMAGES)[0].shape[1] == channels
    own = sum(p.numel() for p in model.parameters())
    assert own == parameters - 1_281_000


def test_channels_are_rounded_to_eights_and_not_by_more_than_a_tenth():
    assert [scaled(c, 1.1) for c in (24, 40, 320)] == [24, 48, 352]
    assert scaled(8, 1.4) == 16  # 8 would be more than a tenth too small


@pytest.mark.parametrize('side', [7, 8])
def test_the_odd_pixel_of_a_padding_is_at_the_end(side):
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    nn.init.ones_(conv.weight)
    image = torch.arange(side * side, dtype=torch.float).view(1, 1, side, side)
    # Odd: one pixel on both sides; even: one at the end only.
    before = side % 2
    padded = F.pad(image, [before, 1, before, 1])
    assert torch.equal(conv(image), F.avg_pool2d(padded, 3, 2) * 9)
    assert conv(image).shape[-1] == 4


def test_frozen_stages_neither_train_nor_count():
    model = EfficientNetLite(frozen_stages=2).train()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    frozen = ('conv_stem', 'bn1', 'blocks.0.', 'blocks.1.')
    assert not any(name.startswith(frozen) for name in trained)
    assert 'blocks.2.0.conv_pw.weight' in trained
    before = {n: b.clone() for n, b in model.named_buffers()}
    model(IMAGES)
    changed = {
        n for n, b in model.named_buffers() if not torch.equal(b, before[n])
    }
    assert not any(name.startswith(frozen) for name in changed)
    assert 'bn2.running_mean' in changed


def spread_statistics(model):
    """Give batch norms other numbers than those they start with."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5, generator=generator)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(generator=generator)
    return model


def test_folded_norms_give_the_same_maps():
    model = spread_statistics(EfficientNetLite(out_indices=(3, 7))).eval()
    plain = model(IMAGES)  # with gradient: norm by norm
    assert plain[1].requires_grad
    with torch.no_grad():
        folded = model(IMAGES)
    for one, other in zip(plain, folded, strict=True):
        scale = one.abs().max().item()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * scale)
        assert scale > 0
    assert not torch.equal(plain[0], folded[0])  # another order of sums


def test_a_gradient_passes_folded_norms():
    model = EfficientNetLite().eval()
    gradients = []
    for trains in (True, False):  # as it is; and folded
        model.requires_grad_(trains)
        images = IMAGES.clone().requires_grad_()
        model(images)[0].square().mean().backward()
        gradients.append(images.grad)
    plain, folded = gradients
    torch.testing.assert_close(folded, plain, rtol=1e-3, atol=1e-6)
    assert not torch.equal(folded, plain)  # another order of sums


def test_norms_that_were_fused_away():
    model = EfficientNetLite().eval().requires_grad_(False)
    expected = model(IMAGES)[0]
    fused = fuse_conv_bn(model)
    assert isinstance(fused.blocks[0][0].bn1, torch.nn.Identity)
    torch.testing.assert_close(fused(IMAGES)[0], expected)


def test_hooks_on_inner_layers_are_called_when_nothing_trains():
    model, seen = EfficientNetLite().eval(), []
    for name in ('blocks.1.0.bn2', 'conv_head'):
        model.get_submodule(name).register_forward_hook(
            lambda *args: seen.append(args[2].shape[1])
        )
    with torch.no_grad():
        model(IMAGES)
    assert seen == [96, 1280]


def test_norm_eval_keeps_the_statistics():
    model = EfficientNetLite(norm_eval=True).train()
    before = [b.clone() for b in model.buffers()]
    model(IMAGES)
    assert all(map(torch.equal, before, model.buffers()))
    assert all(p.requires_grad for p in model.parameters())


def test_a_stage_can_be_repaired_by_name():
    model = EfficientNetLite()
    assert model.get_submodule('blocks.4.2').conv_pwl.out_channels == 112


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(variant='efficientnet-b0'), 'efficientnet-lite0'),
        (dict(out_indices=(8,)), 'some of 0 to 7'),
        (dict(out_indices=()), 'some of 0 to 7'),
        (dict(frozen_stages=9), 'from -1 to 8'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmocc.EfficientNetLite', **options))


def test_stages_that_nobody_asks_for_do_not_run():
    net = EfficientNetLite(out_indices=(1, 3)).eval()
    for stage in net.blocks[4:]:
        stage.forward = None  # calling it would be an error
    maps = net(torch.zeros(1, 3, 64, 64))
    assert [tuple(m.shape) for m in maps] == [(1, 24, 16, 16), (1, 80, 4, 4)]
