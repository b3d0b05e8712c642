import copy

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement, InstanceData

from mmocc.models.learn import batch_object_occluder
from mmocc.models.learn.batch_object_occluder import BatchObjectOccluder
from mmocc.occlusion import KINDS

BANKS = dict(texture_bank='builtin:train', object_bank='builtin:train')
SIZE = (80, 120)
BOXES = [
    [[4.0, 6.0, 44.0, 30.0], [60.0, 40.0, 110.0, 76.0]],
    [],
    [[10.0, 10.0, 34.0, 70.0]],
]


def sample(boxes, shape=None):
    one = BaseDataElement(metainfo=dict(img_path='photo.jpg'))
    if shape is not None:
        one.set_metainfo(dict(img_shape=shape))
    one.gt_instances = InstanceData(bboxes=torch.tensor(boxes).view(-1, 4))
    return one


def batch(boxes=BOXES):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(len(boxes), 3, *SIZE, generator=generator)
    return inputs, [sample(rows) for rows in boxes]


def occluder(kinds=('white', 'noise'), **options):
    banks = {
        name: folder
        for name, folder in BANKS.items()
        if name.removesuffix('_bank') in kinds
    }
    options = dict(mean=[100.0] * 3, std=[50.0] * 3, **options)
    return BatchObjectOccluder(kinds, **banks, **options)


def shares(mask, boxes):
    """Return the hidden share of each xyxy box of a (H, W) mask."""
    return [
        float(mask[int(y1) : int(y2), int(x1) : int(x2)].float().mean())
        for x1, y1, x2, y2 in boxes
    ]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('area', [(0.2, 0.4), (0.6, 0.8), 0.5])
def test_each_object_is_hidden_by_its_share(kind, area):
    hide = occluder([kind], area=area)
    low, high = (area, area) if isinstance(area, float) else area
    found = []
    # One object each: a cut-out may reach a neighbour.
    boxes = [[], *([row] for rows in BOXES for row in rows)]
    for _ in range(5):
        inputs, samples = batch(boxes)
        hidden, mask = hide(inputs, data_samples=samples)
        for image, rows in zip(mask[:, 0], boxes, strict=True):
            found += shares(image, rows)
        changed = (hidden != inputs).any(dim=1, keepdim=True)
        # what is hidden has changed; the rim of a cut-out is blended
        assert (changed >= mask).float().mean() > 0.999
        if kind != 'object':
            assert torch.equal(changed, mask)
        assert not mask[0].any()
    slack = 0.08  # a row of points of the box; a rim of a cut-out
    assert min(found) > low - slack
    assert max(found) < high + slack
    if low < high:
        assert max(found) - min(found) > 0.5 * (high - low)


def test_white_is_white_in_the_models_colours():
    hide = occluder(['white'], area=1.0)
    inputs, samples = batch()
    hidden, mask = hide(inputs, data_samples=samples)
    assert min(shares(mask[0, 0], BOXES[0])) > 0.95
    white = hidden[mask.expand_as(hidden)]
    torch.testing.assert_close(white, torch.full_like(white, 3.1))


def test_draws_are_those_of_seed_and_step():
    inputs, samples = batch()
    hide = occluder()
    first = [hide(inputs, data_samples=samples)[0] for _ in range(3)]
    again, other = occluder(), occluder(seed=1)
    again.load_state_dict(dict(steps=torch.tensor(1)))  # as a resumed run
    assert torch.equal(again(inputs, data_samples=samples)[0], first[1])
    assert torch.equal(again(inputs, data_samples=samples)[0], first[2])
    assert not torch.equal(other(inputs, data_samples=samples)[0], first[0])
    assert not torch.equal(first[0], first[1])


def test_in_place_or_not():
    inputs, samples = batch()
    expected, _ = occluder()(inputs, data_samples=samples)
    assert torch.equal(inputs, batch()[0])
    half = torch.cat([inputs, inputs])[3:]  # a part of a batch
    result, _ = occluder()(half, inplace=True, data_samples=samples)
    assert result is half
    assert torch.equal(half, expected)


def test_two_processes_occlude_as_one_with_the_doubled_batch(monkeypatch):
    inputs, samples = batch(BOXES + BOXES[::-1])
    whole, _ = occluder()(inputs, data_samples=samples)
    for rank in range(2):
        monkeypatch.setattr(
            batch_object_occluder, 'get_dist_info', lambda rank=rank: (rank, 2)
        )
        own, _ = occluder()(inputs[rank::2], data_samples=samples[rank::2])
        assert torch.equal(own, whole[rank::2])


def test_padding_and_what_is_outside_stays():
    inputs, _ = batch()
    inputs = inputs[:1]
    one = sample([[50.0, 30.0, 130.0, 90.0]], shape=(60, 100, 3))
    for _ in range(5):
        hidden, mask = occluder(area=0.8)(inputs, data_samples=[one])
        assert not mask[..., 60:, :].any()
        assert not mask[..., 100:].any()
        assert torch.equal(hidden[..., 60:, :], inputs[..., 60:, :])
        (share,) = shares(mask[0, 0], [[50, 30, 100, 60]])
        assert abs(share - 0.8) < 0.08


def test_tiny_and_degenerate_boxes():
    rows = [[5.0, 5.0, 5.4, 9.0], [30.0, 30.0, 30.0, 30.0]]
    inputs, _ = batch()
    hidden, mask = occluder()(inputs[:1], data_samples=[sample(rows)])
    assert torch.equal(hidden, inputs[:1])
    assert not mask.any()
    tiny = [[5.0, 5.0, 7.0, 7.0], [100.0, 2.0, 119.0, 4.0]]
    for kind in KINDS:
        hide = occluder([kind], area=0.5)
        _, mask = hide(inputs[:1], data_samples=[sample(tiny)])
        assert all(0.2 < x < 1 for x in shares(mask[0, 0], tiny)), kind


def test_a_grey_batch_and_boxes_of_mmdets_class():
    pytest.importorskip('mmdet', reason='detection needs mmdet')
    from mmdet.structures.bbox import HorizontalBoxes

    inputs, samples = batch()
    grey = inputs[:, :1].contiguous()
    hide = BatchObjectOccluder(mean=100.0, std=50.0)
    boxed = copy.deepcopy(samples)
    for one in boxed:
        one.gt_instances.bboxes = HorizontalBoxes(one.gt_instances.bboxes)
    hidden, mask = hide(grey, data_samples=boxed)
    assert hidden.shape == grey.shape
    assert mask[0].any()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda x: [], 'got 0 samples for 3 images'),
        (lambda x: [*x[:2], BaseDataElement()], r'a sample has no gt_inst'),
        (
            lambda x: [*x[:2], sample([[0.0, 0.0, float('inf'), 9.0]])],
            'photo.jpg: gt_instances.bboxes has NaN or inf',
        ),
        (lambda x: [*x[:2], rotated()], r'photo.jpg: .* is \(1, 5\)'),
    ],
)
def test_errors_name_the_image_and_the_remedy(change, message):
    inputs, samples = batch()
    with pytest.raises(ValueError, match=message):
        occluder()(inputs, data_samples=change(samples))


def rotated():
    one = sample([[0.0, 0.0, 9.0, 9.0]])
    one.gt_instances.bboxes = torch.zeros(1, 5)
    return one


def test_it_is_built_by_its_name():
    hide = MODELS.build(dict(type='mmocc.BatchObjectOccluder', area=0.3))
    assert isinstance(hide, BatchObjectOccluder)
    assert hide.area == (0.3, 0.3)
