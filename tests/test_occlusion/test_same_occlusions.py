"""Every model, whatever its input size, is tested with the same occlusions."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.datasets import CustomDataset
from torch.utils.data import DataLoader, Subset

from mmocc.occlusion import (
    KINDS,
    LEVELS,
    OccluderBank,
    occlude_object,
    pixel_bounds,
)
from mmocc.occlusion.occlude import levels_below, wanted
from mmocc.registry import TRANSFORMS
from mmocc.report.cells import occlude_dataset

SMALL, LARGE = 160, 224
HARD = ('L1', 'L2', 'L3')
RECTANGLES = ('white', 'noise', 'texture')


@pytest.fixture(scope='module')
def bank(occluder_folders):
    return OccluderBank(KINDS, **occluder_folders)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Six photos in two folders, of which some have equal names."""
    root = tmp_path_factory.mktemp('data') / 'photos'
    rng = np.random.default_rng(0)
    for folder in ('cat', 'dog'):
        (root / folder).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (24, 32, 3), np.uint8)
            cv2.imwrite(str(root / folder / f'{number}.png'), pixels)
    return root


def view(root, bank, side=SMALL, kind='white', level='L2', **kwargs):
    """Return a data set whose pipeline resizes and occludes."""
    hide = dict(type='mmocc.Occlude', kind=kind, level=level, seed=3)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side)),
        TRANSFORMS.build(dict(hide, bank=bank)),
    ]
    # Serialising collects garbage, which takes longer than all the rest.
    return CustomDataset(
        data_root=str(root), pipeline=pipeline, serialize_data=False, **kwargs
    )


def masks(dataset):
    items = map(dataset.__getitem__, range(len(dataset)))
    return [item['occlusion_mask'] == 1 for item in items]


def agreement(small, large):
    """Return the IoU of two masks at the size of the smaller one."""
    size = small.shape[::-1]
    shares = cv2.resize(
        large.astype(np.float32), size, interpolation=cv2.INTER_AREA
    )
    other = shares >= 0.5
    return (small & other).sum() / (small | other).sum()


@pytest.mark.parametrize('kind', KINDS)
def test_two_models_see_the_same_levels_are_nested(photos, bank, kind):
    before = {SMALL: None, LARGE: None}
    for level in HARD:
        hidden = {
            side: masks(view(photos, bank, side, kind, level))
            for side in before
        }
        pairs = list(zip(hidden[SMALL], hidden[LARGE], strict=True))
        assert min(agreement(*pair) for pair in pairs) > 0.97
        for side, easier in before.items():
            for inner, outer in zip(easier or [], hidden[side], strict=False):
                assert not (inner & ~outer).any()
        before = hidden
    # and the photos differ from one another
    assert agreement(hidden[SMALL][0], hidden[LARGE][1]) < 0.9


def test_the_reports_of_two_models_see_the_same(photos, bank):
    cells = {}
    for side in (SMALL, LARGE):
        dataset = CustomDataset(
            data_root=str(photos),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(side, side)),
                dict(type='PackInputs'),
            ],
            serialize_data=False,
        )
        hide = TRANSFORMS.build(
            dict(type='mmocc.Occlude', kind='object', seed=3, bank=bank)
        )
        occluded = occlude_dataset(dataset, hide, 'L2 object')
        items = map(occluded.__getitem__, range(len(occluded)))
        cells[side] = [item['data_samples'] for item in items]
    for small, large in zip(cells[SMALL], cells[LARGE], strict=True):
        assert small.occlusion_identity == large.occlusion_identity
        parts = [
            item.occlusion_thumbnail.astype(int) for item in (small, large)
        ]
        both, any_of = np.minimum(*parts).sum(), np.maximum(*parts).sum()
        assert both / any_of > 0.97
    first = cells[SMALL][0]
    assert first.occlusion_photo == 'cat/0.png'
    assert len({item.occlusion_identity for item in cells[SMALL]}) == 6


