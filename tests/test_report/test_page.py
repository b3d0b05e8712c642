import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from mmpretrain.structures import DataSample
from toy_answers import BASE, CLASSES, OURS, answers

from mmocc.report import page, plots
from mmocc.report.answers import Fault
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
    shot = page.make_example(packed(1), 1, 'L1 white', models, CLASSES)
    assert shot['truth'] == 'dog'
    assert shot['share'] == 25
    assert shot['answers'] == {
        'base': dict(text='cat 90 %', right=False),
        'ours': dict(text='dog 90 %', right=True),
    }
    assert shot['image'].startswith('data:image/jpeg;base64,')


def test_the_page_needs_nothing_from_outside(report, tmp_path):
    models = dict(base=BASE, ours=OURS)
    shots = [page.make_example(packed(0), 0, 'L0', models, CLASSES)]
    path = tmp_path / 'page.html'
    page.write_report(report, [dict(cell='L0', shots=shots)], path)
    text = path.read_text(encoding='utf-8')
    sources = re.findall(r'(?:src|href)="([^"]{0,20})', text)
    assert len(sources) == 3
    assert all(source.startswith('data:image/') for source in sources)
    assert not re.search(r'https?://|@import|url\(', text)
    assert 'ours &lt;b&gt;' in text
    assert 'ours <b>' not in text
    for words in ('L1 noise', '+50.0', 'really occluded', 'How many images'):
        assert words in text
    assert 'Every model saw the same occlusions. Intervals' in text
    rows = page.class_rows(report)
    assert rows[0] == dict(name='cat', numbers=[100, 50, 100, 75])
    assert rows[1] == dict(name='dog', numbers=[100, 25, 50, 100])


class Tables(HTMLParser):
    """Read the cells of each table's rows; tags must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tables = [], []

    def handle_starttag(self, tag, attrs):
        if tag in ('meta', 'br', 'img'):
            return
        self.open.append(tag)
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if 'td' in self.open or 'th' in self.open:
            self.tables[-1][-1][-1] += data.strip()


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
    accuracy, _, images, errors, classes = parser.tables
    assert [row[0] for row in accuracy] == [
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
    packs = page.make_example(
        packed(1), 1, 'L0', dict(only=dict(L0=clean)), CLASSES
    )
    assert packs['answers']['only'] == dict(text='cat', right=False)
    page.write_report(report, [], tmp_path / 'page.html')
    text = (tmp_path / 'page.html').read_text(encoding='utf-8')
    assert text.count('<img') == 1  # no plot of confidence
    assert 'only is not shown here: its scores are not probabilities' in text


def test_plots_have_a_panel_for_each_kind_or_level(
    report, tmp_path, monkeypatch
):
    figures = []
    monkeypatch.setattr(plt, 'close', figures.append)
    plots.plot_accuracy(report, tmp_path / 'plot.png')
    plots.plot_reliability(report, tmp_path / 'plot.png')
    panels = figures[0].axes
    assert [panel.get_title() for panel in panels] == ['white', 'noise']
    assert list(panels[0].lines[0].get_ydata()) == [100, 25]
    panels = figures[1].axes
    assert [panel.get_title() for panel in panels] == ['L0', 'L1']
    _diagonal, base, ours = panels[1].lines
    assert base.get_ydata() == pytest.approx([37.5])
    assert ours.get_ydata() == pytest.approx([87.5])
    assert base.get_xdata() == pytest.approx([90], abs=1e-3)


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
