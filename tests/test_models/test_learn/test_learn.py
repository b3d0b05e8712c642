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


@pytest.mark.parametrize(
    ('options', 'parameters'),
    [
        (dict(gate=True), 2 * 1280 * 1280 + 1280),
        (dict(gate='full'), 3_278_080),
        (dict(gate='cell'), 2 * 1280 + 1),
        # 2560 -> 32 and 32 -> 1280, with biases
        (dict(gate='low_rank'), 2560 * 32 + 32 + 32 * 1280 + 1280),
        (dict(gate='low_rank', gate_channels=8), 32_008),
        (dict(residual=True), 0),
    ],
)
def test_parameters_of_the_gates(options, parameters):
    plain, gated = build(1280), build(1280, **options)
    plain, gated = (
        sum(p.numel() for p in neck.parameters()) for neck in (plain, gated)
    )
    assert gated - plain == parameters


def test_names_of_a_full_gates_weights_are_as_ever():
    for gate in (True, 'full'):
        names = {n for n in build(gate=gate).state_dict() if 'gate' in n}
        assert names == {'gate.weight', 'gate.bias'}


@pytest.mark.parametrize('gate', ['full', 'cell', 'low_rank'])
def test_the_bias_shuts_a_gate_at_the_start(gate):
    x = torch.randn(2, 8, 4, 4)
    open_, shut = (build(gate=gate, gate_bias=b) for b in (50.0, -50.0))
    assert torch.allclose(shut((x,))[0], x)
    repaired = open_.decode(open_.encode(x), (4, 4))
    assert torch.allclose(open_((x,))[0], repaired, atol=1e-6)


def test_a_cell_has_one_gate_for_all_channels():
    neck = build(gate='cell')
    x = torch.randn(2, 8, 4, 4)
    repaired = neck.decode(neck.encode(x), (4, 4))
    share = (neck((x,))[0] - x) / (repaired - x)
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-3)
    assert share.std() > 1e-3  # positions differ


def test_a_residual_starts_from_the_feature_and_learns():
    torch.manual_seed(0)
    neck = build(residual=True, pool='none')
    x = torch.randn(2, 8, 4, 4)
    target = x + 1
    assert torch.equal(neck((x,))[0], x)
    optim = torch.optim.Adam(neck.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = (neck((x,))[0] - target).square().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    residual = neck.decode(neck.encode(x), (4, 4))
    assert torch.allclose(neck((x,))[0], x + residual)


def test_wrong_shapes_and_options_are_refused():
    with pytest.raises(ValueError, match=r'in_channels=8.*gives 16 channels'):
        build()((torch.randn(1, 16, 4, 4),))
    with pytest.raises(ValueError, match=r'size \(14, 14\) has size \(3, 3\)'):
        build().decode(torch.randn(1, 32, 1, 1), (14, 14))
    with pytest.raises(ValueError, match="unknown pool 'mean'"):
        build(pool='mean')
    with pytest.raises(ValueError, match="unknown last_act 'gelu'"):
        build(last_act='gelu')
    with pytest.raises(ValueError, match="unknown gate 'row'"):
        build(gate='row')
    with pytest.raises(ValueError, match='gate_bias=-4 needs a gate'):
        build(gate_bias=-4)
    with pytest.raises(ValueError, match=r'residual=False or last_act=None'):
        build(residual=True, last_act='relu')
