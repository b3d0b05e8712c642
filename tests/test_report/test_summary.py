import numpy as np
import pytest
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report import summary
from mmocc.report.answers import Fault
from mmocc.report.hit_table import hit_table, paired
from mmocc.report.statistics import accuracy_interval
from mmocc.utils.class_labels import class_labels


def test_a_cell_has_accuracy_interval_classes_and_confidence():
    cell = summary.summarise_cell(BASE['L1 white'], CLASSES)
    assert cell['accuracy'] == 25
    assert cell['images'] == 4
    assert cell['interval'] == pytest.approx([4.56, 69.94], abs=0.01)
    assert cell['per_class'] == {'0': 50, '1': 0}
    assert cell['confidence'] == pytest.approx(90, abs=1e-3)
    assert cell['calibration_error'] == pytest.approx(65, abs=1e-3)
    assert cell['hidden_share'] == pytest.approx(30, abs=1e-3)
    assert cell['left_out'] == {}


def test_classes_of_one_name_stay_two_classes():
    classes = ('crane', 'crane', 'ox')
    made = answers([1, 0, 1, 0])  # labels 0, 1, 0, 1
    cell = summary.summarise_cell(made, classes)
    assert cell['per_class'] == {'0': 100, '1': 0}
    assert class_labels(classes) == ['crane (0)', 'crane (1)', 'ox']


def test_faults_are_counted_or_named_if_there_is_no_answer():
    cell = answers([1, 1])
    cell.faults = [Fault(2, 'too_small', 'x'), Fault(3, 'too_small', 'y')]
    made = summary.summarise_cell(cell, CLASSES)
    assert made['left_out'] == {'too_small': 2}
    assert summary.count_images(dict(a=cell, b=answers([1]))) == 4
    cell = answers([])
    cell.faults = [Fault(0, 'corrupt', 'a.png: broken')]
    with pytest.raises(ValueError, match=r'a\.png: broken'):
        summary.summarise_cell(cell, CLASSES)


def test_scores_that_are_no_probabilities_are_no_confidence():
    logits = answers([1, 0])
    logits.probabilities = False
    logits.confidence[:] = 17.5
    cell = summary.summarise_cell(logits, CLASSES)
    assert cell['confidence'] is None
    assert cell['calibration_error'] is None
    report = summary.summarise(dict(a=dict(L0=logits)), CLASSES)
    assert not report['models']['a']['probabilities']
    assert report['models']['a']['reliability'] == {}


# Two cells that miss different images: of six, 0 to 3 and 2 to 5.
WHITE = answers([1, 1, 0, 1], index=[0, 1, 2, 3])
NOISE = answers([1, 0, 0, 0], index=[2, 3, 4, 5])


def test_a_mean_and_its_interval_are_of_the_images_of_all_cells():
    table = hit_table({'L1 white': WHITE, 'L1 noise': NOISE})
    mean = summary.summarise_groups(table)['mean']
    # Images 2 and 3: 0 and 1 with white, 1 and 0 with noise.
    assert mean['images'] == 2
    assert mean['accuracy'] == 50
    hits = np.array([[0, 1], [1, 0]], bool)
    expected = summary.percents(accuracy_interval(hits))
    assert mean['interval'] == expected
    low, high = mean['interval']
    assert low < mean['accuracy'] < high


def test_a_mean_without_a_common_image_is_unknown():
    other = answers([1, 1], index=[8, 9])
    clean = answers([1] * 10)
    table = hit_table({'L0': clean, 'L1 white': WHITE, 'L1 noise': other})
    mean = summary.summarise_groups(table)['mean']
    nothing = dict(accuracy=None, interval=[None, None], images=0)
    assert mean == nothing
    assert 'L1' not in summary.summarise_reliability(table)


def test_a_difference_is_of_the_images_that_both_models_have():
    ours = hit_table({'L1 white': WHITE})
    base = hit_table({'L1 white': NOISE})
    versus = summary.compare(ours, base)['L1 white']
    # Images 2 and 3: 0, 1 by ours and 1, 0 by the other.
    assert versus['images'] == 2
    assert versus['difference'] == 0
    mine, theirs = paired(ours, base)
    assert mine.keys == theirs.keys == ['2.jpg', '3.jpg']


