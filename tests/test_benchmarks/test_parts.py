"""The benchmarks run and report; how fast things are is not tested here."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import configs, hide_and_seek, learn, occlude
from benchmarks.timing import Rivals, compete, judge, show


def test_the_smallest_case_prints_a_table_and_writes_json(run_tool, tmp_path):
    result = run_tool(
        sys.executable,
        *('-m', 'benchmarks.learn', '--quick', '--only', 'occluder-white'),
        *('--threads', '1', '--json', 'speed.json'),
    )
    assert result.returncode == 0, result.stderr
    *_, header, line = result.stdout.splitlines()
    assert header.split()[:3] == ['what', 'ours', 'ms']
    assert line.startswith('occluder white at 224 px, batch 64')
    document = json.loads((tmp_path / 'speed.json').read_text())
    assert document['machine']['threads'] == 1
    assert document['machine']['torch'] == torch.__version__
    (row,) = document['results']
    assert row['rounds'] == 3
    assert row['ours_ms'] > 0
    low, high = row['middle_half']
    assert low <= row['ratio'] <= high
    assert f'{row["ratio"]:.3f}' in line


@pytest.mark.parametrize('rival', ['ours', 'other'])
def test_a_step_and_its_floor_both_train_learn_and_only_it(
    tmp_path, monkeypatch, rival
):
    built, build = [], learn.build
    monkeypatch.setattr(
        learn, 'build', lambda cfg: built.append(build(cfg)) or built[0]
    )
    banks = learn.write_banks(tmp_path)
    rivals = learn.training_step('resnet18_cifar10', 2, 32, banks)
    step, (model,) = getattr(rivals, rival), built
    before = {k: v.clone() for k, v in model.named_parameters()}
    step()
    changed = {
        name
        for name, parameter in model.named_parameters()
        if not torch.equal(parameter, before[name])
    }
    assert changed == {name for name in before if name.startswith('neck.0.')}


def test_both_rivals_take_part_in_each_round():
    calls = []
    rivals = Rivals(
        'this', lambda: calls.append('ours'), lambda: calls.append('other')
    )
    result = compete(rivals, 4)
    assert result.rounds == 4
    turns = [a for a, b in zip(calls, [None, *calls], strict=False) if a != b]
    # warm-up and calibration, then four rounds, the other first in each second
    assert turns[-6:] == ['other', 'ours', 'other', 'ours', 'other', 'ours']


@pytest.mark.parametrize(
    ('faster', 'target', 'ratio', 'expected'),
    [
        (False, 1.1, 1.1, ('<= 1.10', 'met')),
        (False, 1.1, 1.11, ('<= 1.10', 'missed')),
        (True, 3.0, 3.0, ('>= 3.00', 'met')),
        (True, 3.0, 2.99, ('>= 3.00', 'missed')),
        (False, None, 5.0, ('', '')),
    ],
)
def test_a_ratio_is_judged_by_its_target(faster, target, ratio, expected):
    rivals = Rivals('', None, None, faster=faster, target=target)
    assert judge(rivals, ratio) == expected


def test_occlude_is_timed_against_erasing_and_says_what_is_missing(
    run_tool, tmp_path
):
    result = run_tool(
        sys.executable,
        *('-m', 'benchmarks.occlude', '--quick', '--threads', '1'),
        *('--only', 'occlude-white', '--json', 'speed.json'),
    )
    assert result.returncode == 0, result.stderr
    assert 'Occlude white at 224 px / RandomErasing, recipe' in result.stdout
    missing = 'left out, albumentations is missing' in result.stdout
    assert missing == (find_spec('albumentations') is None)
    (row,) = json.loads((tmp_path / 'speed.json').read_text())['results']
    assert row['other_ms'] > 0


def test_levels_are_judged_from_the_command_line(run_tool):
    result = run_tool(
        sys.executable, '-m', 'benchmarks.occlude', '--levels', '40'
    )
    assert result.returncode == 0, result.stderr
    assert '40 draws: ' in result.stdout


def test_occlude_and_erasing_hide_about_as_much(tmp_path):
    banks = occlude.write_banks(tmp_path)
    hides = occlude.occlude('object', banks)
    ours = np.mean([hides()['occlusion_share'] for _ in range(40)])
    rivals = occlude.against_erasing('object', 'default', banks)
    shares = [(rivals.other()['img'] == 128).all(-1) for _ in range(40)]
    assert rivals.target is None
    assert ours == pytest.approx(np.mean(shares), abs=0.1)


def test_the_generator_is_timed_with_one_and_two_processes(
    tmp_path, monkeypatch
):
    small = occlude.photo(size=(60, 40))
    monkeypatch.setattr(occlude, 'photo', lambda *args: small)
    monkeypatch.setattr(occlude, 'BOXES', ((3, 3, 30, 30),))
    banks = occlude.write_banks(tmp_path)
    result = occlude.generator(1, 20, banks)
    assert result.rounds == 1
    assert result.ours_ms > 0
    assert result.ratio == pytest.approx(result.other_ms / result.ours_ms)


def test_hide_and_seek_is_timed_against_erasing_and_the_multiply(
    run_tool, tmp_path
):
    result = run_tool(
        sys.executable,
        *('-m', 'benchmarks.hide_and_seek', '--quick', '--threads', '1'),
        *('--only', 'erasing-mixed', 'batch-56', '--json', 'speed.json'),
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / 'speed.json').read_text())['results']
    erasing, batch = rows
    assert erasing['name'] == 'HideAndSeek mixed / mmpretrain RandomErasing'
    assert (erasing['target'], batch['target']) == ('<= 0.50', '<= 1.50')
    assert min(row['other_ms'] for row in rows) > 0
    for library in hide_and_seek.RIVALS:
        missing = f'left out, {library} is missing' in result.stdout
        assert missing == (find_spec(library) is None)


@pytest.mark.parametrize(
    ('library', 'name'),
    [(k, name) for k, names in hide_and_seek.RIVALS.items() for name in names],
)
def test_a_rival_hides_something(library, name):
    pytest.importorskip(library)
    before = hide_and_seek.image()
    after = hide_and_seek.rival(library, name)()
    if library == 'albumentations':
        share = (after['image'] == 0).all(axis=-1).mean()
        assert share == pytest.approx(0.5, abs=0.2)
        assert before.min(axis=-1).any()
    else:
        assert (after == 0).float().mean() > 0.01


@pytest.mark.parametrize(
    ('milliseconds', 'text'),
    [(0.02134, '0.0213'), (0.1, '0.10'), (1.234, '1.23'), (250.0, '250.00')],
)
def test_short_times_are_shown_with_more_digits(milliseconds, text):
    assert show(milliseconds) == text


def test_memory_is_that_of_the_work_alone():
    # In its own process: here, memory that other tests freed may be used.
    code = (
        'from benchmarks.memory import peak_mib\n'
        'before = bytearray(64 * 2**20)\n'
        'print(peak_mib(lambda: bytearray(32 * 2**20)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == pytest.approx(32, abs=4)


@pytest.mark.parametrize('who', ['ours', 'other'])
def test_steps_of_configs_train(tmp_path, who):
    step = configs.ofer_step(who, str(tmp_path))
    model, wrapper = step.func.__self__, step.args[1]
    (own,) = [group['params'] for group in wrapper.param_groups][:1]
    before = [param.detach().clone() for param in own]
    step()
    assert any(
        not torch.equal(*pair) for pair in zip(own, before, strict=True)
    )
    assert model.training


@pytest.mark.parametrize('name', ['has', 'ofer'])
def test_pipelines_differ_by_our_transform_only(tmp_path, name):
    rivals = configs.loading_case(name, str(tmp_path))
    ours, other = (
        {type(one).__name__ for one in getattr(rivals, who).args[0].transforms}
        for who in ('ours', 'other')
    )
    assert other < ours
    assert ours - other in ({'HideAndSeek'}, {'PasteOcclusion'})
    shapes = {tuple(w()['inputs'].shape) for w in (rivals.ours, rivals.other)}
    assert len(shapes) == 1
