"""tools/analysis_tools/profile_training.py as its users start it."""

import json
from types import SimpleNamespace

import pytest
from conftest import ROOT, import_tool

TOOL = ROOT / 'tools' / 'analysis_tools' / 'profile_training.py'


@pytest.fixture
def tool():
    """Return the script as a module."""
    return import_tool(TOOL)


def test_both_precisions_are_measured_on_the_configs_own_data(
    run_tool, tiny_config, tmp_path
):
    # Neither the checkpoint nor the weights need be there.
    tiny_config.write_text(
        tiny_config.read_text()
        + """
load_from = 'work_dirs/none/epoch_1.pth'
model['backbone']['init_cfg'] = dict(
    type='Pretrained', checkpoint='none/resnet.pth', prefix='backbone.')
"""
    )
    sizes = ['--iters', 3, '--warmup', 2]
    result = run_tool(TOOL, tiny_config, *sizes, '--out', 'found.json')
    assert result.returncode == 0, result.stderr
    header, _, *rows = result.stdout.splitlines()
    cells = [[cell.strip() for cell in row.split('|')[1:-1]] for row in rows]
    assert [row[:2] for row in cells] == [
        ['tiny', 'float32'],
        ['tiny', 'mixed'],
    ]
    assert {len(row) for row in cells} == {header.count('|') - 1}
    runs = json.loads((tmp_path / 'found.json').read_text())['runs']
    for run, row in zip(runs, cells, strict=True):
        assert run['images'] == pytest.approx(2 / run['ms'] * 1e3)
        assert row[2] == f'{run["images"]:.1f}'
        assert 0 < run['arithmetic'] < run['ms']
        assert run['mib'] > 50
    assert not (tmp_path / 'work').exists()  # nothing is left behind


def test_parts_of_iterations_add_up(tool):
    times = tool.StepTimes(0, 3)
    for start in (0, 10, 20):  # 2 of 10 seconds wait for data
        times.spans['iteration'].append((start, start + 8))
        times.spans['step'].append((start, start + 7))
        times.spans['prepare'].append((start + 0.5, start + 1.5))
        times.spans['update'] += [
            (start + 5, start + 6),
            (start + 6, start + 7),
        ]
    assert times.shares() == dict(
        ms=10e3, data=2e3, prepare=1e3, update=2e3, hooks=1e3, arithmetic=4e3
    )


def test_the_warm_up_is_forgotten_in_whole(tool):
    times = tool.StepTimes(2, 3)
    runner = SimpleNamespace()

    def step():
        times.spans['step'].append((0, 1))

    runner.step = step
    times._watch(runner, 'step', 'iteration')
    with pytest.raises(tool.Enough):
        while True:
            times.before_train_iter(runner)
            runner.step()
            times.after_train_iter(runner)
    assert {n: len(spans) for n, spans in times.spans.items()} == dict(
        iteration=4, step=4
    )


def test_too_few_iterations_are_refused(run_tool, tiny_config):
    result = run_tool(TOOL, tiny_config, '--iters', 0)
    assert result.returncode == 2
    assert '--iters must be 1 or more' in result.stderr
