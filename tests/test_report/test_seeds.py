"""Several seeds of occluders: means, their intervals and their spread."""

import numpy as np
import pytest
from toy_answers import CLASSES, answers

from mmocc.report import seeds
from mmocc.report.answers import Fault
from mmocc.report.page import write_report
from mmocc.report.statistics import accuracy_interval
from mmocc.report.summary import summarise
from mmocc.report.tables import markdown_table, remarks

CLEAN = [1, 1, 1, 0]
HITS = {0: [1, 1, 0, 0], 3: [1, 0, 0, 0], 5: [1, 1, 1, 0]}


def cells(hits):
    return {'L0': answers(CLEAN), 'L1 white': answers(hits, share=0.3)}


@pytest.fixture
def report():
    """Return a report of two models, of which the second is always right."""
    by_seed = {
        seed: dict(base=cells(hits), ours=cells([1, 1, 1, 1]))
        for seed, hits in HITS.items()
    }
    return summarise(by_seed[0], CLASSES, by_seed=by_seed)


def test_numbers_are_means_over_seeds(report):
    cell = report['models']['base']['cells']['L1 white']
    assert cell['accuracy'] == pytest.approx(50)
    assert cell['seeds'] == {'0': 50, '3': 25, '5': 75}
    assert cell['spread'] == pytest.approx(25)  # of 25, 50, 75
    assert cell['images'] == 4
    hits = np.array(list(HITS.values())).T
    low, high = accuracy_interval(hits)
    assert cell['interval'] == pytest.approx([100 * low, 100 * high], abs=1e-3)
    means = report['models']['base']['means']
    assert means['L1-L3']['accuracy'] == pytest.approx(50)
    assert means['mean']['accuracy'] == pytest.approx((75 + 50) / 2)
    assert means['mean']['spread'] == pytest.approx(12.5)
    assert means['mean']['images'] == 4
    assert report['seeds'] == [0, 3, 5]


def test_clean_images_have_no_seed(report):
    alone = summarise(dict(base=cells(HITS[0])), CLASSES)
    for key in ('cells', 'means'):
        clean = report['models']['base'][key]['L0']
        assert 'spread' not in clean
        expected = alone['models']['base'][key]['L0']
        assert clean['accuracy'] == expected['accuracy']
        assert clean['images'] == expected['images']
    clean = report['models']['base']['cells']['L0']
    assert clean == alone['models']['base']['cells']['L0']


def test_differences_have_a_spread_of_their_own(report):
    gain = report['models']['ours']['difference']['L1 white']
    assert gain['difference'] == pytest.approx(50)
    assert gain['seeds'] == {'0': 50, '3': 75, '5': 25}
    assert gain['spread'] == pytest.approx(25)
    assert gain['images'] == 4


def test_page_and_tables_say_it(report, tmp_path):
    assert '50.0 ±25.0' in markdown_table(report)
    assert any('3 seeds (0, 3, 5)' in text for text in remarks(report))
    path = tmp_path / 'page.html'
    write_report(report, [], path)
    page = path.read_text(encoding='utf-8')
    assert '±25.0' in page and '3 seeds (0, 3, 5)' in page


def test_faults_count_an_image_once():
    parts = {}
    for seed in (0, 1):
        part = cells(HITS[0])
        part['L1 white'].faults = [
            Fault(9, 'corrupt', 'x.png'),
            Fault(7, 'too_small', 'y.png'),
        ]
        parts[seed] = dict(a=part)
    report = summarise(parts[0], CLASSES, by_seed=parts)
    summary = report['models']['a']
    assert summary['cells']['L1 white']['left_out'] == dict(
        corrupt=1, too_small=1
    )
    assert summary['unusable'] == ['x.png']
    assert any('1 image(s) of a cannot be' in t for t in remarks(report))


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ((), 'must be a list'),
        ('012', 'must be a list'),
        (3, 'must be a list'),
        ((0, -1), 'of at least 0, got -1'),
        ((0, True), 'got True'),
        ((0, 1.5), 'got 1.5'),
        ((2, 2), 'must be different'),
    ],
)
def test_bad_seeds_are_named(given, words):
    assert words in seeds.seeds_problem(given)
    assert seeds.seeds_problem((0, 4)) is None
