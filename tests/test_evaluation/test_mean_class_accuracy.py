"""MeanClassAccuracy: every class has the same weight."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from mmocc.evaluation.mean_class_accuracy import MeanClassAccuracy
from mmocc.registry import METRICS


def sample(label, predicted, classes=3):
    scores = torch.full((classes,), 0.1)
    scores[predicted] = 0.8
    return dict(pred_score=scores, gt_label=torch.tensor([label]))


def evaluate(pairs, classes=3, names=None, **kwargs):
    metric = MeanClassAccuracy(**kwargs)
    if names:
        metric.dataset_meta = dict(classes=names)
    rows = [sample(*pair, classes) for pair in pairs]
    for i in range(0, len(rows), 2):
        metric.process({}, rows[i : i + 2])
    return metric.evaluate(len(rows))


def test_a_rare_class_counts_as_much_as_a_common_one():
    # class 0: 3 of 4 right, class 1: 0 of 1, class 2: 1 of 1
    pairs = [(0, 0), (0, 0), (0, 0), (0, 1), (1, 0), (2, 2)]
    values = evaluate(pairs)
    assert values == pytest.approx(
        {
            'class_accuracy/mean': 100 * 1.75 / 3,
            'class_accuracy/0': 75,
            'class_accuracy/1': 0,
            'class_accuracy/2': 100,
        }
    )


def test_it_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 7, (2, 101))
    values = evaluate(zip(truth.tolist(), predicted.tolist(), strict=True), 7)
    expected = 100 * balanced_accuracy_score(truth, predicted)
    assert values['class_accuracy/mean'] == pytest.approx(expected)


def test_names_absent_classes_and_the_mean_alone():
    values = evaluate([(0, 0), (1, 0)], 2, names=('Fear', 'Anger'))
    assert values['class_accuracy/Fear'] == 100
    assert values['class_accuracy/Anger'] == 0
    values = evaluate([(0, 0), (2, 0)])  # none of class 1
    assert values['class_accuracy/mean'] == 50
    assert 'class_accuracy/1' not in values
    assert list(evaluate([(0, 0)], per_class=False)) == ['class_accuracy/mean']


def test_classes_of_one_name_are_two_classes():
    values = evaluate([(0, 0), (1, 0), (2, 2)], names=('crane', 'crane', 'ox'))
    assert values == pytest.approx(
        {
            'class_accuracy/mean': 200 / 3,
            'class_accuracy/crane (0)': 100,
            'class_accuracy/crane (1)': 0,
            'class_accuracy/ox': 100,
        }
    )


@pytest.mark.parametrize('label', [torch.tensor([3]), torch.tensor([0, 1])])
def test_other_labels_are_refused(label):
    metric = METRICS.build(dict(type='mmocc.MeanClassAccuracy'))
    bad = dict(sample(0, 0), gt_label=label, img_path='a.jpg')
    with pytest.raises(ValueError, match=r'0 \.\. 2 for each image; a.jpg'):
        metric.process({}, [bad])
