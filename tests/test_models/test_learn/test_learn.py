import pytest
import torch

from mmocc.registry import MODELS


def build(in_channels=8, **kwargs):
    return MODELS.build(
        dict(type='mmocc.LEARN', in_channels=in_channels, **kwargs)
    )


def test_parameter_counts_are_those_of_the_paper():
    for channels, expected in ((512, 701_216), (2048, 2_472_224)):
        parameters = build(channels).parameters()
        assert sum(p.numel() for p in parameters) == expected


@pytest.mark.parametrize('pool', ['max', 'avg', 'none'])
def test_the_output_has_the_size_of_the_input(pool):
    neck = build(pool=pool)
    for height in range(1, 17):
        for width in (1, 2, 3, 7, 14):
            x = torch.randn(1, 8, height, width)
            assert neck((x,))[0].shape == x.shape


def test_the_latent_has_32_channels_and_is_pooled_twice():
    for side, pooled in ((7, 1), (14, 3), (2, 1), (1, 1)):
        z = build().encode(torch.randn(2, 8, side, side))
        assert z.shape == (2, 32, pooled, pooled)
    z = build(pool='none', latent_channels=5).encode(torch.randn(2, 8, 4, 6))
    assert z.shape == (2, 5, 4, 6)


def test_seven_by_seven_is_the_papers_chain_of_plain_layers():
    # 7 -> 3 -> 1 by pooling, 1 -> 3 -> 7 by stride 2 without padding
    neck = build()
    x = torch.randn(2, 8, 7, 7)
    e, d = neck.encoder, neck.decoder
    pool = torch.nn.MaxPool2d(2)
    z = e[2](pool(torch.relu(e[1](pool(torch.relu(e[0](x)))))))
    layers = [torch.nn.ConvTranspose2d(32, 64, 3, 2)]
    layers += [torch.nn.ConvTranspose2d(64, 64, 3, 2)]
    layers += [torch.nn.ConvTranspose2d(64, 8, 3, 1, 1)]
    for layer, ours in zip(layers, d, strict=True):
        layer.load_state_dict(ours.state_dict())
    y = torch.relu(layers[1](torch.relu(layers[0](z))))
    assert torch.allclose(neck((x,))[0], layers[2](y), atol=1e-6)


def test_the_last_activation_makes_features_non_negative():
    x = torch.randn(2, 8, 7, 7)
    assert build()((x,))[0].min() < 0
    assert build(last_act='relu')((x,))[0].min() == 0


def test_only_the_last_feature_is_repaired_and_always_a_tuple_returned():
    first, last = torch.randn(2, 3, 9, 9), torch.randn(2, 8, 4, 4)
    neck = build()
    out = neck((first, last))
    assert out[0] is first
    assert not torch.equal(out[1], last)
    assert torch.equal(neck(last)[0], out[1])


def test_pooled_vectors_count_as_maps_of_one_cell():
    x = torch.randn(3, 8)
    neck = build()
    out = neck((x,))[0]
    assert out.shape == (3, 8)
    assert torch.equal(out, neck((x[:, :, None, None],))[0][:, :, 0, 0])


def test_hooks_see_the_output_of_the_last_layer():
    neck, maps = build(), []
    neck.decoder[-1].register_forward_hook(lambda *args: maps.append(args[2]))
    out = neck((torch.randn(2, 8, 5, 7),))[0]
    assert torch.equal(maps[0], out)


def test_a_closed_gate_returns_the_feature_and_an_open_one_the_repair():
    x = torch.randn(2, 8, 4, 4)
    neck = build(gate=True)
    torch.nn.init.zeros_(neck.gate.weight)
    torch.nn.init.constant_(neck.gate.bias, -50)
    assert torch.allclose(neck((x,))[0], x)
    torch.nn.init.constant_(neck.gate.bias, 50)
    repaired = neck.decode(neck.encode(x), (4, 4))
    assert torch.allclose(neck((x,))[0], repaired, atol=1e-6)


def test_wrong_shapes_and_options_are_refused():
    with pytest.raises(ValueError, match=r'in_channels=8.*gives 16 channels'):
        build()((torch.randn(1, 16, 4, 4),))
    with pytest.raises(ValueError, match=r'size \(14, 14\) has size \(3, 3\)'):
        build().decode(torch.randn(1, 32, 1, 1), (14, 14))
    with pytest.raises(ValueError, match="unknown pool 'mean'"):
        build(pool='mean')
    with pytest.raises(ValueError, match="unknown last_act 'gelu'"):
        build(last_act='gelu')
