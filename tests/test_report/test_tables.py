import csv
import json

import numpy as np
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report import tables
from mmocc.report.answers import Answers, Fault
from mmocc.report.summary import summarise


def test_report_files_hold_the_same_numbers(tmp_path):
    report = summarise(dict(base=BASE, ours=OURS), CLASSES, meta=dict(seed=3))
    tables.write_tables(report, tmp_path / 'new')
    written = json.loads(
        (tmp_path / 'new/occlusion.json').read_text(encoding='utf-8')
    )
    assert written == report
    assert written['meta']['seed'] == 3
    assert written['classes'] == ['cat', 'dog']
    assert 'difference' not in written['models']['base']
    with (tmp_path / 'new/occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['accuracy']) for row in rows] == [
        100, 25, 50, 75, 75, 100,
    ]  # fmt: skip
    lines = (
        (tmp_path / 'new/occlusion.md')
        .read_text(encoding='utf-8')
        .splitlines()
    )
    assert lines[0] == '| model | L0 | L1 white | L1 noise | mean | L1-L3 |'
    assert lines[4].startswith('| ours - base | -25.0 | +50.0 | +50.0 |')


def test_a_remark_says_that_images_are_known_by_their_place():
    report = summarise(dict(base=BASE), CLASSES)
    assert tables.remarks(report) == []
    nameless = {
        name: Answers(*(a.index, a.label, a.pred, a.confidence, a.share))
        for name, a in BASE.items()
    }
    [remark] = tables.remarks(summarise(dict(base=nameless), CLASSES))
    assert 'Images of base have neither a path nor an id' in remark


def test_images_left_out_are_counted_for_each_model_and_cell(tmp_path):
    ours = {name: answers([1, 0]) for name in ('L0', 'L1 white')}
    base = {name: answers([1, 0]) for name in ours}
    ours['L1 white'].faults = [
        Fault(2, 'too_small', ''), Fault(3, 'too_small', ''),
        Fault(4, 'cut_off', ''),
    ]  # fmt: skip
    report = summarise(dict(base=base, ours=ours), CLASSES)
    assert tables.image_rows(report) == [
        ['images', 'L0', 'L1 white', 'mean', 'L1-L3'],
        ['base', '2', '2', '2', '2'],
        ['ours', '2', '2', '2', '2'],
        ['ours, left out: too few pixels for the level', '0', '2', '', ''],
        ['ours, left out: the pipeline cuts the object off', '0', '1', '', ''],
    ]
    tables.write_tables(report, tmp_path)
    text = (tmp_path / 'occlusion.md').read_text(encoding='utf-8')
    assert '| ours, left out: too few pixels for the level | 0 | 2 |' in text
    with (tmp_path / 'occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['left_out'] for row in rows] == ['0', '0', '0', '3']


def test_what_a_reader_must_know_is_said(tmp_path):
    logits = {name: answers([1, 0, 1, 0]) for name in ('L0',)}
    logits['L0'].probabilities = False
    logits['L0'].photo = np.repeat(['a.jpg', 'b.jpg'], 2)
    base = dict(L0=answers([1, 0]))
    base['L0'].identity = np.array(['x', 'y'])
    report = summarise(dict(base=base, ours=logits), CLASSES)
    first, second, third = tables.remarks(report)
    assert first == (
        'ours is not compared with base: the test sets have no image in '
        'common.'
    )
    assert second.startswith('The scores of ours are not probabilities')
    assert third.startswith('The images of ours are objects of 2 photos.')
    tables.write_tables(report, tmp_path)
    text = (tmp_path / 'occlusion.md').read_text(encoding='utf-8')
    assert first in text and second in text and third in text
    with (tmp_path / 'occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['confidence'] for row in rows] == ['90.0', '']


def test_json_has_no_nan_and_markdown_no_broken_row(tmp_path):
    report = dict(a=[float('nan'), 1.0], b=dict(c=float('inf')))
    tables.write_json(report, tmp_path / 'a.json')
    written = (tmp_path / 'a.json').read_text(encoding='utf-8')
    assert json.loads(written) == dict(a=[None, 1.0], b=dict(c=None))
    assert tables.as_markdown([['a|b', 'c']]) == r'| a\|b | c |'


def test_an_unknown_number_is_a_dash():
    nothing = dict(accuracy=None, interval=[None, None], images=0)
    assert tables.with_interval(nothing) == '-'
    assert tables.shown(None) == '-'
    assert tables.shown(-1.25, '+.2f') == '-1.25'
