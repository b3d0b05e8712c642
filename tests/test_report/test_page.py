import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from mmpretrain.structures import DataSample
from page_tables import Tables
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report import page, plots, plots_svg
from mmocc.report import page_examples as examples
from mmocc.report.answers import Fault
from mmocc.report.page_parts import class_rows, heat_maps
from mmocc.report.summary import summarise


@pytest.fixture
def report():
    flags = dict(occluded=np.array([1, 0, 0, 1]))
    models = dict(base=BASE, **{'ours <b>': OURS})
    return summarise(models, CLASSES, flags, dict(seed=0))


def packed(label):
    sample = DataSample().set_gt_label(label)
    sample.set_metainfo(dict(occlusion_share=0.25))
    inputs = torch.full((3, 20, 10), 200, dtype=torch.uint8)
    return dict(inputs=inputs, data_samples=sample)


def test_an_example_has_each_models_answer():
    models = dict(base=BASE, ours=OURS)
    shot = examples.make_example(packed(1), 1, 'L1 white', models, CLASSES)
    assert shot['truth'] == 'dog'
    assert shot['share'] == 25
    assert shot['answers'] == {
        'base': dict(
            text='cat 90 %', before='dog 90 %', right=False, state='lost'
        ),
        'ours': dict(
            text='dog 90 %', before='dog 90 %', right=True, state='kept'
        ),
    }
    assert (shot['level'], shot['kind'], shot['ratio']) == ('L1', 'white', 0.5)
    assert shot['image'].startswith('data:image/jpeg;base64,')


def test_an_answer_that_was_wrong_when_clean_is_not_lost():
    models = dict(ours=OURS)
    image = 3  # wrong when clean, right with both kinds
    shot = examples.make_example(packed(1), image, 'L0', models, CLASSES)
    assert shot['answers']['ours']['state'] == 'wrong'
    assert shot['answers']['ours']['before'] is None
    hidden = dict(OURS, **{'L1 white': answers([0, 1, 0, 0])})
    shot = examples.make_example(
        packed(1), image, 'L1 white', dict(ours=hidden), CLASSES
    )
    assert shot['answers']['ours']['state'] == 'wrong'
    assert examples.lost_keys(hidden, 'L1 white') == {'0.jpg', '2.jpg'}
    assert examples.lost_keys(hidden, 'L0') == set()


def test_lost_images_are_shown_first_and_others_fill_up():
    lost = np.array([0, 1, 0, 1, 0, 1, 0, 0], bool)
    assert examples.choose_places(lost, 2) == ([1, 5], [])
    assert examples.choose_places(lost, 5) == ([1, 3, 5], [0, 7])
    assert examples.choose_places(lost, 0) == ([], [])
    assert examples.choose_places(lost[:0], 3) == ([], [])


def test_the_page_needs_nothing_from_outside(report, tmp_path):
    models = {'base': BASE, 'ours <b>': OURS}
    shots = [examples.make_example(packed(0), 0, 'L0', models, CLASSES)]
    path = tmp_path / 'page.html'
    page.write_report(report, shots, path)
    text = path.read_text(encoding='utf-8')
    sources = re.findall(r'(?:src|href)="([^"]{0,20})', text)
    pictures = [source for source in sources if source[0] != '#']
    assert len(pictures) == 1
    assert pictures[0].startswith('data:image/')
    assert not re.search(r'https?://|@import|url\(', text)
    assert 'ours &lt;b&gt;' in text
    assert 'ours <b>' not in text
    for words in ('L1 noise', '+50.0', 'really occluded', 'How many images'):
        assert words in text
    assert 'Every model saw the same\nocclusions.' in text
    # every address inside the page has its place, once
    for name in (source[1:] for source in sources if source[0] == '#'):
        assert text.count(f'id="{name}"') == 1


