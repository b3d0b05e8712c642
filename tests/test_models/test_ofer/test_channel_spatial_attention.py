import pytest
import torch

from mmocc.models.ofer import (
    ChannelSpatialAttention,
    LatentMLP,
    LatentProjection,
)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_a_head_of_512_channels_is_as_large_as_the_release():
    with torch.device('meta'):
        assert parameters(ChannelSpatialAttention(512)) == 2_135_904


def test_feature_is_map_times_channel_and_spatial_attention():
    torch.manual_seed(0)
    layer = ChannelSpatialAttention(8, reduction=4).eval()
    image = torch.randn(2, 8, 3, 5)
    feature, attention = layer(image)
    channel = layer.channel(image)  # (2, 8), of a sigmoid
    assert attention.shape == (2, 3, 5)
    assert (attention >= 0).all()
    assert attention.max() > 0
    expected = image * channel[..., None, None] * attention[:, None]
    torch.testing.assert_close(feature, expected)


def test_channel_attention_comes_first():
    layer = ChannelSpatialAttention(8).eval()
    with torch.no_grad():
        layer.channel[5].bias.fill_(-1e4)  # before the sigmoid: all closed
    seen = layer(torch.randn(2, 8, 4, 4))
    # what is left for the spatial attention is the same at all positions
    # but for the border, where the convolutions see padding
    inside = seen.attention[:, 1:-1, 1:-1].flatten(1)
    torch.testing.assert_close(inside, inside[:, :1].expand_as(inside))
    assert (seen.feature == 0).all()


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    layer = ChannelSpatialAttention(16)
    layer(torch.randn(4, 16, 4, 4)).feature.square().mean().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0 or name.endswith('bias'), name


def test_latent_mlp_is_as_large_as_the_release():
    with torch.device('meta'):
        assert parameters(LatentMLP()) == 454_768_936


def test_latent_mlp_refuses_another_number_of_latents():
    mlp = LatentMLP(4, num_tokens=3, hidden_dims=(8, 8, 8), out_dims=2)
    assert mlp.eval()(torch.randn(2, 3, 4)).shape == (2, 2)
    with pytest.raises(ValueError, match=r'num_tokens=3 latents, the .* 5'):
        mlp(torch.randn(2, 5, 4))


def test_projection_does_not_depend_on_the_order_of_latents():
    torch.manual_seed(0)
    projection = LatentProjection(6, 4).eval()
    tokens = torch.randn(2, 5, 6)
    vector = projection(tokens)
    assert vector.shape == (2, 4)
    torch.testing.assert_close(projection(tokens.flip(1)), vector)
    assert not torch.allclose(projection(tokens[:, :3]), vector)
