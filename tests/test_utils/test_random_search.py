"""What a random search draws, and how it reads what came out."""

import json
import math

import pytest

from mmocc.utils.random_search import (
    RESULT,
    as_options,
    draw_trial,
    parse_space,
    ranking,
    read_metric,
)

SPACE = {
    'optim_wrapper.optimizer.lr': {'log': [1e-5, 1e-1]},
    'data_preprocessor.hide.hide_prob': {'uniform': [0.25, 0.75]},
    'data_preprocessor.hide.grid_sizes': {'choice': [[16], [0, 32, 56]]},
}


def test_values_fill_their_range_and_repeat_by_seed_and_trial():
    settings = parse_space(SPACE, 'space.json')
    trials = [draw_trial(settings, 3, number) for number in range(400)]
    rates, probs, grids = ([trial[key] for trial in trials] for key in SPACE)
    logs = sorted(math.log10(rate) for rate in rates)
    assert -5 <= logs[0] < -4.9 and -1.1 < logs[-1] <= -1
    assert logs[200] == pytest.approx(-3, abs=0.35)
    assert 0.25 <= min(probs) < 0.27 and 0.73 < max(probs) <= 0.75
    assert 150 < grids.count([16]) < 250
    assert grids.count([16]) + grids.count([0, 32, 56]) == 400
    assert draw_trial(settings, 3, 7) == trials[7]
    assert draw_trial(settings, 4, 7) != trials[7]
    # A further setting at the end leaves the others as they are.
    more = parse_space(SPACE | {'x': {'uniform': [0, 1]}}, 'space.json')
    assert draw_trial(more, 3, 7).items() >= trials[7].items()


def test_options_have_no_white_space():
    values = dict(a=0.000123456789, b=[0, 16], c='x', d=[[1, 2], [3]])
    assert as_options(values) == [
        'a=0.000123457',
        'b=[0,16]',
        'c=x',
        'd=[[1,2],[3]]',
    ]


@pytest.mark.parametrize(
    ('space', 'message'),
    [
        ({}, r's\.json: must be an object'),
        ({'lr': 1}, r's\.json: lr is 1; .*uniform, log, choice'),
        ({'lr': {'normal': [0, 1]}}, 'lr is .*normal'),
        ({'lr': {'log': [0, 1]}}, r'log of lr is \[0, 1\]; .*above 0'),
        ({'lr': {'uniform': [2, 1]}}, 'lower and the upper end'),
        ({'lr': {'choice': []}}, 'choice of lr must be a list'),
    ],
)
def test_a_wrong_space_is_refused_with_the_file_and_the_key(space, message):
    with pytest.raises(ValueError, match=message):
        parse_space(space, 's.json')


def log(folder, name, *lines):
    file = folder / name / 'vis_data/scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text('\n'.join(map(json.dumps, lines)))


def test_the_metric_is_read_from_all_starts_of_a_run(tmp_path):
    log(tmp_path, '20260101_000000', dict(loss=1), {'max_box_acc/v2': 40.0})
    log(tmp_path, '20260102_000000', {'max_box_acc/v2': 35.0, 'step': 2})
    assert read_metric(tmp_path, 'max_box_acc/v2') == 40
    assert read_metric(tmp_path, 'max_box_acc/v2', 'last') == 35
    with pytest.raises(ValueError, match=r'px_ap was not .* max_box_acc/v2'):
        read_metric(tmp_path, 'px_ap')


def test_failures_come_last(tmp_path):
    for number, score in enumerate([3.0, None, float('nan'), 5.0]):
        folder = tmp_path / f'trial_{number:02d}'
        folder.mkdir()
        result = dict(trial=number, score=score)
        (folder / RESULT).write_text(json.dumps(result))
    assert [r['trial'] for r in ranking(tmp_path)] == [3, 0, 1, 2]
