"""Occluders, grids, patches and pasted cut-outs of any size and shape."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from fuzzing import attempt, bounded, floats, masks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from mmocc.datasets.transforms.align_face import fit_similarity, move_points
from mmocc.models.hide_and_seek.batch_hide_and_seek import BatchHideAndSeek
from mmocc.occlusion import KINDS, LEVELS, grid, paste, patches
from mmocc.occlusion.levels import (
    UnreachableLevelError,
    level_range,
    pixel_bounds,
)
from mmocc.occlusion.occlude import occlude_object
from mmocc.occlusion.occlude_objects import BELOW, INSIDE, occlude_objects
from mmocc.occlusion.occluders import OccluderBank, fit_scale, mirror_tile
from mmocc.occlusion.patches import draw_patch_masks
from mmocc.occlusion.regions import mask_region

SIDES = st.integers(1, 30)
PLACES = st.integers(0, 2**32 - 1)  # of random numbers
SHARES = st.one_of(
    st.sampled_from(list(LEVELS.values())),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple),
)


@cache
def bank(folders):
    return OccluderBank(KINDS, **dict(folders), texture_size=32)


@pytest.fixture(scope='session')
def occluders(occluder_folders):
    """The sheets of all kinds."""
    return bank(tuple(occluder_folders.items()))


def seeded(number):
    return torch.Generator().manual_seed(number)


def image_of(mask, generator):
    return torch.randint(
        256, (3, *mask.shape), dtype=torch.uint8, generator=generator
    )


@given(st.integers(0, 10**6), SHARES)
def test_bounds_hold_what_lies_in_the_level(number, shares):
    try:
        fewest, most = pixel_bounds(number, shares)
    except UnreachableLevelError:
        assert number < 4 or shares not in LEVELS.values()
        return
    low, high = shares
    assert 0 <= fewest <= most <= number
    slack = 1e-8
    if low == high:  # within a pixel
        slack += 0.5 / number
    assert low - slack <= fewest / number
    assert most / number <= high + slack
    assert (fewest - 1) / number < low + slack
    assert low < high or fewest == most


@given(st.text(max_size=4) | st.lists(st.floats(), max_size=3))
def test_levels_are_shares_or_refused(level):
    found = attempt(lambda: level_range(level))
    assert found is None or 0 <= found[0] <= found[1] <= 1


@given(masks(30), st.sampled_from(KINDS), SHARES, PLACES)
def test_one_object_is_hidden_as_much_as_asked(
    occluders, mask, kind, shares, seed
):
    generator = seeded(seed)
    image, region = image_of(mask, generator), torch.from_numpy(mask)
    before = image.clone()
    with bounded():
        made = attempt(
            lambda: occlude_object(
                image, region, kind, shares, occluders, generator
            ),
            'pixels',
        )
    if made is None:
        return
    out, hidden = made
    fewest, most = pixel_bounds(int(mask.sum()), shares)
    assert fewest <= int((hidden & region).sum()) <= most
    assert torch.equal(image, before)
    assert out.dtype == torch.uint8
    if kind != 'object':  # the borders of cut-outs are soft
        assert torch.equal(out[:, ~hidden], image[:, ~hidden])


@given(st.lists(masks(20), max_size=4), st.sampled_from(KINDS), SHARES, PLACES)
def test_no_object_is_hidden_above_its_level(
    occluders, drawn, kind, shares, seed
):
    generator = seeded(seed)
    whole = np.zeros((len(drawn), 20, 20), bool)
    for item, mask in zip(whole, drawn, strict=True):
        item[: mask.shape[0], : mask.shape[1]] = mask
    image = image_of(whole[0] if len(whole) else np.zeros((20, 20)), generator)
    found = occlude_objects(
        image,
        [mask_region(item) for item in whole],
        kind,
        shares,
        occluders,
        generator,
    )
    for item, share, status in zip(
        whole, found.shares, found.status, strict=True
    ):
        assert math.isnan(share) == (not item.any())
        if status in (INSIDE, BELOW):
            fewest, most = pixel_bounds(int(item.sum()), shares)
            count = int((found.mask.numpy() & item).sum())
            assert count <= most
            assert (count >= fewest) == (status == INSIDE)


@given(st.sampled_from(KINDS), floats(0, 1), PLACES, SIDES)
def test_fitted_sizes_are_finite_and_bounded(
    occluders, kind, target, seed, side
):
    drawn = occluders.draw(kind, 3, seeded(seed))
    points = torch.rand(1, 20, 2, generator=seeded(seed)) * side
    scale = fit_scale(
        points, drawn, points[0, :3], torch.full((3,), target), 4 * side
    )
    assert scale.isfinite().all()
    assert ((scale >= 0.49) & (scale <= 4.01 * side)).all()


@given(
    st.integers(1, 9), SIDES, SIDES, st.floats(0, 0.999), st.floats(0, 0.999)
)
def test_windows_of_a_mirrored_sheet(side, height, width, x, y):
    sheets = torch.arange(side * side).view(1, 1, side, side)
    offset = torch.tensor([[x, y]])
    out = mirror_tile(sheets, torch.tensor([0]), offset, (height, width))
    assert out.shape == (1, 1, height, width)
    # Neighbours in the window are neighbours, or the same, in the sheet.
    rows, columns = out[0, 0] // side, out[0, 0] % side
    assert (rows.diff(dim=0).abs() <= 1).all()
    assert (columns.diff(dim=1).abs() <= 1).all()


@given(SIDES, SIDES, st.integers(0, 40), st.floats(0, 1), PLACES)
def test_hidden_cells_are_whole(height, width, cell, prob, seed):
    np.random.seed(seed)
    hidden = grid.draw_grid((height, width), cell, prob)
    mask = grid.cell_mask((height, width), hidden, cell)
    assert mask.shape == (height, width)
    if not cell:
        assert not mask.any()
        return
    for y in range(0, height, cell):
        for x in range(0, width, cell):
            part = mask[y : y + cell, x : x + cell]
            assert (part == hidden[y // cell, x // cell]).all()
    image = np.random.randint(1, 255, (height, width, 3), np.uint8)
    colour = np.array([9, 8, 7], np.uint8)
    out = grid.hide_cells(
        image, hidden, cell, grid.paint(image, colour).copy()
    )
    assert np.array_equal(out, np.where(mask[..., None], colour, image))


@given(st.data(), SIDES, SIDES, st.integers(1, 3), PLACES)
def test_cells_of_a_batch(data, height, width, number, seed):
    torch.manual_seed(seed)
    sides = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    cells = torch.tensor(
        data.draw(
            st.lists(
                st.sampled_from([0, *sides]), min_size=number, max_size=number
            )
        )
    )
    ends = st.tuples(st.integers(1, height), st.integers(1, width))
    ends = torch.tensor(
        data.draw(st.lists(ends, min_size=number, max_size=number))
    )
    rows, row = grid.draw_rows((height, width), cells, 0.5, min(sides), ends)
    mask = grid.spread_rows(rows, row)[:, 0]
    assert mask.shape == (number, height, width)
    for item, cell, (bottom, right) in zip(
        mask, cells.tolist(), ends.tolist(), strict=True
    ):
        assert not item[bottom:].any()
        assert not item[:, right:].any()
        assert cell or not item.any()
        item = item[:bottom, :right]
        for y in range(0, bottom, cell or bottom):
            for x in range(0, right, cell or right):
                part = item[y : y + (cell or 1), x : x + (cell or 1)]
                assert part.all() or not part.any()


@given(
    st.lists(st.integers(-3, 60) | st.floats(), max_size=4),
    st.floats() | st.floats(0, 1),
)
def test_sizes_and_shares_are_checked(sizes, prob):
    for check in (grid.check_grid, grid.check_segments):
        found = attempt(lambda check=check: check(sizes, prob), 'must be')
        if found is not None:
            assert found == [int(size) for size in sizes]
            assert min(found) >= 0


@given(st.integers(0, 3), st.integers(1, 20), st.integers(0, 25), PLACES)
def test_hidden_segments_are_whole(clips, frames, length, seed):
    np.random.seed(seed)
    torch.manual_seed(seed)
    lengths = torch.full((clips,), length)
    for hidden in (
        grid.draw_segments(clips, frames, length, 0.5),
        grid.draw_batch_segments(lengths, frames, 0.5).numpy(),
    ):
        assert hidden.shape == (clips, frames)
        assert length or not hidden.any()
        for start in range(0, frames, length or frames):
            part = hidden[:, start : start + length]
            assert (part.all(1) | ~part.any(1)).all()


@given(SIDES, SIDES, st.integers(1, 8), PLACES)
def test_shares_of_patches(rows, columns, patch, seed):
    generator = seeded(seed)
    rows, columns = rows % 8 + 1, columns % 8 + 1
    hidden = torch.rand(1, rows * columns, generator=generator) < 0.5
    size = rows * patch, columns * patch
    mask = patches.upsample_patch_mask(hidden, (rows, columns), size)
    share = patches.patch_coverage(mask[0, 0].numpy(), patch)
    assert np.array_equal(share.ravel(), hidden[0].numpy())


@given(st.tuples(st.integers(0, 20), st.integers(0, 20)), st.integers(1, 9))
def test_images_of_no_whole_patches_are_refused(size, patch):
    found = attempt(lambda: patches.patch_grid(size, patch), 'resize')
    whole = min(size) >= patch and not size[0] % patch and not size[1] % patch
    assert (found is not None) == whole


@given(
    st.integers(0, 4),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.floats(0, 3),
    PLACES,
)
def test_drawn_patches(number, size, share, roughness, seed):
    made = attempt(
        lambda: draw_patch_masks(
            number, size, share, roughness, generator=seeded(seed)
        ),
        'share',
    )
    if made is None:
        assert share[0] > share[1]
        return
    count, total = made.sum(1), size[0] * size[1]
    assert made.shape == (number, total)
    assert (count >= max(1, math.floor(share[0] * total))).all()
    assert (count <= max(1, math.ceil(share[1] * total))).all()


FACE = nps.arrays(float, (5, 2), elements=floats(-1e4, 1e4))


@given(FACE)
def test_masks_on_faces(points):
    targets = attempt(lambda: paste.mask_targets(points), 'no face')
    if targets is not None:
        assert np.isfinite(targets).all()
        assert np.isfinite(paste.face_turn(points))
        affine = paste.fit_affine(targets, targets)
        assert np.isfinite(affine).all()


@given(FACE, FACE)
def test_aligned_faces(source, target):
    matrix = attempt(lambda: fit_similarity(source, target), 'landmarks')
    if matrix is not None:
        moved = move_points(matrix, source)
        assert np.isfinite(moved).all()
        # No shift alone is better: of least squares, the mean is met.
        slack = 1e-6 * (1 + np.abs(target).max() + np.abs(source).max())
        assert np.allclose(moved.mean(0), target.mean(0), atol=slack)


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    nps.arrays(float, (2, 3), elements=floats(-50, 50)),
    st.tuples(SIDES, SIDES),
    st.floats(0, 5),
    PLACES,
)
def test_pasted_cutouts_are_in_range(shape, affine, size, feather, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*shape, 4), np.uint8)
    colours, cover = paste.render_cutout(pixels, affine, size, feather)
    assert colours.shape == (*size, 3)
    assert ((colours >= 0) & (colours <= 255)).all()
    assert ((cover >= 0) & (cover <= 1)).all()
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    out = paste.blend(image, colours, cover)
    assert np.array_equal(out[cover == 0], image[cover == 0])


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(1, 60),
    st.floats(-360, 360),
    st.booleans(),
)
def test_a_placed_cutout_is_as_long_as_asked(shape, length, angle, mirror):
    affine = paste.place_affine(shape, (5, 7), length, angle, mirror)
    middle = affine[:, :2] @ (shape[1] / 2, shape[0] / 2) + affine[:, 2]
    assert np.allclose(middle, (5, 7))
    sides = np.linalg.norm(affine[:, :2], axis=0) * shape[::-1]
    assert np.isclose(max(sides), length)
    assert (np.linalg.det(affine[:, :2]) < 0) == mirror


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=3),
    st.tuples(st.integers(0, 3), SIDES, SIDES),
    st.booleans(),
    PLACES,
)
def test_a_batch_is_hidden_or_left_as_it_is(sizes, shape, told, seed):
    torch.manual_seed(seed)
    number, height, width = shape
    layer = BatchHideAndSeek(sizes, inplace=False)
    inputs = torch.randn(number, 2, height, width)
    inputs[inputs > 1.5] = torch.inf  # even these are hidden
    inner = (height + 1) // 2, (width + 1) // 2
    out, _ = layer(inputs, sizes=[inner] * number if told else None)
    assert ((out == inputs) | (out == 0)).all()
    hidden = out != inputs
    assert torch.equal(hidden[:, :1], hidden[:, 1:])
    if told:
        beyond = hidden[:, :, inner[0] :].any() | hidden[..., inner[1] :].any()
        assert not beyond