def test_differences_are_paired_by_image():
    versus = summary.compare(hit_table(OURS), hit_table(BASE))
    assert versus['L0']['difference'] == -25
    assert versus['L1 white']['difference'] == 50
    assert versus['L1-L3']['difference'] == 50
    low, high = versus['L1-L3']['interval']
    assert -100 <= low < 50 < high <= 100
    # of models that miss different images, on the others
    part = hit_table({'L0': answers([0, 1, 0], index=[0, 1, 2])})
    gain = summary.compare(hit_table({'L0': answers([1, 1, 1, 1])}), part)
    assert gain['L0']['difference'] == pytest.approx(200 / 3, abs=1e-3)


def test_images_are_paired_by_identity_in_any_order():
    one, two = answers([1, 0, 1, 0]), answers([0, 1, 0, 1])
    one.identity = np.array(list('abcd'))
    two.identity = np.array(list('dcba'))  # the same hits
    versus = summary.compare(hit_table(dict(L0=one)), hit_table(dict(L0=two)))
    low, high = versus['L0']['interval']
    assert versus['L0']['difference'] == 0
    assert low == pytest.approx(-high) == 0  # all pairs agree


def test_objects_of_one_photo_widen_all_intervals():
    hits = [1, 1, 1, 1, 0, 0, 0, 0]
    alone = dict(L0=answers(hits), **{'L1 white': answers(hits)})
    crops = {name: answers(hits) for name in alone}
    for cell in crops.values():
        cell.photo = np.repeat(['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'], 2)
    base = {name: answers([1, 1, 0, 0, 0, 0, 0, 0]) for name in alone}
    widths = []
    for cells in (alone, crops):
        table = hit_table(cells)
        report = summary.summarise(dict(a=cells), CLASSES)['models']['a']
        versus = summary.compare(table, hit_table(base))['mean']
        flags = summary.split_by_flag(table, dict.fromkeys(table.keys, 1))
        numbers = [
            report['cells']['L0'], report['means']['mean'], versus,
            flags['yes']['L0'],
        ]  # fmt: skip
        widths.append([n['interval'][1] - n['interval'][0] for n in numbers])
        assert report['photos'] == (8 if cells is alone else 4)
    assert all(wide > narrow for narrow, wide in zip(*widths, strict=True))


def test_flags_split_the_images():
    table = hit_table(BASE)
    flag = dict(zip(table.keys, [1, 0, -1, 0], strict=True))
    parts = summary.split_by_flag(table, flag)
    images = {word: part['mean']['images'] for word, part in parts.items()}
    assert images == {'yes': 1, 'no': 2, 'not stated': 1}
    assert parts['yes']['L1-L3']['accuracy'] == 100
    assert parts['no']['L1-L3']['accuracy'] == 25


def test_flags_of_a_model_with_another_order_go_by_image():
    first, other = answers([1, 0, 1, 0]), answers([0, 1, 0, 1])
    first.identity = np.array(list('abcd'))
    other.identity = np.array(list('dcba'))
    report = summary.summarise(
        dict(first=dict(L0=first), other=dict(L0=other)),
        CLASSES,
        dict(occluded=np.array([1, 0, 1, 0])),
    )
    for model in report['models'].values():
        parts = model['flags']['occluded']
        assert parts['yes']['L0']['accuracy'] == 100
        assert parts['no']['L0']['accuracy'] == 0


def test_models_of_other_test_images_are_not_subtracted():
    other = {name: answers([1, 1, 1, 1]) for name in BASE}
    for cell in other.values():
        cell.label[:] = 1 - cell.label
    report = summary.summarise(dict(base=BASE, other=other), CLASSES)
    assert 'difference' not in report['models']['other']
    assert 'other labels' in report['models']['other']['not_paired']
