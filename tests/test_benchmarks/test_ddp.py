"""The benchmark of several processes counts right; times are not tested."""

import json
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import ddp


def test_two_processes_send_what_trains_and_nothing_else(
    monkeypatch, tmp_path
):
    monkeypatch.setitem(ddp.BATCH, 'learn', 2)
    path = tmp_path / 'ddp.json'
    options = ['--quick', '--only', 'learn-2', '--json', str(path)]
    monkeypatch.setattr(sys, 'argv', ['ddp', *options])
    ddp.main()
    efficiency, sent = json.loads(path.read_text())['results']
    assert 'efficiency of 2 processes' in efficiency['name']
    assert efficiency['target'].startswith('>= ')
    assert min(efficiency['ours_ms'], efficiency['other_ms']) > 0
    assert efficiency['ratio'] > 0
    assert sent['ratio'] == 1
    assert sent['verdict'] == 'met'
    model, _, _ = ddp.make_learn(str(tmp_path), 0)
    trained = sum(p.numel() for p in model.learn.parameters())
    assert sent['ours_ms'] == 4 * trained / 1024
    assert trained < 0.3 * sum(p.numel() for p in model.parameters())
    assert not [p for p in model.backbone.parameters() if p.requires_grad]


@pytest.mark.parametrize('name', ['dea', 'ofer'])
def test_of_other_methods_only_a_part_trains(monkeypatch, tmp_path, name):
    pytest.importorskip('mmdet')
    monkeypatch.setitem(ddp.BATCH, name, 2)
    model, _, _ = ddp.MAKERS[name](str(tmp_path), 0)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    parts = {n.split('.')[0] for n in trained}
    expected = dict(
        dea={'decoder', 'roi_extractor'}, ofer={'backbone', 'head'}
    )
    assert parts == expected[name]
    sizes = {n: p.numel() for n, p in model.named_parameters()}
    assert sum(sizes[n] for n in trained) < sum(sizes.values())