def test_classes_are_sorted_by_what_they_lose(report):
    rows = class_rows(report)
    assert rows == [
        dict(name='dog', images=2, numbers=[100, 25, 75, 50, 100, -50]),
        dict(name='cat', images=2, numbers=[100, 50, 50, 100, 75, 25]),
    ]


def test_a_heat_map_has_kinds_by_levels_and_differences_after(report):
    base, ours, gap = heat_maps(report)
    assert (base['model'], base['base']) == ('base', None)
    assert base['levels'] == ['L1']
    assert [row['kind'] for row in base['rows']] == [
        'white', 'noise', 'all kinds',
    ]  # fmt: skip
    texts = [row['entries'][0]['text'] for row in base['rows']]
    assert texts == ['25.0', '50.0', '37.5']
    assert base['rows'][0]['entries'][0]['depth'] == 0.25
    assert base['clean']['text'] == '100.0'
    assert (gap['model'], gap['base']) == ('ours <b>', 'base')
    [white] = gap['rows'][0]['entries']
    assert white['text'] == '+50.0' and white['kind'] == ''
    assert ours['rows'][2]['entries'][0]['text'] == '87.5'


def test_with_one_model_nothing_speaks_of_differences(tmp_path):
    path = tmp_path / 'page.html'
    page.write_report(summarise(dict(only=BASE), CLASSES), [], path)
    text = re.sub(r'(?s)<style>.*?</style>|<script>.*', '', path.read_text())
    for word in (
        'ifference',
        'paired',
        'compare',
        'Every model',
        'first model',
    ):
        assert word not in text


def test_long_names_and_unknown_numbers_have_a_page(tmp_path):
    name = 'x' * 80
    cells = dict(BASE, **{'L1 noise': answers([1, 1], index=[8, 9])})
    report = summarise({name: cells}, (name, 'dog'), meta=dict(command=name))
    path = tmp_path / 'page.html'
    page.write_report(report, [], path, 'title')
    text = path.read_text(encoding='utf-8')
    assert not re.search(r'\b(nan|NaN|None|inf)\b', text)


def test_an_earlier_report_is_shown_beside(report, tmp_path):
    old = summarise(dict(base=OURS, gone=BASE), CLASSES, meta=dict(seed=1))
    path = tmp_path / 'page.html'
    page.write_report(report, [], path, old=('old.json', old))
    text = path.read_text(encoding='utf-8')
    assert 'Earlier: old.json.' in text
    assert 'seed: was 1, is 0.' in text
    parser = Tables()
    parser.feed(text)
    [means] = [t for t in parser.tables if 'clean: was' in t[0]]
    assert means[1:] == [
        ['base', '75.0', '100.0', '+25.0', '87.5', '37.5', '-50.0'],
        ['ours <b>', '-', '75.0', '-', '-', '87.5', '-'],
        ['gone', '100.0', '-', '-', '37.5', '-', '-'],
    ]


def test_the_page_counts_images_and_says_why_numbers_are_missing(tmp_path):
    def cells(identity):
        made = {name: answers([1, 0, 1]) for name in ('L0', 'L1 white')}
        for cell in made.values():
            cell.identity = np.array(list(identity))
        return made

    models = {
        'base': cells('abc'), 'logits': cells('abc'), 'other': cells('xyz'),
    }  # fmt: skip
    for cell in models['logits'].values():
        cell.probabilities = False
    models['logits']['L1 white'] = models['logits']['L1 white'].pick(
        np.array([True, True, False])
    )
    models['logits']['L1 white'].faults = [Fault(2, 'too_small', 'c.png')]
    names = ('crane', 'crane', '犬 <b>')
    path = tmp_path / 'page.html'
    page.write_report(summarise(models, names), [], path)
    text = path.read_text(encoding='utf-8')
    parser = Tables()
    parser.feed(text)
    assert parser.open == []
    for table in parser.tables:
        assert {len(row) for row in table} == {len(table[0])}
    by_head = {table[0][0]: table for table in parser.tables}
    wide, errors = [t for t in parser.tables if t[0][0] == 'model'][::2]
    images, classes = by_head['images'], by_head['class']
    assert [row[0] for row in wide] == [
        'model', 'base', 'logits', 'other', 'logits \N{MINUS SIGN} base',
    ]  # fmt: skip
    assert ['logits', '3', '2', '2', '2'] in images
    small = 'logits, left out: too few pixels for the level'
    assert [small, '0', '1', '', ''] in images
    assert [row[0] for row in errors] == ['model', 'base', 'other']
    assert [row[0] for row in classes] == ['class', 'crane (0)', 'crane (1)']
    assert 'other is not compared with base: the test sets have no' in text
    assert 'The scores of logits are not probabilities' in text
    assert 'Every model saw the same occlusions' not in text


