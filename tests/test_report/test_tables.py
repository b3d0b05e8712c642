import csv
import json

import numpy as np
import pytest
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report import tables
from mmocc.report.answers import Fault


def test_a_cell_has_accuracy_interval_classes_and_confidence():
    cell = tables.summarise_cell(BASE['L1 white'], CLASSES)
    assert cell['accuracy'] == 25
    assert cell['images'] == 4
    assert cell['interval'] == pytest.approx([4.56, 69.94], abs=0.01)
    assert cell['per_class'] == dict(cat=50, dog=0)
    assert cell['confidence'] == pytest.approx(90, abs=1e-3)
    assert cell['calibration_error'] == pytest.approx(65, abs=1e-3)
    assert cell['hidden_share'] == pytest.approx(30, abs=1e-3)
    assert cell['left_out'] == {}


def test_faults_are_counted_or_named_if_there_is_no_answer():
    cell = answers([1, 1])
    cell.faults = [Fault(2, 'too small', 'x'), Fault(3, 'too small', 'y')]
    assert tables.summarise_cell(cell, CLASSES)['left_out'] == {'too small': 2}
    cell = answers([])
    cell.faults = [Fault(0, 'corrupt', 'a.png: broken')]
    with pytest.raises(ValueError, match=r'a\.png: broken'):
        tables.summarise_cell(cell, CLASSES)


def test_differences_are_paired_by_image():
    versus = tables.compare(OURS, BASE)
    assert versus['L0']['difference'] == -25
    assert versus['L1 white']['difference'] == 50
    assert versus['L1-L3']['difference'] == 50
    # every image gains 0.5 on average over the cells but the first: 0
    low, high = versus['L1-L3']['interval']
    assert 0 <= low < 50 < high <= 100
    # of models that miss different images, on the others
    part = {'L0': answers([0, 1, 0], index=[0, 1, 2])}
    gain = tables.compare({'L0': answers([1, 1, 1, 1])}, part)
    assert gain['L0']['difference'] == pytest.approx(200 / 3, abs=1e-3)


def test_flags_split_the_images():
    parts = tables.split_by_flag(BASE, np.array([1, 0, -1, 0]))
    images = {word: part['images'] for word, part in parts.items()}
    assert images == {'yes': 1, 'no': 2, 'not stated': 1}
    assert parts['yes']['L1-L3']['accuracy'] == 100
    assert parts['no']['L1-L3']['accuracy'] == 25


def test_report_files_hold_the_same_numbers(tmp_path):
    report = tables.summarise(
        dict(base=BASE, ours=OURS), CLASSES, meta=dict(seed=3)
    )
    tables.write_tables(report, tmp_path / 'new')
    written = json.loads((tmp_path / 'new/occlusion.json').read_text())
    assert written == report
    assert written['meta']['seed'] == 3
    assert 'difference' not in written['models']['base']
    with (tmp_path / 'new/occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['accuracy']) for row in rows] == [
        100, 25, 50, 75, 75, 100,
    ]  # fmt: skip
    lines = (tmp_path / 'new/occlusion.md').read_text().splitlines()
    assert lines[0] == '| model | L0 | L1 white | L1 noise | mean | L1-L3 |'
    assert lines[4].startswith('| ours - base | -25.0 | +50.0 | +50.0 |')


def test_models_of_other_test_images_are_not_subtracted():
    other = {name: answers([1, 1, 1, 1]) for name in BASE}
    for cell in other.values():
        cell.label[:] = 1 - cell.label
    report = tables.summarise(dict(base=BASE, other=other), CLASSES)
    assert 'difference' not in report['models']['other']
