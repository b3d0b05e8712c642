"""The U-Net: sizes, shapes, and its inputs."""

import pytest
import torch
from mmengine.registry import MODELS

SMALL = dict(type='mmocc.HybridUNet', widths=(8, 12, 16, 16), assembly_level=2)


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build(SMALL | changes)
    model.init_weights()
    return model


def inputs(side=32, number=2):
    torch.manual_seed(1)
    filled = torch.randn(number, 3, side, side)
    hole = torch.zeros(number, 1, side, side, dtype=torch.bool)
    hole[..., 8:16, 16:32] = True
    return filled, filled.masked_fill(hole, 0), hole


def test_parameters_and_shapes_of_the_release():
    with torch.device('meta'):
        unet = MODELS.build(dict(type='mmocc.HybridUNet'))
        shapes = {}

        def note(name):
            return lambda module, args, out: shapes.update(
                {name: tuple(out.shape[1:])}
            )

        for level in range(8):
            unet.downs[level].register_forward_hook(note(f'down{level + 1}'))
            unet.ups[level].register_forward_hook(note(f'up{level + 1}'))
        # The meta device does not know where holes are
        unet.assembly.forward = lambda feature, mirrored, hole: feature
        image, hole = torch.zeros(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
        out = unet(image, image, hole)
    assert sum(p.numel() for p in unet.parameters()) == 86_479_363
    assert out.recon.shape == (1, 3, 256, 256)
    assert out.assembled.shape == out.decoded.shape == (1, 512, 32, 32)
    assert out.hole.shape == (1, 1, 32, 32)
    expected = dict(
        down1=(256, 128, 128),
        down2=(512, 64, 64),
        down3=(1024, 32, 32),
        down4=(512, 16, 16),
        down7=(512, 2, 2),
        down8=(512, 1, 1),
        up8=(512, 2, 2),
        up4=(512, 32, 32),
        up3=(256, 64, 64),
        up2=(128, 128, 128),
        up1=(64, 256, 256),
    )
    assert expected.items() <= shapes.items()


PAPER = dict(type='mmocc.SelfAssembly')


@pytest.mark.parametrize('side', [8, 32])
@pytest.mark.parametrize(
    'assembly', [None, PAPER, PAPER | dict(mode='release')]
)
def test_any_multiple_of_the_stride_works_and_trains(side, assembly):
    model = build(assembly=assembly)
    assert model.stride == 8
    filled, masked, hole = inputs(40)
    filled, masked = filled[..., :side], masked[..., :side]
    out = model(filled, masked, hole[..., :side])
    assert out.recon.shape == (2, 3, 40, side)
    assert out.assembled.shape == out.decoded.shape
    loss = (out.recon * torch.randn_like(out.recon)).sum()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        bias_before_norm = parameter.grad.abs().max() < 1e-3
        assert parameter.grad.any() or bias_before_norm, name
    if side == 32 and assembly == PAPER:
        conv = model.downs[1][-1]
        assert conv.weight.grad[16:].abs().max() > 0  # the mirrored half


def test_sizes_that_do_not_fit_name_the_stride():
    with pytest.raises(ValueError, match='multiples of 8'):
        build()(*inputs(36))
    with pytest.raises(ValueError, match='assembly_level=3'):
        build(assembly_level=3)
    with pytest.raises(ValueError, match='must be even'):
        build(widths=(9, 12, 16, 16))


def test_a_position_is_hidden_above_five_sixteenths():
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., :2, :2] = 1  # 4 of the 16 pixels of a position
    hole[..., :2, 4:7] = 1  # 6 of 16
    filled = torch.zeros(1, 3, 32, 32)
    out = build()(filled, filled, hole)
    assert out.hole.shape == (1, 1, 8, 8)
    assert out.hole.nonzero().tolist() == [[0, 0, 0, 1]]


def test_self_assembly_gets_the_mirrored_feature_map():
    model = build()
    calls = {}
    for name in ('stem', 'assembly'):
        getattr(model, name).register_forward_pre_hook(
            lambda module, args, name=name: calls.update({name: args})
        )
    filled, masked, hole = inputs()
    model(filled, masked, hole)
    [image] = calls['stem']
    assert torch.equal(image[:, 6:9], filled.flip(-1))
    assert torch.equal(image[:, 9:], masked.flip(-1))
    # Before training, both halves have the same weights.
    feature, mirrored, _ = calls['assembly']
    assert torch.equal(mirrored, feature.flip(-1))
    model.assembly.mode = 'release'
    model(filled, masked, hole)
    feature, mirrored, _ = calls['assembly']
    assert torch.equal(mirrored, feature)