def test_all_kinds_are_at_one_place(photos, bank):
    for level in ('L1', 'L3'):
        white, noise, texture = (
            masks(view(photos, bank, kind=kind, level=level))
            for kind in RECTANGLES
        )
        assert np.array_equal(white, noise)
        assert np.array_equal(white, texture)
    spots = masks(view(photos, bank, kind='white', level=0.0005))
    cutouts = masks(view(photos, bank, kind='object', level='L1'))
    for spot, cutout in zip(spots, cutouts, strict=True):
        y, x = np.argwhere(spot).mean(0).astype(int)
        assert cutout[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()


def test_place_order_subset_batch_and_workers_do_not_matter(photos, bank):
    dataset = view(photos, bank)
    expected = masks(dataset)
    assert len({mask.tobytes() for mask in expected}) == 6

    def check(other, order):
        for mask, number in zip(masks(other), order, strict=True):
            assert np.array_equal(mask, expected[number])

    check(Subset(dataset, [5, 1, 4]), [5, 1, 4])
    check(dataset.get_subset([4, 2]), [4, 2])
    check(view(photos, bank, indices=[5, 3]), [5, 3])
    check(RepeatDataset(dataset, 2), [*range(6)] * 2)
    halves = [view(photos, bank, indices=half) for half in ([4, 5], [2, 0])]
    check(ConcatDataset(halves), [4, 5, 2, 0])
    for workers, batch in ((0, 3), (2, 2)):
        loader = DataLoader(
            dataset, batch, num_workers=workers, collate_fn=list
        )
        check([item for items in loader for item in items], range(6))


def test_another_machine_sees_the_same(photos, bank, tmp_path):
    moved = tmp_path / 'elsewhere' / 'copy'
    shutil.copytree(photos, moved)
    there = masks(view(moved, bank))
    assert np.array_equal(there, masks(view(photos, bank)))


def test_an_image_in_memory_has_its_index_and_says_so(bank):
    hide = TRANSFORMS.build(dict(type='mmocc.Occlude', seed=0, bank=bank))
    image = np.zeros((40, 40, 3), np.uint8)
    first = hide(dict(img=image, sample_idx=1))
    assert first['occlusion_identity'] == 'index:1'
    other = hide(dict(img=image, sample_idx=2))
    assert not np.array_equal(first['img'], other['img'])


def test_crops_of_one_photo_have_occlusions_of_their_own(bank):
    hide = TRANSFORMS.build(
        dict(type='mmocc.Occlude', kind='white', seed=0, bank=bank)
    )
    image = np.zeros((40, 40, 3), np.uint8)
    ends = [
        hide(dict(img=image, img_path='a/1.jpg', instance_id=number))
        for number in (1, 2)
    ]
    assert [end['occlusion_photo'] for end in ends] == ['a/1.jpg'] * 2
    assert ends[1]['occlusion_identity'] == 'a/1.jpg#2'
    assert not np.array_equal(ends[0]['img'], ends[1]['img'])


def shape_of(form, side, numbers):
    """Return a box or a blob, given in shares of the image, (h, w) bool."""
    x, y, width, height, turn = numbers
    if form == 'box':
        ends = np.array([x - width, y - height, x + width, y + height])
        left, top, right, bottom = (ends * side).round().astype(int)
        region = np.zeros((side, side), bool)
        region[top:bottom, left:right] = True
        return region
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    rows, columns = (rows - y) / height, (columns - x) / width
    angle = np.arctan2(rows, columns)
    return np.hypot(rows, columns) < 1 + 0.2 * np.sin(3 * angle + turn)


@pytest.mark.parametrize('kind', ['white', 'object'])
@pytest.mark.parametrize('form', ['box', 'blob'])
def test_boxes_and_masks_are_hidden_alike_at_both_sizes(bank, form, kind):
    rng = np.random.default_rng(0)
    low, high = [0.45, 0.45, 0.3, 0.3, 0], [0.55, 0.55, 0.4, 0.4, 6]
    found = []
    for seed in range(12):
        numbers = rng.uniform(low, high)
        before = {}
        for level in HARD:
            ends = []
            for side in (SMALL, LARGE):
                region = torch.from_numpy(shape_of(form, side, numbers))
                _, mask = occlude_object(
                    torch.zeros(3, side, side, dtype=torch.uint8),
                    region,
                    kind,
                    LEVELS[level],
                    bank,
                    torch.Generator().manual_seed(seed),
                )
                if side in before:
                    assert not (before[side] & ~mask).any()
                before[side] = mask
                ends.append(mask.numpy())
            found.append(agreement(*ends))
    # Both sizes round rims to whole pixels. So an L1 of a small object, or a
    # ring, cannot agree as well as an L3.
    assert np.mean(found) > 0.975
    assert np.mean(np.array(found) > 0.97) > 0.75
    assert np.min(found) > 0.9


def test_what_a_level_hides_keeps_its_colours_in_the_next(bank):
    image = torch.full((3, 50, 60), 7, dtype=torch.uint8)
    region = torch.ones(50, 60, dtype=torch.bool)
    for kind in KINDS:
        before, solid = None, None
        for level in HARD:
            generator = torch.Generator().manual_seed(4)
            end, mask = occlude_object(
                image, region, kind, LEVELS[level], bank, generator
            )
            if before is not None:
                change = (before.int() - end.int()).abs().amax(dim=0)
                rim = change[solid] > 0
                assert (
                    not rim.any()
                    if kind != 'object'
                    else rim.float().mean() < 0.2
                )
            before, solid = end, mask


def test_the_hidden_share_is_one_position_inside_each_level():
    assert wanted((0, 0), 0.5) == 0
    assert wanted((0, 3), 0.0) == 1  # a level that begins at nothing
    assert wanted((5, 5), 0.9) == 5
    # margins of a tenth: from 22 to 38 of 20 to 40
    assert [wanted((20, 40), room) for room in (0, 0.5, 1)] == [22, 30, 38]
    assert pixel_bounds(100, LEVELS['L2']) == (40, 59)


def test_a_level_goes_on_from_those_below_it():
    l1, l2, l3 = (LEVELS[level] for level in HARD)
    assert levels_below(l1) == []
    assert levels_below(l3) == [l1, l2]
    assert levels_below((0.2, 0.8)) == []
    assert levels_below((0.5, 0.7)) == [l1]
    assert levels_below((0.8, 0.9)) == [l1, l2, l3]


def test_a_level_above_all_named_ones_is_reached(bank):
    region = torch.ones(30, 30, dtype=torch.bool)
    for kind in KINDS:
        _, mask = occlude_object(
            torch.zeros(3, 30, 30, dtype=torch.uint8),
            region,
            kind,
            (0.8, 0.95),
            bank,
            torch.Generator().manual_seed(0),
        )
        assert 0.8 <= mask.float().mean() < 0.95
