"""RoI features: whose image, whose map, and what is refused."""

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from torch.nn.functional import avg_pool2d, grid_sample

from mmocc.models.dea import PriorLevelRoIExtractor

STRIDES = [4, 8, 16]


def identity(channels=1, **options):
    """Return an extractor whose 1x1 convolutions change nothing."""
    options = dict(out_channels=channels, output_size=2) | options
    extractor = PriorLevelRoIExtractor(
        [channels] * len(STRIDES), STRIDES, **options
    )
    for lateral in extractor.laterals:
        torch.nn.init.eye_(lateral.weight.data[..., 0, 0])
        torch.nn.init.zeros_(lateral.bias)
    return extractor.eval()


def told_apart(images=3):
    """Return maps whose values are 10 * image + level."""
    image = 10.0 * torch.arange(images).view(-1, 1, 1, 1)
    return tuple(
        (image + level).repeat(1, 1, 64 // s, 64 // s)
        for level, s in enumerate(STRIDES)
    )


def test_each_box_reads_its_own_image_and_level():
    # The first box again, of another image; and once more, of another level.
    rows = [[1, 4, 4, 30, 30], [0, 4, 4, 30, 30], [2, 0, 0, 64, 64],
            [1, 4, 4, 30, 30], [0, 8, 8, 20, 20]]  # fmt: skip
    rois = torch.tensor(rows).float()
    levels = torch.tensor([2, 0, 1, 0, 2])
    out = identity()(told_apart(), rois, levels)
    expected = (10 * rois[:, 0] + levels).view(5, 1, 1, 1).expand(5, 1, 2, 2)
    torch.testing.assert_close(out, expected)
    half = tuple(feat.bfloat16() for feat in told_apart())
    rois = torch.tensor([[2, 30.3, 31.7, 40.1, 33.9]])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = identity()(half, rois, torch.tensor([0]))
    assert out.dtype == torch.float32
    assert out.unique().tolist() == [20]


def sampled(feat, box, stride, aligned):
    """Return RoIAlign by its definition: means of 2x2 points in 5x5 cells."""
    x1, y1, x2, y2 = (box / stride - 0.5 * aligned).tolist()
    steps = (torch.arange(10) + 0.5) / 10
    x, y = x1 + (x2 - x1) * steps, y1 + (y2 - y1) * steps
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), -1)[None]
    grid = 2 * grid / (feat.shape[-1] - 1) - 1  # cells lie on whole numbers
    points = grid_sample(feat, grid, padding_mode='border', align_corners=True)
    return avg_pool2d(points, 2)


@pytest.mark.parametrize('aligned', [True, False])
def test_features_are_means_of_points_in_the_boxs_own_map(aligned):
    torch.manual_seed(0)
    feats = tuple(torch.randn(2, 3, 64 // s, 64 // s) for s in STRIDES)
    rois = torch.tensor([[0, 3.3, 5.0, 40.0, 31.7], [1, 0.5, 0.5, 17.0, 60.0]])
    options = dict(output_size=5, sampling_ratio=2, aligned=aligned)
    out = identity(3, **options)(feats, rois, torch.tensor([1, 0]))
    for row, level in ((0, 1), (1, 0)):
        feat = feats[level][row : row + 1]
        expected = sampled(feat, rois[row, 1:], STRIDES[level], aligned)
        torch.testing.assert_close(out[row : row + 1], expected)


def test_unequal_channels_are_lifted():
    shapes = dict(out_channels=6, output_size=3)
    extractor = PriorLevelRoIExtractor([8, 16, 4], STRIDES, **shapes)
    sizes = (1, 8, 16, 16), (1, 16, 8, 8), (1, 4, 4, 4)
    feats = tuple(torch.rand(size) for size in sizes)
    rois = torch.tensor([[0, 0.0, 0.0, 32.0, 32.0]] * 3)
    out = extractor(feats, rois, torch.arange(3))
    assert out.shape == (3, 6, 3, 3)
    assert out.dtype == torch.float32
    rois[0, 1:] = torch.tensor([5.0, 5.0, 5.0, 5.0])  # of no size
    rois[1, 1:] = torch.tensor([900.0, 900.0, 950.0, 950.0])  # beyond
    assert extractor(feats, rois, torch.arange(3)).isfinite().all()


SIDES = torch.tensor([1.0, 15.9, 16.0, 31.9, 32.0, 500.0])


@pytest.mark.parametrize(
    ('rule', 'options', 'expected'),
    [
        ('own_level', {}, [2, 2, 2, 2, 0, 0]),
        ('conv4_3', {}, [0] * 6),
        ('conv4_3', dict(fixed_level=1), [1] * 6),
        ('size', dict(finest_scale=8), [0, 0, 1, 1, 2, 2]),
    ],
)
def test_rules_choose_the_map(rule, options, expected):
    boxes = torch.stack([SIDES * 0, SIDES * 0, SIDES * 2, SIDES / 2], 1)
    rois = torch.cat([torch.zeros(6, 1), boxes], 1)
    own = torch.tensor([2, 2, 2, 2, 0, 0])
    levels = identity(rule=rule, **options).map_levels(rois, own)
    assert levels.tolist() == expected
    for training in (True, False):
        extractor = identity(rule=rule).train(training)
        out = extractor(told_apart(), rois[:0], own[:0])
        assert out.shape == (0, 1, 2, 2)


@pytest.mark.parametrize('levels', [[], [1], [0, 1, 2]])
def test_every_parameter_has_a_gradient_whatever_the_levels(levels):
    extractor = identity().train()
    rois = torch.tensor([[0, 0.0, 0.0, 20.0, 20.0]] * len(levels))
    levels = torch.tensor(levels, dtype=torch.int64)
    extractor(told_apart(), rois.view(-1, 5), levels).sum().backward()
    for level, lateral in enumerate(extractor.laterals):
        assert lateral.bias.grad is not None
        assert bool(lateral.bias.grad.any()) == (level in levels)


@pytest.mark.parametrize(
    ('roi', 'message'),
    [
        ([0, 1.0, 1.0, float('nan'), 9.0], 'region 1, .*nan.* is not finite'),
        ([0, 1.0, 1.0, float('inf'), 9.0], 'region 1, .*inf.* is not finite'),
        ([0, 9.0, 1.0, 1.0, 9.0], 'region 1, .* is inverted'),
        ([3, 1.0, 1.0, 9.0, 9.0], 'names no image of the batch of 3'),
        ([-1, 1.0, 1.0, 9.0, 9.0], 'names no image of the batch of 3'),
    ],
)
def test_regions_that_roi_align_cannot_take_are_refused(roi, message):
    rois = torch.tensor([[0, 1.0, 1.0, 9.0, 9.0], roi])
    with pytest.raises(ValueError, match=message):
        identity()(told_apart(), rois, torch.tensor([0, 1]))
    for level in (-1, 3):
        with pytest.raises(ValueError, match='there are 3 maps'):
            identity()(told_apart(), rois[:1], torch.tensor([level]))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(rule='own'), "unknown rule 'own'; choose from"),
        (dict(fixed_level=3), 'fixed_level 3 is none of the 3 maps'),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        identity(**options)
    with pytest.raises(ValueError, match='2 in_channels but 3 featmap'):
        PriorLevelRoIExtractor([1, 1], STRIDES)
