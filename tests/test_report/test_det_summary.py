"""AP of detectors: COCO's, with a weight for each photo."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest

pytest.importorskip('pycocotools', reason='boxes are matched by pycocotools')

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from toy_detections import CLASSES, PHOTOS, draw

from mmocc.report import det_matching as matching
from mmocc.report.det_summary import (
    gains,
    measure,
    recall,
    recall_by_size,
    spread_of,
    summarise_detectors,
)
from mmocc.report.detection_store import Detections


def by_pycocotools(found):
    """Return what COCO's own evaluation gives: AP of each IoU."""
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = matching._as_coco(found, CLASSES)
        truth.createIndex()
        run = COCOeval(
            truth, truth.loadRes(matching._as_results(found)), 'bbox'
        )
        run.params.imgIds = sorted(truth.imgs)
        run.evaluate()
        run.accumulate()
    precision = run.eval['precision'][..., 0, -1]  # IoUs, recalls, classes
    precision = np.where(precision < 0, np.nan, precision)
    return np.nanmean(precision, axis=(1, 2))


def repeated(found, weights):
    """Return a set in which each photo is as often as its weight."""
    photos = np.repeat(np.arange(len(weights)), weights)
    parts = [found.pick(photo) for photo in photos]
    names = (
        'boxes', 'scores', 'labels', 'objects', 'object_labels', 'ignored',
        'shares',
    )  # fmt: skip
    arrays = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    places = np.arange(len(parts))
    return Detections(
        photo=np.array([f'{n}' for n in places]),
        owner=np.repeat(places, [len(p.scores) for p in parts]),
        object_owner=np.repeat(places, [len(p.ignored) for p in parts]),
        **arrays,
    )


@pytest.mark.parametrize('seed', range(4))
def test_weights_of_one_give_cocos_ap_exactly(seed):
    found = draw(seed)
    matches = matching.match(found, CLASSES)
    ones = np.ones((1, PHOTOS), int)
    [ap] = matching.average_precision(matches.classes, ones)
    np.testing.assert_allclose(ap, by_pycocotools(found), atol=1e-12)


@pytest.mark.parametrize('seed', range(4))
def test_a_weight_is_as_good_as_that_many_photos(seed):
    found = draw(seed)
    weights = np.random.default_rng(seed).multinomial(
        PHOTOS, [1 / PHOTOS] * PHOTOS
    )
    matches = matching.match(found, CLASSES)
    [ap] = matching.average_precision(matches.classes, weights[None])
    many = by_pycocotools(repeated(found, weights))
    np.testing.assert_allclose(ap, many, atol=1e-12)


def test_objects_are_found_by_the_box_that_pycocotools_gives_them():
    found = Detections(
        photo=np.array(['a', 'b']),
        owner=np.array([0, 0, 1]),
        boxes=np.array(
            [[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 5]], float
        ),
        scores=np.array([0.9, 0.8, 0.7]),
        labels=np.array([0, 0, 0]),
        object_owner=np.array([0, 0, 1]),
        objects=np.array(
            [[0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 10, 10]], float
        ),
        object_labels=np.array([0, 0, 0]),
        ignored=np.zeros(3, bool),
        shares=np.zeros(3),
    )
    matches = matching.match(found, 1)
    # the third box covers half of its object: IoU is just 0.5
    assert matches.found.tolist() == [0.9, -np.inf, 0.7]
    [one] = matches.classes
    assert one.hits[0].tolist() == [True, False, True]
    assert one.hits[1].tolist() == [True, False, False]
    # F1 of the first box: 2/(1+3); of two: 2/(2+3); of three: 4/(3+3)
    assert matching.best_score(matches.classes) == pytest.approx(0.35)
    numbers = recall(found, matches.found >= 0.8)
    assert numbers['accuracy'] == pytest.approx(100 / 3, abs=1e-3)
    assert numbers['objects'] == 3


