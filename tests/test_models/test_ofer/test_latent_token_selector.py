import pytest
import torch

from mmocc.models.ofer.latent_token_selector import (
    BOX,
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


@pytest.mark.parametrize('cls', [True, False])
def test_class_token_is_never_read(cls):
    attention = torch.rand(2, 3, 3)
    selector = LatentTokenSelector(mode='all')
    tokens, _ = selector(attention, numbered(2, (3, 3), cls), (3, 3))
    assert tokens[1, :, 0].tolist() == list(range(9))


def test_attention_of_another_size_is_interpolated_to_the_patches():
    attention = torch.tensor([[[0.0, 8.0]]])
    # Bilinear, half-pixel centres: 0, 2, 6, 8 along the row
    fitted = fit_attention(attention, (2, 4))
    assert fitted[0].tolist() == [[0, 2, 6, 8]] * 2
    chosen = LatentTokenSelector()(attention, numbered(1, (2, 4)), (2, 4))
    assert chosen.index.tolist() == [[2, 3, 6, 7]]


def test_half_of_196_patches_is_98_and_the_release_reads_78():
    assert LatentTokenSelector().count((14, 14)) == 98
    assert LatentTokenSelector(mode='box').count((14, 14)) == 78
    assert LatentTokenSelector(ratio=0.01).count((2, 2)) == 1


def test_box_is_the_middle_of_the_face_whatever_the_attention():
    selector = LatentTokenSelector(mode='box')
    attention, latents = torch.rand(2, 7, 7), numbered(2, (14, 14))
    index = selector(attention, latents, (14, 14)).index
    cells = {(int(i) // 14, int(i) % 14) for i in index[1]}
    whole = {(row, column) for row in range(3, 12) for column in range(3, 11)}
    assert cells == whole | {(12, column) for column in range(3, 9)}
    assert index[0].tolist() == list(BOX)


def test_box_is_refused_on_another_grid():
    selector = LatentTokenSelector(mode='box')
    with pytest.raises(ValueError, match='14 x 14 patches, not for 8 x 8'):
        selector(torch.rand(1, 8, 8), numbered(1, (8, 8)), (8, 8))


def test_of_equal_weights_the_first_positions_are_taken():
    assert top_positions(torch.zeros(1, 6), 3).tolist() == [[0, 1, 2]]


def test_latents_of_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match='65 latents do not fit a grid of 4'):
        LatentTokenSelector()(torch.rand(1, 4, 4), numbered(1, (8, 8)), (4, 4))


@pytest.mark.parametrize(
    ('kwargs', 'text'),
    [(dict(mode='best'), "mode 'best'"), (dict(ratio=0.0), 'ratio .* 0.0')],
)
def test_bad_settings_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        LatentTokenSelector(**kwargs)


def test_gradient_reaches_the_chosen_latents_alone():
    latents = numbered(1, (2, 2)).requires_grad_()
    attention = torch.tensor([[[4.0, 1], [2, 3]]])
    tokens, _ = LatentTokenSelector()(attention, latents, (2, 2))
    tokens.sum().backward()
    assert latents.grad[0, :, 0].tolist() == [0, 1, 0, 0, 1]
