"""The page of detectors, and the photos on it."""

import re

import numpy as np
import pytest

pytest.importorskip('pycocotools', reason='boxes are matched by pycocotools')

from page_tables import Tables
from toy_detections import draw

from mmocc.report.det_examples import make_det_example, object_states
from mmocc.report.det_page import ap50_rows, size_rows, write_det_report
from mmocc.report.det_summary import measure, summarise_detectors

CLASSES = ['cat', 'x' * 80, 'ox <b>']
NAME = 'a' * 80


@pytest.fixture(scope='module')
def models():
    def cells(shift):
        return {
            'L0': draw(1, lost=0.1),
            'L1 white': draw(1, share=0.3, lost=0.4 - shift),
            'L3 white': draw(1, share=0.7, lost=0.9 - shift),
        }

    return {'base': cells(0), NAME: cells(0.2)}


@pytest.fixture(scope='module')
def measured(models):
    return {name: measure(c, 3, draws=20) for name, c in models.items()}


def example(models, measured, cell='L3 white'):
    image = np.full((60, 90, 3), 90, np.uint8)
    picture = dict(img=image, order='bgr', photo='folder/0.jpg')
    return make_det_example(picture, 0, cell, models, measured, CLASSES)


def test_an_object_is_found_lost_or_missed():
    found = np.array([1, 0, 0, 1], bool)
    clean = np.array([1, 1, 0, 0], bool)
    ignored = np.array([0, 0, 0, 1], bool)
    states = object_states(found, clean, ignored)
    assert states == ['found', 'gone', 'missed', None]
    assert object_states(found, None, ignored)[:3] == [
        'found', 'missed', 'missed',
    ]  # fmt: skip


def test_a_photo_has_each_models_boxes(models, measured):
    shot = example(models, measured)
    assert (shot['width'], shot['height'], shot['name']) == (90, 60, '0.jpg')
    first = models['base']['L0'].pick(0)
    for name, answer in shot['answers'].items():
        boxes = answer['boxes']
        assert len(boxes) == (~first.ignored).sum()
        seen = measured[name].found['L3 white'][: len(first.ignored)]
        count = int((seen & ~first.ignored).sum())
        before = measured[name].found['L0'][: len(first.ignored)]
        clean = int((before & ~first.ignored).sum())
        assert answer['text'] == (
            f'finds {count} of {len(boxes)} objects ({clean} when clean)'
        )
        states = {box['state'] for box in boxes}
        assert (answer['state'] == 'lost') == ('gone' in states)
    x1, y1, x2, _y2 = first.objects[~first.ignored][0]
    box = shot['answers']['base']['boxes'][0]
    assert (box['x'], box['y']) == (
        pytest.approx(x1, abs=0.06), pytest.approx(y1, abs=0.06),
    )  # fmt: skip
    assert box['width'] == pytest.approx(x2 - x1, abs=0.06)
    clean = example(models, measured, 'L0')['answers']['base']
    assert 'when clean' not in clean['text']


def test_the_page_shows_numbers_and_boxes(models, measured, tmp_path):
    report = summarise_detectors(models, CLASSES, dict(seed=0), measured)
    metrics = {
        name: {
            'L0': {'coco/bbox_mAP': 0.5, 'coco/bbox_mAP_l': -1.0},
            'L1 white': {'coco/bbox_mAP': float('nan')},
            'real occlusion': {'box_recall/occluded_recall': 62.344},
        }
        for name in models
    }
    shots = [example(models, measured), example(models, measured, 'L0')]
    path = tmp_path / 'page.html'
    write_det_report(report, metrics, shots, path, 'title')
    text = path.read_text(encoding='utf-8')
    parser = Tables()
    parser.feed(text)
    assert parser.open == []
    for table in parser.tables:
        assert {len(row) for row in table} == {len(table[0])}
    body = re.sub(r'(?s)<script>.*', '', text)
    assert not re.search(r'\b(nan|NaN|None|inf)\b', body)
    assert '<b>base</b> loses ' in text and ' points of AP (' in text
    assert 'ox &lt;b&gt;' in text or 'ox <b>' not in text
    assert text.count('data:image/jpeg') == 2
    own = next(t for t in parser.tables if t[0][0] == 'metric')
    assert own[1] == ['base, coco/bbox_mAP', '0.500', '-']
    assert own[2][1:] == ['-', '-']
    assert '62.34' in text
    assert ap50_rows(report)[0] == [
        'AP50, %', 'L0', 'L1 white', 'L3 white', 'mean', 'L1-L3',
    ]  # fmt: skip
    sizes = size_rows(report)
    assert sizes[0] == ['recall, %', 'objects', 'L0', 'L1', 'L3', 'L1-L3']
    counts = [int(row[1]) for row in sizes[1:] if row[0].startswith('base')]
    assert sum(counts) == report['models']['base']['objects']


def test_one_detector_has_a_page_without_differences(
    models, measured, tmp_path
):
    report = summarise_detectors(
        {'base': models['base']}, CLASSES, {}, {'base': measured['base']}
    )
    path = tmp_path / 'page.html'
    write_det_report(report, {'base': {}}, [], path, 'title')
    text = re.sub(
        r'(?s)<style>.*?</style>|<script>.*', '', path.read_text('utf-8')
    )
    for word in ('ifference', 'paired', 'same photos'):
        assert word not in text
