import pytest
import torch

from mmocc.occlusion import KINDS, LEVELS, OccluderBank, occlude_object


@pytest.fixture(scope='module')
def bank(occluder_folders):
    return OccluderBank(KINDS, **occluder_folders, texture_size=64)


def random_region(generator):
    """A rectangle, a disc, a ring or a few scattered pixels."""
    height, width = torch.randint(3, 40, (2,), generator=generator).tolist()
    region = torch.zeros(height, width, dtype=torch.bool)
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'
    )
    radius = (y - height / 2) ** 2 + (x - width / 2) ** 2
    kind = int(torch.randint(4, (1,), generator=generator))
    if kind == 0:
        region[: height // 2 + 1, : width // 2 + 1] = True
    elif kind == 1:
        region |= radius < min(height, width) ** 2 / 4
    elif kind == 2:
        limit = min(height, width) ** 2 / 4
        region |= (radius < limit) & (radius > limit / 3)
    else:
        region |= torch.rand(height, width, generator=generator) < 0.3
    if region.sum() < 4:
        region[:] = True
    return region


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('level', ['L1', 'L2', 'L3'])
def test_the_hidden_share_is_always_inside_the_level(bank, kind, level):
    generator = torch.Generator().manual_seed(0)
    low, high = LEVELS[level]
    for _ in range(60):
        region = random_region(generator)
        image = torch.randint(
            256, (3, *region.shape), generator=generator, dtype=torch.uint8
        )
        before = image.clone()
        occluded, mask = occlude_object(
            image, region, kind, (low, high), bank, generator
        )
        share = (mask & region).sum() / region.sum()
        assert low - 1e-6 <= share < high
        assert torch.equal(image, before)
        if kind == 'white':  # a pixel is white if hidden, else untouched
            assert (occluded[:, mask] == 255).all()
            assert torch.equal(occluded[:, ~mask], image[:, ~mask])


def test_l0_hides_nothing(bank):
    image = torch.full((3, 8, 8), 7, dtype=torch.uint8)
    region = torch.ones(8, 8, dtype=torch.bool)
    occluded, mask = occlude_object(
        image, region, 'white', (0.0, 0.0), bank, torch.Generator()
    )
    assert torch.equal(occluded, image)
    assert not mask.any()


def test_the_same_generator_state_gives_the_same_occlusion(bank):
    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    region = torch.ones(32, 32, dtype=torch.bool)
    results = [
        occlude_object(
            image,
            region,
            'object',
            (0.4, 0.6),
            bank,
            torch.Generator().manual_seed(3),
        )
        for _ in range(2)
    ]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_an_empty_object_is_refused(bank):
    with pytest.raises(ValueError, match='an object of 0 pixels'):
        occlude_object(
            torch.zeros(3, 8, 8, dtype=torch.uint8),
            torch.zeros(8, 8, dtype=torch.bool),
            'white',
            (0.2, 0.4),
            bank,
            torch.Generator(),
        )
