"""The first lines of a report, in words."""

import pytest
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report.page_words import (
    chance_words,
    cost_words,
    difference_lines,
    headlines,
    levels_words,
)
from mmocc.report.summary import summarise

CELLS = ['L0', 'L1 white', 'L2 white', 'L3 white']
TEN = tuple(f'class {n}' for n in range(10))


def report_of(*models, classes=TEN, **more):
    """Return a report of models that are right in a share of 100 images."""
    made = {}
    for number, rights in enumerate(models):
        made[f'm{number}'] = {
            cell: answers([1] * right + [0] * (100 - right), share=share)
            for cell, right, share in zip(
                CELLS, rights, (0, 0.3, 0.5, 0.7), strict=True
            )
        }
    return summarise(made, classes, **more)


def test_the_first_line_says_what_is_lost_and_where_chance_begins():
    report = report_of([80, 60, 40, 11])
    [line] = headlines(report)
    assert line['model'] == 'm0'
    # mean of 60, 40 and 11 is 37
    assert line['text'].startswith('loses 43.0 of 80.0 points (')
    assert line['text'].endswith(') at L1-L3; at L3 near chance (10 %).')
    low, high = report['models']['m0']['costs']['L1-L3']['interval']
    assert f'({low:.1f} to {high:.1f})' in line['text']


def test_chance_is_named_at_the_first_level_that_is_near_it():
    assert 'at L2 near' in cost_words(report_of([80, 60, 9, 8]), 'm0')
    assert 'chance' not in cost_words(report_of([80, 60, 40, 30]), 'm0')
    # among two classes, 59 of 100 may be guesses
    words = cost_words(report_of([80, 70, 59, 55], classes=CLASSES), 'm0')
    assert words.endswith('; at L2 near chance (50 %).')
    assert chance_words(100 / 1000) == '0.1 %'
    assert chance_words(100 / 12) == '8.33 %'


def test_one_model_is_not_compared():
    assert difference_lines(report_of([80, 60, 40, 11])) == []


def test_models_are_compared_in_words():
    report = report_of([80, 40, 30, 20], [81, 70, 60, 50], [80, 41, 30, 20])
    better, same = difference_lines(report)
    assert better['model'] == 'm1' and better['base'] == 'm0'
    assert better['text'] == 'is 30.0 points better than'
    assert better['kind'] == 'good'
    assert better['end'].startswith('at L1-L3 (+')
    assert '; clean: +1.0 (' in better['end']
    assert same['text'] == 'is not told apart (+0.3 points) from'
    assert same['kind'] == ''
    worse = difference_lines(report_of([90, 80, 80, 80], [90, 10, 10, 10]))
    assert worse[0]['text'] == 'is 70.0 points worse than'


def test_agreement_has_no_chance_and_its_own_words():
    report = report_of([100, 60, 20, 5], measure='agreement')
    words = cost_words(report, 'm0')
    assert words.startswith('loses 71.7 of 100.0 points of agreement (')
    assert 'chance' not in words


def test_a_gain_is_called_one():
    words = cost_words(report_of([40, 60, 60, 60]), 'm0')
    assert words.startswith('gains 20.0 on 40.0 points (')
    low, high = words[words.index('(') + 1 : words.index(')')].split(' to ')
    assert float(low) < 20 < float(high)


def test_without_a_cost_there_is_the_accuracy():
    clean = summarise(dict(a=dict(L0=answers([1, 0]))), CLASSES)
    assert cost_words(clean, 'a') == 'is right in 50.0 % at L0.'
    report = summarise(dict(base=BASE, ours=OURS), CLASSES)
    assert levels_words(report) == 'L1'
    del report['models']['base']['costs']  # of an older report
    assert cost_words(report, 'base') == 'is right in 37.5 % at L1-L3.'


@pytest.mark.parametrize('right', [0, 100])
def test_models_that_are_always_right_or_wrong_have_a_line(right):
    words = cost_words(report_of([right] * 4), 'm0')
    assert words.startswith(f'loses 0.0 of {right}.0 points (')
    assert 'nan' not in words.lower()
