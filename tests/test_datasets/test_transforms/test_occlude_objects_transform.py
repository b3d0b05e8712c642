import numpy as np
import pytest

from mmocc.occlusion import KINDS, LEVELS
from mmocc.registry import TRANSFORMS

BOXES = [[5, 5, 30, 30], [20, 10, 45, 35], [50, 40, 70, 55]]
SIZE = (60, 80)


def build(**kwargs):
    return TRANSFORMS.build(dict(type='mmocc.OccludeObjects', **kwargs))


def white(level='L2', **kwargs):
    return build(kind='white', level=level, seed=0, **kwargs)


def sample(idx=0, **fields):
    image = np.random.default_rng(1).integers(0, 255, (*SIZE, 3), np.uint8)
    return dict(img=image, object_index=idx, img_path='a.jpg', **fields)


def instances():
    return [dict(bbox=box, bbox_label=0, ignore_flag=0) for box in BOXES]


def share(mask, box):
    left, top, right, bottom = box
    return mask[top:bottom, left:right].mean()


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('level', ['L1', 'L2', 'L3'])
def test_each_object_has_the_share_asked_for(occluder_folders, kind, level):
    transform = build(kind=kind, level=level, seed=0, **occluder_folders)
    low, high = LEVELS[level]
    for idx in range(5):
        results = transform(sample(idx, instances=instances()))
        mask = results['occlusion_mask']
        assert mask.dtype == np.uint8
        assert results['occlusion_status'] == ['inside'] * 3
        for box, stored in zip(
            BOXES, results['occlusion_shares'], strict=True
        ):
            assert stored == pytest.approx(share(mask, box))
            assert low <= stored < high


def test_loaded_annotations_come_before_those_of_the_data_set():
    moved = np.array([[40, 20, 70, 50]], np.float32)
    results = white()(sample(instances=instances(), gt_bboxes=moved))
    assert len(results['occlusion_shares']) == 1
    assert 0.4 <= share(results['occlusion_mask'], [40, 20, 70, 50]) < 0.6
    assert results['gt_bboxes'] is moved
    assert results['instances'] == instances()


def test_polygons_run_lengths_and_bitmaps_are_the_same_object():
    coco = pytest.importorskip('pycocotools.mask')
    polygon = [10.0, 10.0, 40.0, 10.0, 40.0, 40.0, 10.0, 40.0]
    compressed = coco.frPyObjects([polygon], *SIZE)[0]
    bitmap = coco.decode(compressed)
    plain = dict(size=list(SIZE), counts=[])
    runs = np.flatnonzero(np.diff(bitmap.T.ravel())) + 1
    plain['counts'] = np.diff([0, *runs, bitmap.size]).tolist()
    text = dict(compressed, counts=compressed['counts'].decode())
    structures = pytest.importorskip('mmdet.structures')
    boxes = structures.bbox.HorizontalBoxes([BOXES[0]])
    polygons = structures.mask.PolygonMasks([[np.array(polygon)]], *SIZE)
    samples = [
        dict(instances=[dict(bbox=BOXES[0], mask=mask, ignore_flag=0)])
        for mask in ([polygon], compressed, text, plain)
    ] + [
        dict(gt_bboxes=np.array(BOXES[:1]), gt_masks=bitmap[None]),
        dict(gt_bboxes=boxes, gt_masks=polygons),
        dict(gt_bboxes=boxes, gt_masks=polygons.to_bitmap()),
    ]
    first, *others = (white()(sample(**fields)) for fields in samples)
    assert 0.4 <= first['occlusion_mask'][bitmap == 1].mean() < 0.6
    for results in others:
        assert np.array_equal(results['img'], first['img'])


@pytest.mark.parametrize('mask', [None, [[1.0, 1.0, 2.0]], [[1.0] * 6]])
def test_an_object_without_a_usable_mask_is_its_box(mask):
    item = dict(bbox=BOXES[0], ignore_flag=0)
    if mask:
        item['mask'] = mask
    results = white()(sample(instances=[item]))
    assert 0.4 <= share(results['occlusion_mask'], BOXES[0]) < 0.6


def test_ignored_objects_get_no_occluder_but_are_measured():
    items = instances()
    items[2]['ignore_flag'] = 1
    results = white()(sample(instances=items))
    assert results['occlusion_status'] == ['inside', 'inside', 'ignored']
    assert results['occlusion_shares'][2] == 0
    flags = np.array([False, False, True])
    loaded = sample(gt_bboxes=np.array(BOXES), gt_ignore_flags=flags)
    assert white()(loaded)['occlusion_status'][2] == 'ignored'


def test_grey_and_float_images_keep_their_form():
    colour = sample(instances=instances())
    expected = white()(dict(colour))
    floats = white()(dict(colour, img=colour['img'].astype(np.float32)))
    assert floats['img'].dtype == np.float32
    assert np.array_equal(floats['img'], expected['img'])
    for grey in (colour['img'][..., 0], colour['img'][..., :1]):
        results = white()(dict(colour, img=grey))
        assert results['img'].shape == grey.shape
        assert (results['img'][results['occlusion_mask'] == 1] == 255).all()
    four = np.dstack([colour['img'], colour['img'][..., :1]])
    results = white()(dict(colour, img=four))
    assert np.array_equal(results['img'][..., :3], expected['img'])
    assert np.array_equal(results['img'][..., 3], four[..., 3])


def test_the_same_sample_is_occluded_alike_in_any_order():
    first = white(level='L3')
    images = [first(sample(i, instances=instances()))['img'] for i in range(3)]
    again = white(level='L3')
    for idx in (2, 0, 1):
        img = again(sample(idx, instances=instances()))['img']
        assert np.array_equal(img, images[idx])
    assert not np.array_equal(images[0], images[1])
    empty = again(sample(instances=[]))
    assert np.array_equal(empty['img'], sample()['img'])
    assert empty['occlusion_status'] == []


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({}, r'a\.jpg: the sample has neither gt_bboxes nor instances'),
        (dict(gt_bboxes=np.zeros((2, 5))), r'a\.jpg: gt_bboxes is \(2, 5\)'),
        (
            dict(gt_bboxes=np.zeros((1, 4)), gt_masks=np.zeros((1, 9, 9))),
            r'a\.jpg: a mask of \(9, 9\) does not fit the image of \(60, 80\)',
        ),
        (dict(gt_bboxes=np.full((1, 4), np.nan)), r'a\.jpg: the box .* NaN'),
        (dict(instances=[], img=np.full((9, 9, 3), 0.5)), 'whole numbers'),
        (
            dict(instances=[], img=np.zeros((9, 9, 5), np.uint8)),
            r'or whole numbers .*, got uint8 of shape \(9, 9, 5\)',
        ),
        (
            dict(instances=[dict(bbox=[30, 5, 20, 9], ignore_flag=0)]),
            r'a\.jpg: the box \[30.0, 5.0, 20.0, 9.0\] .* inverted',
        ),
    ],
)
def test_bad_samples_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        white()(sample() | fields)


def test_regions_that_are_no_object_are_refused():
    with pytest.raises(ValueError, match="region='mask' but an object has no"):
        white(region='mask')(sample(instances=instances()))
    with pytest.raises(ValueError, match="region='image' is no object"):
        white(region='image')
