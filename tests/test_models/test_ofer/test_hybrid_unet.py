"""The U-Net and the discriminators: sizes, shapes, and what they look at."""

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


@pytest.mark.parametrize(
    ('name', 'count'),
    [
        ('HybridUNet', 86_479_363),
        ('PatchDiscriminator', 2_766_529),
        ('FeaturePatchDiscriminator', 10_487_296),
    ],
)
def test_parameters_of_the_release(name, count):
    with torch.device('meta'):
        model = MODELS.build(dict(type=f'mmocc.{name}'))
    assert sum(p.numel() for p in model.parameters()) == count


def test_shapes_of_the_release():
    with torch.device('meta'):
        parts = [
            MODELS.build(dict(type=f'mmocc.{name}'))
            for name in ('PatchDiscriminator', 'FeaturePatchDiscriminator')
        ]
        scores = parts[0](torch.zeros(1, 3, 256, 256))
        features = parts[1](torch.zeros(1, 256, 64, 64))
        unet = MODELS.build(dict(type='mmocc.HybridUNet'))
        shapes = {}

        def note(name):
            return lambda module, args, out: shapes.update(
                {name: tuple(out.shape[1:])}
            )

        for level in range(8):
            unet.downs[level].register_forward_hook(note(f'down{level + 1}'))
            unet.ups[level].register_forward_hook(note(f'up{level + 1}'))
        # Where holes lie cannot be asked on the meta device
        unet.assembly.forward = lambda feature, mirrored, hole: feature
        image, hole = torch.zeros(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
        drawn = unet(image, image, hole)
    assert scores.shape == (1, 1, 30, 30)
    assert features.shape == (1, 512, 8, 8)
    assert drawn.recon.shape == (1, 3, 256, 256)
    assert drawn.assembled.shape == drawn.decoded.shape == (1, 512, 32, 32)
    assert drawn.hole.shape == (1, 1, 32, 32)
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


@pytest.mark.parametrize('side', [8, 32, 40])
@pytest.mark.parametrize(
    'assembly',
    [
        None,
        dict(type='mmocc.SelfAssembly'),
        dict(type='mmocc.SelfAssembly', mode='release'),
    ],
)
def test_any_multiple_of_the_stride_is_drawn_and_trains(side, assembly):
    model = build(assembly=assembly)
    assert model.stride == 8
    filled, masked, hole = inputs(40)
    filled, masked = filled[..., :side], masked[..., :side]
    drawn = model(filled, masked, hole[..., :side])
    assert drawn.recon.shape == (2, 3, 40, side)
    assert drawn.assembled.shape == drawn.decoded.shape
    loss = (drawn.recon * torch.randn_like(drawn.recon)).sum()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        bias_before_norm = parameter.grad.abs().max() < 1e-3
        assert parameter.grad.any() or bias_before_norm, name
    if side == 32 and assembly == dict(type='mmocc.SelfAssembly'):
        conv = model.downs[1][-1]
        assert conv.weight.grad[16:].abs().max() > 0  # the mirrored half


def test_sizes_that_do_not_fit_name_the_stride():
    with pytest.raises(ValueError, match='multiples of 8'):
        build()(*inputs(36))
    with pytest.raises(ValueError, match='assembly_level=3'):
        build(assembly_level=3)
    with pytest.raises(ValueError, match='must be even'):
        build(widths=(9, 12, 16, 16))


def test_a_position_is_hidden_from_more_than_five_sixteenths_on():
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., :2, :2] = 1  # 4 of the 16 pixels of a position
    hole[..., :2, 4:7] = 1  # 6 of 16
    filled = torch.zeros(1, 3, 32, 32)
    drawn = build()(filled, filled, hole)
    assert drawn.hole.shape == (1, 1, 8, 8)
    assert drawn.hole.nonzero().tolist() == [[0, 0, 0, 1]]


def test_what_is_mirrored_is_the_feature_map_and_not_the_colours():
    model = build()
    seen = {}
    model.assembly.register_forward_pre_hook(
        lambda module, args: seen.update(feature=args[0], mirrored=args[1])
    )
    stem = {}
    model.stem.register_forward_pre_hook(
        lambda module, args: stem.update(image=args[0])
    )
    filled, masked, hole = inputs()
    model(filled, masked, hole)
    assert torch.equal(stem['image'][:, 6:9], filled.flip(-1))
    assert torch.equal(stem['image'][:, 9:], masked.flip(-1))
    # Before training, the half for the mirror has the other's weights.
    assert torch.equal(seen['mirrored'], seen['feature'].flip(-1))
    model.assembly.mode = 'release'
    model(filled, masked, hole)
    assert torch.equal(seen['mirrored'], seen['feature'])


def test_discriminators_score_places_apart():
    disc = MODELS.build(
        dict(type='mmocc.PatchDiscriminator', channels=8, strided=2)
    ).eval()
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
