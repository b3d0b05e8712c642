import numpy as np
import pytest
import torch

from mmocc.occlusion import KINDS, LEVELS, OccluderBank
from mmocc.occlusion.occlude_objects import occlude_objects
from mmocc.occlusion.regions import box_region, hidden_share, mask_region

SIZE = (60, 80)


@pytest.fixture(scope='module')
def bank(occluder_folders):
    return OccluderBank(KINDS, **occluder_folders, texture_size=64)


def crowd(seed, num=8):
    """Boxes and discs of all sizes that overlap, as regions."""
    rng = np.random.default_rng(seed)
    regions = []
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for index in range(num):
        cx, cy = rng.uniform(0, SIZE[::-1])
        w, h = rng.uniform(2, 40, 2)
        if index % 2:
            disc = ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 < 1
            regions.append(mask_region(disc))
        else:
            regions.append(box_region([cx - w, cy - h, cx + w, cy + h], SIZE))
    return regions


def run(regions, kind, shares, bank, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(
        255, (3, *SIZE), generator=generator, dtype=torch.uint8
    )
    before = image.clone()
    shares = LEVELS.get(shares, shares)
    done = occlude_objects(image, regions, kind, shares, bank, generator)
    assert torch.equal(image, before)
    return before, done


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('level', ['L1', 'L2', 'L3'])
def test_no_object_of_a_crowd_is_above_the_level_and_few_are_below(
    bank, kind, level
):
    low, high = LEVELS[level]
    below = total = 0
    for seed in range(12):
        regions = crowd(seed)
        image, done = run(regions, kind, level, bank, seed)
        for region, share, status in zip(
            regions, done.shares, done.status, strict=True
        ):
            assert share == hidden_share(region, done.mask)
            assert share < high
            assert (status == 'inside') == (share >= low - 1e-6)
            assert status != 'too_small'
        below += done.status.count('below')
        total += len(regions)
        if kind == 'white':  # a pixel is white if hidden, else untouched
            assert (done.image[:, done.mask] == 255).all()
            assert torch.equal(done.image[:, ~done.mask], image[:, ~done.mask])
    assert below <= 0.05 * total


@pytest.mark.parametrize('kind', KINDS)
def test_a_level_hides_what_the_level_below_it_hides(bank, kind):
    tiny = [box_region([5, 5, 6, 7], SIZE), box_region([9, 5, 10, 6], SIZE)]
    for seed in range(4):
        before = None
        for level in ('L1', 'L2', 'L3'):
            _, done = run(crowd(seed) + tiny, kind, level, bank, seed)
            # no object is hidden above its level, not even a tiny one
            assert not np.greater_equal(done.shares, LEVELS[level][1]).any()
            if before is not None:
                assert not (before.mask & ~done.mask).any()
                if kind != 'object':  # whose rims are not opaque
                    inner = before.mask
                    assert torch.equal(
                        done.image[:, inner], before.image[:, inner]
                    )
            before = done


def test_all_rectangles_are_the_same_whatever_fills_them(bank):
    for level in ('L1', 'L3'):
        white, noise, texture = (
            run(crowd(1), kind, level, bank, 1)[1].mask
            for kind in ('white', 'noise', 'texture')
        )
        assert torch.equal(white, noise)
        assert torch.equal(white, texture)


def test_the_shares_fill_the_level_instead_of_its_ends(bank):
    apart = [box_region([x, 5, x + 30, 45], SIZE) for x in (0, 40)]
    runs = (run(apart, 'white', 'L2', bank, seed) for seed in range(40))
    shares = [done.shares for _, done in runs]
    assert np.ptp(shares) > 0.12
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)


def test_an_object_inside_another_has_its_own_share(bank):
    outer, inner = [2, 2, 70, 58], [30, 25, 40, 35]
    for seed in range(10):
        regions = [box_region(box, SIZE) for box in (outer, inner)]
        done = run(regions, 'noise', 'L3', bank, seed)[1]
        assert done.status == ['inside', 'inside']


def test_two_annotations_of_one_object_share_its_occluder(bank):
    regions = [box_region([10, 10, 50, 50], SIZE)] * 2
    first, second = run(regions, 'white', 'L2', bank)[1].shares
    assert 0.4 <= first == second < 0.6
    # a level that begins at nothing hides something
    assert 0 < run(regions, 'white', (0.0, 0.5), bank)[1].shares[0] < 0.5


def test_what_cannot_be_reached_is_reported(bank):
    tiny = box_region([5, 5, 6, 7], SIZE)  # 2 pixels: no share in [0.2, 0.4)
    gone = box_region([90, 90, 99, 99], SIZE)
    fine = box_region([20, 20, 40, 40], SIZE)
    done = run([tiny, gone, fine], 'white', 'L1', bank)[1]
    assert done.status == ['too_small', 'too_small', 'inside']
    assert np.isnan(done.shares[1])


def test_an_object_whose_neighbours_cannot_spare_a_pixel_stays_below(bank):
    # Three pixels, each pair of them an object, and just one of two may be
    # hidden: with any one pixel hidden, the pair of the others lacks one.
    pairs = []
    for pair in [(0, 1), (1, 2), (0, 2)]:
        mask = np.zeros(SIZE, np.uint8)
        mask[7, [3 * x for x in pair]] = 1
        pairs.append(mask_region(mask))
    done = run(pairs, 'white', (0.5, 0.5), bank)[1]
    assert sorted(done.status) == ['below', 'inside', 'inside']
    assert sorted(done.shares) == [0, 0.5, 0.5]


@pytest.mark.parametrize('regions', [[], [box_region([3, 3, 9, 9], SIZE)]])
def test_no_object_or_level_l0_leaves_the_image_as_it_is(bank, regions):
    level = 'L0' if regions else 'L3'
    image, done = run(regions, 'texture', level, bank)
    assert torch.equal(done.image, image)
    assert not done.mask.any()
    assert done.status == ['inside'] * len(regions)
