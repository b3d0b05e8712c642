"""``python -m benchmarks``: one table, and what became of an earlier one."""

import json
import sys
from dataclasses import asdict

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import __main__ as command
from benchmarks.timing import Result, machine, save


def result(name='a', ratio=1.0, spread=(0.9, 1.1), verdict='met'):
    return Result(name, 1.5, 1.5 / ratio, ratio, spread, '<= 1.10', verdict, 3)


def test_every_benchmark_takes_part_and_helpers_do_not():
    assert {'learn', 'occlude', 'report', 'localization'} <= set(
        command.names()
    )
    for name in command.names():
        text = (ROOT / 'benchmarks' / f'{name}.py').read_text()
        assert 'benchmarks.timing import' in text, name
    assert not {'timing', 'levels', '__main__'} & set(command.names())


def test_stored_results_come_back(tmp_path):
    save(tmp_path / 'old.json', [result()])
    where, results = command.load(tmp_path / 'old.json')
    assert where == machine()
    (found,) = results.values()
    assert dict(asdict(found), middle_half=(0.9, 1.1)) == asdict(result())


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('{', 'JSONDecodeError'),
        ('{"results": []}', 'machine'),
        ('[]', 'TypeError'),
        ('{"machine": {}, "results": [{"name": "a"}]}', 'TypeError'),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, text, told):
    path = tmp_path / 'old.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='no table that --json wrote') as stop:
        command.load(path)
    assert str(path) in str(stop.value)
    assert told in str(stop.value)


def test_what_became_of_a_ratio():
    old = result()
    assert command.change(old, result(spread=(1.05, 1.3))) == 'unchanged'
    assert command.change(old, result(spread=(0.5, 0.8))) == 'changed'
    worse = result(ratio=1.2, spread=(1.0, 1.3), verdict='missed')
    assert command.change(old, worse) == 'met -> missed'


def test_the_same_machine_compares_times_and_another_only_ratios():
    here = machine()
    news = [result(), result('b')]
    olds = {r.name: r for r in (result(ratio=0.8), result('gone'))}
    text = command.compare(news, here, olds, here)
    first, second = text.splitlines()[1:3]
    assert first.split() == [
        'a',
        '0.800',
        '1.000',
        '1.50',
        '1.50',
        *first.split()[5:],
    ]
    assert second.split() == ['b', '1.000', 'new']
    assert 'not measured now: gone' in text
    assert 'only ratios' not in text
    text = command.compare(news, here, olds, dict(here, device='H200'))
    assert '1.50' not in text
    assert 'device: H200 then' in text
    assert text.endswith('Not the same machine: only ratios are compared.')


def test_wrong_arguments_stop_before_anything_is_measured(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(command, 'measure', None)
    monkeypatch.setattr(sys, 'argv', ['benchmarks', 'nosuch'])
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert stop.value.code == 2
    assert 'no benchmark nosuch; there are ' in capsys.readouterr().err
    (tmp_path / 'old.json').write_text('{}')
    flags = ['--compare', str(tmp_path / 'old.json')]
    monkeypatch.setattr(sys, 'argv', ['benchmarks', *flags])
    with pytest.raises(ValueError, match=r'old\.json is no table'):
        command.main()


def test_results_of_a_run_are_gathered_written_and_compared(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        command, 'measure', lambda name, *_: {name: result(name)}
    )
    old, new = tmp_path / 'old.json', tmp_path / 'new.json'
    save(old, [result('learn', 0.5, (0.4, 0.6))])
    flags = ['learn', 'report', '--json', str(new), '--compare', str(old)]
    monkeypatch.setattr(sys, 'argv', ['benchmarks', *flags])
    command.main()
    rows = json.loads(new.read_text())['results']
    assert [row['name'] for row in rows] == ['learn', 'report']
    assert 'changed' in capsys.readouterr().out


def test_one_that_fails_is_told_after_the_others(monkeypatch, capsys):
    def measure(name, *_):
        if name == 'learn':
            raise RuntimeError('python -m benchmarks.learn failed')
        return {name: result(name)}

    monkeypatch.setattr(command, 'measure', measure)
    monkeypatch.setattr(sys, 'argv', ['benchmarks', 'learn', 'report'])
    with pytest.raises(SystemExit, match=r'benchmarks\.learn failed'):
        command.main()
    assert 'report' in capsys.readouterr().out


def test_a_benchmark_really_runs(run_tool, tmp_path):
    done = run_tool(
        *(sys.executable, '-m', 'benchmarks', 'hide_and_seek', '--quick'),
        *('--only', 'batch-56', '--threads', '1', '--json', 'all.json'),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / 'all.json').read_text())
    assert document['machine'] == machine(1)
    (row,) = document['results']
    assert row['name'].startswith('BatchHideAndSeek 56 / multiply in place')
    assert row['rounds'] == 3
