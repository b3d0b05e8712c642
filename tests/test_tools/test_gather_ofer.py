"""The table of the runs of ofer_table10.sh."""

import json
import sys

from conftest import ROOT


def write(folder, config, seed, occluded, clean):
    run = folder / config / f'seed{seed}'
    run.mkdir(parents=True)
    for name, top1 in (('occluded', occluded), ('clean', clean)):
        metrics = {
            'accuracy/top1': top1,
            'class_accuracy/mean': top1 - 1,
            'class_accuracy/Fear': 0.0,
        }
        (run / f'{name}.json').write_text(json.dumps(metrics))


def run(run_tool, folder):
    tool = ROOT / 'tools/dev/gather_ofer.py'
    out = folder / 'table'
    return run_tool(sys.executable, tool, folder, '--out', out)


def test_table_has_mean_and_spread_of_each_setting(run_tool, tmp_path):
    base = 'ofer_resnet18_cartoon'
    for seed, value in enumerate((50.0, 52.0, 54.0)):
        write(tmp_path, base, seed, value, value + 30)
        write(tmp_path, f'{base}-cnn-photo', seed, 40.0, 80.0)
    result = run(run_tool, tmp_path)
    assert result.returncode == 0, result.stderr
    rows = (tmp_path / 'table.md').read_text().splitlines()[2:]
    # without reconstruction first, as in the paper
    assert rows == [
        '| no | CNN | 3 | 40.00 ± 0.00 | 39.00 ± 0.00 | 80.00 ± 0.00 '
        '| 79.00 ± 0.00 |',
        '| yes | CNN + selected latents | 3 | 52.00 ± 2.00 | 51.00 ± 2.00 '
        '| 82.00 ± 2.00 | 81.00 ± 2.00 |',
    ]
    figures = json.loads((tmp_path / 'table.json').read_text())
    mean = figures[base]['clean']['class_accuracy/mean']['mean']
    assert mean == 81


def test_empty_folders_and_unfinished_runs_are_named(run_tool, tmp_path):
    result = run(run_tool, tmp_path)
    assert result.returncode == 1
    assert 'has no ofer_resnet18_cartoon' in result.stderr
    base = 'ofer_resnet18_cartoon-all'
    write(tmp_path, base, 0, 50.0, 60.0)
    (tmp_path / base / 'seed0/clean.json').unlink()
    result = run(run_tool, tmp_path)
    assert result.returncode == 1
    assert f'{base}: a run is not finished' in result.stderr
