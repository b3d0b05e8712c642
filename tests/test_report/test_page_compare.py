"""An earlier report is read, whatever version wrote it, and set beside."""

import json

import pytest
from conftest import ROOT
from toy_answers import BASE, CLASSES, OURS

from mmocc.report.page_compare import (
    compare_notes,
    compare_parts,
    read_report,
)
from mmocc.report.summary import summarise
from mmocc.report.tables import write_json


def test_a_report_is_read_back(tmp_path):
    report = summarise(dict(base=BASE, ours=OURS), CLASSES)
    write_json(report, tmp_path / 'a.json')
    assert read_report(tmp_path / 'a.json') == report
    parts = compare_parts(report, ('a.json', report))
    assert parts['notes'] == []
    assert parts['rows'][0]['texts'] == [
        '100.0', '100.0', '+0.0', '37.5', '37.5', '+0.0',
    ]  # fmt: skip
    assert [part['model'] for part in parts['maps']] == ['base', 'ours']


@pytest.mark.parametrize('name', ['digits', 'cifar10', 'imagenet'])
def test_reports_of_older_versions_are_read(name):
    old = read_report(ROOT / f'docs/results/{name}.json')
    parts = compare_parts(old, ('old', old))
    assert parts['maps'] and parts['rows'][0]['texts'][2] == '+0.0'
    levels = parts['maps'][0]['old']['levels']
    assert levels == ['L1', 'L2', 'L3']


def test_detectors_of_older_versions_have_their_main_metric():
    old = read_report(ROOT / 'docs/results/bccd.json')
    model = old['models']['RetinaNet-R18']
    assert old['measure'] == 'ap'
    assert model['cells']['L0']['accuracy'] == pytest.approx(32.0, abs=0.05)
    assert model['means']['L3']['accuracy'] == pytest.approx(
        (0.2 + 0.1 + 0.5 + 0.3) / 4, abs=0.1
    )


def test_what_else_differs_is_said():
    new = summarise(dict(a=BASE), CLASSES, meta=dict(seed=0, every=1))
    old = summarise(dict(a=OURS), CLASSES, meta=dict(seed=0, every=5))
    old['models']['a']['images'] = 9
    del old['models']['a']['cells']['L1 noise']
    cells, images = compare_notes(new, old)[1:]
    assert compare_notes(new, old)[0] == 'every: was 5, is 1.'
    assert cells == (
        'The cells differ (was: L0, L1 white; is: L0, L1 white/noise), and '
        'so do the means.'
    )
    assert images == 'Images tested: were 9, are 4.'
    other = dict(old, measure='agreement')
    assert 'do not compare' in compare_notes(new, other)[0]


@pytest.mark.parametrize(
    'content', ['{', '[]', '{}', '{"models": {}}', '{"models": {"a": {}}}']
)
def test_another_file_is_named(content, tmp_path):
    path = tmp_path / 'x.json'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(ValueError, match=r'x\.json is no report of mmocc'):
        read_report(path)
    with pytest.raises(FileNotFoundError, match=r'none\.json does not exist'):
        read_report(tmp_path / 'none.json')
    path.write_text(json.dumps(dict(models=dict(a=dict(L0={})))))
    with pytest.raises(ValueError, match='is no report'):
        read_report(path)