def test_one_model_without_probabilities_or_occlusion_has_a_page(tmp_path):
    clean = answers([1, 0])
    clean.probabilities = False
    report = summarise(dict(only=dict(L0=clean)), CLASSES)
    packs = examples.make_example(
        packed(1), 1, 'L0', dict(only=dict(L0=clean)), CLASSES
    )
    assert packs['answers']['only'] == dict(
        text='cat', before=None, right=False, state='wrong'
    )
    page.write_report(report, [], tmp_path / 'page.html')
    text = (tmp_path / 'page.html').read_text(encoding='utf-8')
    assert '<svg' not in text  # no plot of confidence
    assert 'only is not shown here: its scores are not probabilities' in text


def test_plots_have_a_panel_for_each_kind_or_level(
    report, tmp_path, monkeypatch
):
    figures = []
    monkeypatch.setattr(plt, 'close', figures.append)
    plots.plot_accuracy(report, tmp_path / 'plot.png')
    panels = figures[0].axes
    assert [panel.get_title() for panel in panels] == ['white', 'noise']
    assert list(panels[0].lines[0].get_ydata()) == [100, 25]


def test_svg_plots_have_their_points_at_the_right_places(report):
    x, y = plots_svg.place_x, plots_svg.place_y
    assert (x(0), x(100)) == (40, 310)
    assert (y(0), y(100)) == (190, 10)
    panels = plots_svg.share_panels(report)
    assert [p['title'] for p in panels] == ['all kinds', 'white', 'noise']
    base, ours = panels[1]['lines']
    # clean: 100 % at 0; white: 25 % at a share of 30 %
    assert base['dots'] == [(x(0), y(100)), (x(30), y(25))]
    assert ours['dots'] == [(x(0), y(75)), (x(30), y(75))]
    assert base['path'] == '40,10 121,145'
    assert len(base['band'].split()) == 4
    assert panels[0]['guide'] == y(50)  # two classes
    clean, hard = plots_svg.reliability_panels(report)
    assert (clean['title'], hard['title']) == ('L0', 'L1')
    assert [line['dots'] for line in hard['lines']] == [
        [(x(90), y(37.5))], [(x(90), y(87.5))],
    ]  # fmt: skip
    assert hard['diagonal'] and hard['lines'][0]['band'] == ''


def test_an_answer_of_another_class_of_the_same_name_is_wrong(
    tmp_path, monkeypatch
):
    figures = []
    monkeypatch.setattr(plt, 'close', figures.append)
    image = np.zeros((4, 4, 3), np.uint8)
    rows = [('L0', [(image, dict(a=0, b=1))])]
    plots.plot_examples(rows, [1], ('crane', 'crane'), tmp_path / 'x.png')
    a, b = figures[0].axes[0].texts
    assert (a.get_text(), a.get_color()) == ('1: crane (0)', 'crimson')
    assert (b.get_text(), b.get_color()) == ('2: crane (1)', 'green')
    assert figures[0].axes[0].get_title() == 'crane (1)'
    assert figures[0].get_suptitle() == 'answers of   1: a,   2: b'
