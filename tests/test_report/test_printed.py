"""The tables of the report that a terminal shows."""

import re

from toy_answers import CLASSES, answers

from mmocc.report.printed import printed_tables, short_names
from mmocc.report.summary import summarise
from mmocc.report.tables import page_title

KINDS = ('white', 'noise', 'texture', 'object')
CELLS = ['L0', *(f'L{n} {kind}' for n in (1, 2, 3) for kind in KINDS)]


def report_of(*names, seeds=()):
    """Return a report of models with these names, the last one better."""
    models = {
        name: {
            cell: answers([1, number == len(names) - 1, 0, 1])
            for cell in CELLS
        }
        for number, name in enumerate(names)
    }
    by_seed = {seed: models for seed in seeds}
    return summarise(models, CLASSES, by_seed=by_seed)


def test_all_fits_a_hundred_columns():
    long = 'vit_base_patch16_clip_quickgelu_224.openai_ft_in12k_in1k'
    names = [f'{long}.{n}' for n in range(5)]
    for seeds in ((), (0, 1, 2)):
        text = printed_tables(report_of(*names, 'resnet50', seeds=seeds))
        assert max(map(len, text.splitlines())) <= 100
        for part in text.split('\n\n'):
            rows = [row[:20].strip() for row in part.splitlines()]
            models = [row for row in rows if row.startswith('vit')]
            assert len(models) == 5 + 4


def test_the_numbers_stand_below_their_cells():
    text = printed_tables(report_of('base', 'ours'))
    levels, kinds = (part.splitlines() for part in text.split('\n\n'))
    heads = levels[0].split()[2:]
    assert heads == ['L0', 'L1', 'L2', 'L3', 'mean', 'L1-L3']
    assert levels[1].split()[:5] == ['base', *['50.0'] * 4]
    assert levels[2].split()[:5] == ['ours', *['75.0'] * 4]
    assert re.split(r' {2,}', levels[3])[:2] == ['ours - base', '+25.0']
    assert kinds[0].split() == list(KINDS)
    assert kinds[1].split() == ['L1', 'L2', 'L3'] * 4
    assert kinds[4].split()[3:] == ['+25.0'] * 12
    assert len({len(line) for line in kinds[1:]}) == 1


def test_names_are_cut_in_the_middle_and_stay_different():
    names = ['a' * 9 + str(n) + 'b' * 9 for n in range(3)]
    short = short_names(names, 11)
    assert short == ['aaaa...bbbb', 'aaaa.2.bbbb', 'aaaa.3.bbbb']
    assert short_names(['ab', 'a' * 11], 11) == ['ab', 'a' * 11]


def test_a_report_of_one_kind_has_one_table():
    models = dict(a={'L0': answers([1, 0]), 'L1 white': answers([1, 0])})
    text = printed_tables(summarise(models, CLASSES))
    assert '\n\n' not in text
    clean = printed_tables(summarise(dict(a=dict(L0=answers([1]))), CLASSES))
    assert clean.splitlines()[1].startswith('a ')


def test_the_title_names_the_models():
    assert page_title(report_of('a', 'b')) == 'What does occlusion cost? a, b'
    title = page_title(report_of(*'abcde'))
    assert title == 'What does occlusion cost? a, b, c and 2 more'
