import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from mmpretrain.structures import DataSample
from toy_answers import BASE, CLASSES, OURS

from mmocc.report import page, plots
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
    answers = dict(base=BASE, ours=OURS)
    shot = page.make_example(packed(1), 1, 'L1 white', answers, CLASSES)
    assert shot['truth'] == 'dog'
    assert shot['share'] == 25
    assert shot['answers'] == {
        'base': dict(text='cat 90 %', right=False),
        'ours': dict(text='dog 90 %', right=True),
    }
    assert shot['image'].startswith('data:image/jpeg;base64,')


def test_the_page_needs_nothing_from_outside(report, tmp_path):
    answers = dict(base=BASE, ours=OURS)
    shots = [page.make_example(packed(0), 0, 'L0', answers, CLASSES)]
    path = tmp_path / 'page.html'
    page.write_report(report, [dict(cell='L0', shots=shots)], path)
    text = path.read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,20})', text)
    assert len(sources) == 3
    assert all(source.startswith('data:image/') for source in sources)
    assert not re.search(r'https?://|@import|url\(', text)
    assert 'ours &lt;b&gt;' in text
    assert 'ours <b>' not in text
    for words in ('L1 noise', '+50.0', 'really occluded', 'How many images'):
        assert words in text
    rows = page.class_rows(report)
    assert rows[0] == dict(name='cat', numbers=[100, 50, 100, 75])
    assert rows[1] == dict(name='dog', numbers=[100, 25, 50, 100])


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