def test_a_detector_without_boxes_has_zero_and_no_nan():
    found = draw(0)
    empty = Detections(
        found.photo, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0),
        np.zeros(0, int), found.object_owner, found.objects,
        found.object_labels, found.ignored, found.shares,
    )  # fmt: skip
    report = summarise_detectors({'a': {'L0': empty}}, ['x', 'y', 'z'])
    cell = report['models']['a']['cells']['L0']
    assert cell['accuracy'] == 0
    assert cell['recall']['accuracy'] == 0
    nothing = Detections(*(a[:0] for a in vars(found).values()))
    nothing.photo = found.photo
    blank = summarise_detectors({'a': {'L0': nothing}}, ['x'])
    cell = blank['models']['a']['cells']['L0']
    assert cell['accuracy'] is None and cell['interval'] == [None, None]


def test_a_report_of_detectors_has_the_form_of_classifiers():
    def cells(shift):
        return {
            'L0': draw(1, lost=0.1),
            'L1 white': draw(1, share=0.3, lost=0.4 - shift),
            'L2 white': draw(1, share=0.5, lost=0.8 - shift),
        }

    report = summarise_detectors(
        dict(a=cells(0), b=cells(0.2)), ['x', 'y', 'z'], dict(seed=0)
    )
    a, b = report['models'].values()
    ap = [a['cells'][c]['accuracy'] for c in ('L0', 'L1 white', 'L2 white')]
    assert ap[0] > ap[1] > ap[2]
    assert a['means']['L1-L3']['accuracy'] == pytest.approx(
        (ap[1] + ap[2]) / 2, abs=1e-3
    )
    cost = a['costs']['L1-L3']
    assert cost['loss'] == pytest.approx(ap[0] - (ap[1] + ap[2]) / 2, abs=1e-3)
    low, high = cost['interval']
    assert low < cost['loss'] < high
    gap = b['difference']['L2 white']
    assert gap['difference'] == pytest.approx(
        b['cells']['L2 white']['accuracy'] - ap[2], abs=1e-3
    )
    assert b['difference']['L0'] == dict(difference=0, interval=[0, 0])
    curve = a['curves']['white']
    assert [point['share'] for point in curve] == pytest.approx(
        [30, 50], abs=1e-3
    )
    sizes = {size: n['L0']['objects'] for size, n in a['sizes'].items()}
    assert sum(sizes.values()) == a['objects']


def test_a_paired_difference_is_narrower_than_two_intervals():
    one, two = draw(3, photos=30), draw(3, photos=30, lost=0.32)
    models = {
        n: measure({'L0': d}, CLASSES) for n, d in dict(a=one, b=two).items()
    }
    gap = gains(models['b'].ap, models['a'].ap)['L0']
    low, high = gap['interval']
    apart = [spread_of(m.ap['L0']) for m in models.values()]
    assert high - low < sum(end - start for start, end in apart) / 2


def test_other_photos_or_occlusions_are_not_paired():
    base = {'L0': draw(0), 'L1 white': draw(0, share=0.3)}
    other = {'L0': draw(0), 'L1 white': draw(0, share=0.2)}
    report = summarise_detectors(dict(a=base, b=other), ['x', 'y', 'z'])
    reason = report['models']['b']['not_paired']
    assert reason == 'in L1 white, other parts of the objects are hidden'
    other['L0'].photo = other['L0'].photo[::-1]
    report = summarise_detectors(dict(a=base, b=other), ['x', 'y', 'z'])
    assert 'same photos' in report['models']['b']['not_paired']
    assert 'difference' not in report['models']['b']


def test_the_size_is_the_area_of_the_box():
    found = draw(5)
    own = measure({'L0': found}, CLASSES, draws=10)
    sizes = recall_by_size({'L0': found}, own)
    sides = found.objects[:, 2:] - found.objects[:, :2]
    small = (sides.prod(axis=1) < 1024) & ~found.ignored
    assert sizes['small']['L0']['objects'] == small.sum() > 0


def test_detections_are_stored_and_damaged_files_are_not_read(tmp_path):
    found = draw(2)
    found.save(tmp_path / 'a.npz')
    back = Detections.load(tmp_path / 'a.npz')
    for name, array in vars(found).items():
        np.testing.assert_array_equal(getattr(back, name), array)
    (tmp_path / 'a.npz').write_bytes(b'x')
    assert Detections.load(tmp_path / 'a.npz') is None
    assert Detections.load(tmp_path / 'none.npz') is None
