"""Means of occlusion reports, and their spread over seeds."""

import json
import sys

import pytest
from conftest import ROOT

CELLS = ('L0', 'L1 white', 'L1 noise', 'L2 white', 'L3 white')


@pytest.fixture
def gather(run_tool, tmp_path):
    """Return a function that writes reports and gathers them."""

    def gather(*reports):
        paths = []
        for index, models in enumerate(reports):
            paths.append(tmp_path / f'{index}.json')
            content = {
                name: dict(
                    cells={
                        cell: dict(accuracy=accuracy)
                        for cell, accuracy in zip(CELLS, values, strict=False)
                    }
                )
                for name, values in models.items()
            }
            paths[-1].write_text(json.dumps(dict(models=content)))
        tool = ROOT / 'tools/dev/gather_reports.py'
        out = tmp_path / 'table.md'
        return run_tool(sys.executable, tool, *paths, '--out', out)

    return gather


def test_means_and_spread_over_seeds(gather, tmp_path):
    result = gather(
        dict(plain=(90, 80, 70, 60, 50), learn=(90, 84, 74, 64, 54)),
        dict(plain=(92, 70, 60, 50, 40), learn=(90, 76, 66, 56, 46)),
    )
    assert result.returncode == 0, result.stderr
    rows = (tmp_path / 'table.md').read_text().splitlines()[2:]
    # L1 75 and 65; L1-L3 65 and 55; mean 70 and 62.4
    assert rows == [
        '| plain | 91.0 ± 1.4 | 70.0 ± 7.1 | 55.0 ± 7.1 | 45.0 ± 7.1 '
        '| 60.0 ± 7.1 | 66.2 ± 5.4 |  |',
        # 4 and 6 points above the baseline of its own seed
        '| learn | 90.0 ± 0.0 | 75.0 ± 5.7 | 60.0 ± 5.7 | 50.0 ± 5.7 '
        '| 65.0 ± 5.7 | 70.0 ± 4.5 | +5.0 ± 1.4 |',
    ]


def test_one_seed_has_no_spread(gather, tmp_path):
    assert gather(dict(plain=(90, 80, 70, 60, 50))).returncode == 0
    row = (tmp_path / 'table.md').read_text().splitlines()[2]
    assert row == '| plain | 90.0 | 75.0 | 60.0 | 50.0 | 65.0 | 70.0 |  |'


@pytest.mark.parametrize(
    'other', [dict(learn=(1, 2, 3, 4, 5)), dict(plain=(1, 2, 3, 4))]
)
def test_reports_of_other_models_or_cells_are_refused(gather, other):
    result = gather(dict(plain=(1, 2, 3, 4, 5)), other)
    assert result.returncode == 1
    assert '1.json holds other models or cells than' in result.stderr


def test_ap50_of_detectors(run_tool, tmp_path):
    cells = {
        cell: dict(accuracy=10.0, ap50=dict(accuracy=30.0)) for cell in CELLS
    }
    path = tmp_path / 'report.json'
    report = dict(models=dict(plain=dict(cells=cells)))
    path.write_text(json.dumps(dict(models={}, report=report)))
    tool = ROOT / 'tools/dev/gather_reports.py'
    assert '| plain | 10.0 |' in run_tool(sys.executable, tool, path).stdout
    result = run_tool(sys.executable, tool, path, '--ap50')
    assert '| plain | 30.0 |' in result.stdout
