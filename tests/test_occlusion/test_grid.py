import numpy as np
import pytest
import torch

from mmocc.occlusion.grid import (
    cell_mask,
    draw_grid,
    draw_rows,
    hide_cells,
    hide_planes,
    spread_rows,
)


@pytest.mark.parametrize(
    ('size', 'cell', 'shape'),
    [
        ((224, 224), 16, (14, 14)),
        ((224, 224), 32, (7, 7)),
        ((224, 224), 44, (6, 6)),  # the last 4 pixels wide
        ((224, 224), 56, (4, 4)),
        ((100, 30), 40, (3, 1)),
        ((10, 20), 0, (0, 0)),
    ],
)
def test_a_grid_includes_the_clipped_cells(size, cell, shape):
    assert draw_grid(size, cell, 0.5).shape == shape
    assert not draw_grid(size, cell, 0.0).any()
    assert draw_grid(size, cell, 1.0).all()
    mask = cell_mask((3, 5), np.array([[1, 0, 0], [0, 0, 1]], bool), 2)
    assert mask.tolist() == [[1, 1, 0, 0, 0]] * 2 + [[0, 0, 0, 0, 1]]


def test_rows_of_a_batch_spread_to_the_masks_that_the_cells_give():
    cells = torch.tensor([0, 2, 3, 100])
    torch.manual_seed(0)
    rows, row = draw_rows((7, 11), cells, 0.5, 2)
    masks = spread_rows(rows, row)
    assert masks.shape == (4, 1, 7, 11)
    assert not masks[0].any()
    torch.manual_seed(0)
    drawn = (torch.rand(4, 5, 6) < 0.5).numpy()  # 4 rows of cells of 2, and 1
    for mask, hidden, cell in zip(
        masks[1:, 0].numpy(), drawn[1:], (2, 3, 100), strict=True
    ):
        shape = (-(-7 // cell), -(-11 // cell))
        hidden = hidden[: shape[0], : shape[1]]
        assert np.array_equal(mask, cell_mask((7, 11), hidden, cell))


def test_nothing_beyond_an_images_region_is_hidden():
    regions = torch.tensor([[7, 11], [4, 11], [7, 3]])
    rows, row = draw_rows((7, 11), torch.tensor([2, 3, 4]), 1.0, 2, regions)
    masks = spread_rows(rows, row)[:, 0]
    for mask, (h, w) in zip(masks, regions.tolist(), strict=True):
        assert mask[:h, :w].all()
        assert mask.sum() == h * w


@pytest.mark.parametrize('cell', [8, 12, 16, 48, 200])
@pytest.mark.parametrize(
    ('shape', 'kind'),
    [
        ((40, 96, 3), np.uint8),  # rows of blocks of 16 or 8 pixels
        ((33, 88, 3), np.uint8),  # of 8 pixels, and a row is cut off
        ((33, 90, 3), np.uint8),  # of single pixels
        ((40, 96), np.uint8),
        ((40, 96, 1), np.int8),
        ((40, 96, 4), np.uint8),
        ((40, 96, 3), np.float32),
    ],
)
def test_blocks_of_pixels_are_hidden_as_pixels_are(shape, kind, cell):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 100, shape).astype(kind)
    hidden = draw_grid(shape[:2], cell, 0.5, rng.random)
    for pixels in (image, image[:, ::-1]):
        canvas = np.full(shape, 111, kind)
        out = hide_cells(pixels, hidden, cell, canvas)
        expected = np.full(shape, 111, kind)
        for y in range(shape[0]):
            for x in range(shape[1]):
                if not hidden[y // cell, x // cell]:
                    expected[y, x] = pixels[y, x]
        assert out.shape == shape and np.array_equal(out, expected)
        assert np.shares_memory(out, canvas)
    if len(shape) == 3:
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))
        canvas = np.full(planes.shape, 111, kind)
        out = hide_planes(planes, hidden, cell, canvas)
        expected = hide_cells(image, hidden, cell, np.full(shape, 111, kind))
        assert out is canvas
        assert np.array_equal(out, expected.transpose(2, 0, 1))
