"""tools/random_search.py with a stand-in for training."""

import json
import sys

import pytest
from conftest import ROOT, import_tool

TRAINING = """
import json, sys, pathlib
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
options = dict(o.split('=') for o in sys.argv if '=' in o)
rate = float(options['lr'])
if rate > 0.5:
    sys.exit('the loss is NaN')
file = folder / 'now/vis_data/scalars.json'
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(json.dumps({'acc/v2': 100 * rate, 'other': options['x']}))
"""


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Return a function that runs the tool."""
    tool = import_tool(ROOT / 'tools/random_search.py')
    train = tmp_path / 'train.py'
    train.write_text(TRAINING)
    monkeypatch.setattr(tool, 'TRAIN', train)
    space = tmp_path / 'space.json'
    space.write_text('{"lr": {"uniform": [0, 1]}}')

    def run(*args):
        argv = ['random_search.py', 'any.py', str(space), *args]
        argv += ['--work-dir', str(tmp_path / 'out'), '--cfg-options', 'x=7']
        monkeypatch.setattr(sys, 'argv', argv)
        tool.main()

    return run


def test_a_search_goes_on_where_it_was_and_counts_failures(
    search, tmp_path, capsys
):
    search('--metric', 'acc/v2', '--trials', '3')
    capsys.readouterr()
    search('--metric', 'acc/v2', '--trials', '8')
    printed = capsys.readouterr().out.splitlines()
    started = [
        line for line in printed if line[:1].isdigit() and 'x=7' in line
    ]
    assert [int(line.split()[0]) for line in started] == [3, 4, 5, 6, 7]
    results = [
        json.loads((tmp_path / f'out/trial_0{i}/result.json').read_text())
        for i in range(8)
    ]
    for result in results:
        rate = result['values']['lr']
        if rate > 0.5:
            assert result['score'] is None
            assert result['error'] == 'the loss is NaN'
        else:
            assert result['score'] == pytest.approx(100 * rate, rel=1e-4)
    scores = [r['score'] for r in results if r['score'] is not None]
    assert 0 < len(scores) < 8
    (first,) = [line for line in printed if line.startswith('1. trial')]
    assert str(max(scores)) in first


def test_another_search_in_the_same_folder_is_refused(search):
    search('--metric', 'acc/v2', '--trials', '1')
    with pytest.raises(SystemExit, match='another seed'):
        search('--metric', 'acc/v2', '--trials', '1', '--seed', '1')


def test_a_metric_that_is_not_logged_ends_the_search(search):
    with pytest.raises(SystemExit, match=r'px was not logged; .*acc/v2'):
        search('--metric', 'px', '--trials', '4')
