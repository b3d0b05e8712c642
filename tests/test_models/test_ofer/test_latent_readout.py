import pytest
import torch

from mmocc.models.ofer.latent_readout import (
    BOX,
    ChannelSpatialAttention,
    LatentMLP,
    LatentProjection,
    LatentTokenSelector,
    fit_attention,
    top_positions,
)


def numbered(faces, grid, cls=True):
    """Return latents (N, 1 + L, 1) that hold the number of their patch."""
    count = grid[0] * grid[1]
    values = torch.arange(count).float()
    if cls:
        values = torch.cat([torch.tensor([-1.0]), values])
    return values[None, :, None].repeat(faces, 1, 1)


def test_top_takes_the_half_with_most_attention_of_each_face():
    attention = torch.tensor([[[1.0, 5], [3, 0]], [[9.0, 0], [1, 4]]])
    chosen = LatentTokenSelector()(attention, numbered(2, (2, 2)), (2, 2))
    # of face 0 patches 1 (5) and 2 (3), of face 1 patches 0 (9) and 3 (4)
    assert chosen.index.tolist() == [[1, 2], [0, 3]]
    assert chosen.tokens[..., 0].tolist() == [[1, 2], [0, 3]]


def test_the_class_token_is_never_read():
    attention = torch.rand(2, 3, 3)
    selector = LatentTokenSelector(mode='all')
    for cls in (True, False):
        tokens, _ = selector(attention, numbered(2, (3, 3), cls), (3, 3))
        assert tokens[1, :, 0].tolist() == list(range(9))


def test_attention_of_another_size_is_interpolated_to_the_patches():
    attention = torch.tensor([[[0.0, 8.0]]])
    # Bilinear, half-pixel centres: 0, 2, 6, 8 along the row
    fitted = fit_attention(attention, (2, 4))
    assert fitted[0].tolist() == [[0, 2, 6, 8]] * 2
    chosen = LatentTokenSelector()(attention, numbered(1, (2, 4)), (2, 4))
    assert chosen.index.tolist() == [[2, 3, 6, 7]]


def test_box_is_the_middle_of_the_face_whatever_the_attention():
    selector = LatentTokenSelector(mode='box')
    attention, latents = torch.rand(2, 7, 7), numbered(2, (14, 14))
    index = selector(attention, latents, (14, 14)).index
    cells = {(int(i) // 14, int(i) % 14) for i in index[1]}
    whole = {(row, column) for row in range(3, 12) for column in range(3, 11)}
    assert cells == whole | {(12, column) for column in range(3, 9)}
    assert index[0].tolist() == list(BOX)
    with pytest.raises(ValueError, match='14 x 14 patches, not for 8 x 8'):
        selector(torch.rand(1, 8, 8), numbered(1, (8, 8)), (8, 8))


def test_half_of_196_patches_is_98_and_the_first_of_equals_win():
    assert LatentTokenSelector().count((14, 14)) == 98
    assert LatentTokenSelector(mode='box').count((14, 14)) == 78
    assert LatentTokenSelector(ratio=0.01).count((2, 2)) == 1
    assert top_positions(torch.zeros(1, 6), 3).tolist() == [[0, 1, 2]]


def test_wrong_settings_and_other_latents_are_refused():
    with pytest.raises(ValueError, match='65 latents do not fit a grid of 4'):
        LatentTokenSelector()(torch.rand(1, 4, 4), numbered(1, (8, 8)), (4, 4))
    with pytest.raises(ValueError, match="mode 'best'"):
        LatentTokenSelector(mode='best')
    with pytest.raises(ValueError, match=r'ratio .* 0\.0'):
        LatentTokenSelector(ratio=0.0)


def test_the_gradient_reaches_only_the_chosen_latents():
    latents = numbered(1, (2, 2)).requires_grad_()
    attention = torch.tensor([[[4.0, 1], [2, 3]]])
    tokens, _ = LatentTokenSelector()(attention, latents, (2, 2))
    tokens.sum().backward()
    assert latents.grad[0, :, 0].tolist() == [0, 1, 0, 0, 1]


# -- attention, readouts -----------------------------------------------------


def test_attention_and_mlp_have_the_size_of_the_release():
    with torch.device('meta'):
        modules = (ChannelSpatialAttention(512), LatentMLP())
    counts = [sum(p.numel() for p in m.parameters()) for m in modules]
    assert counts == [2_135_904, 454_768_936]


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
        layer.channel[5].bias.fill_(-1e4)  # before the sigmoid: all zero
    out = layer(torch.randn(2, 8, 4, 4))
    # spatial attention then sees the same at all positions, except at the
    # border, where the convolutions see padding
    inside = out.attention[:, 1:-1, 1:-1].flatten(1)
    torch.testing.assert_close(inside, inside[:, :1].expand_as(inside))
    assert (out.feature == 0).all()


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
