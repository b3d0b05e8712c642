"""tools/dev/full_size.sh, with a Python that only records its arguments."""

import re

import pytest
from conftest import ROOT
from mmengine.config import Config

SCRIPT = ROOT / 'tools/dev/full_size.sh'
NOTE = """#!/bin/bash
echo "$*" >> {log}
dir=$(sed -n 's/.*--work-dir \\([^ ]*\\).*/\\1/p' <<< "$*")
case "$dir" in {root}*) mkdir -p "$dir" && echo none > "$dir/last_checkpoint"
esac
exit 0
"""


@pytest.fixture
def commands_of(run_tool, tmp_path):
    """Return a function that runs parts and returns the commands."""
    python, log = tmp_path / 'python', tmp_path / 'log'
    python.write_text(NOTE.format(log=log, root=tmp_path))
    python.chmod(0o755)

    def run(*parts):
        result = run_tool(
            SCRIPT, *parts, PYTHON=str(python), SEEDS='0', OUT=str(tmp_path)
        )
        assert result.returncode == 0, result.stderr
        return log.read_text().splitlines()

    return run


def test_each_part_trains_configs_that_exist(commands_of):
    runs = commands_of('speed', 'ssd', 'dea', 'ofer')
    for name in {n for line in runs for n in re.findall(r'\S+\.py', line)}:
        assert (ROOT / name).is_file(), name
        if name.startswith('configs'):
            assert Config.fromfile(ROOT / name).train_dataloader


def test_losses_differ_by_options(commands_of):
    trained = [line for line in commands_of('ssd') if 'tools/train.py' in line]
    ends = [line.split('model.bbox_head.')[1].strip() for line in trained]
    assert ends == [
        'loss_bbox=None',
        *(f'loss_bbox.type=mmocc.{n}IoULoss' for n in 'GDE'),
    ]


def test_an_unknown_part_is_named_before_anything_runs(run_tool):
    result = run_tool(SCRIPT, 'speed', 'sdd')
    assert result.returncode == 2
    assert 'speed|learn|ssd|dea|ofer' in result.stderr
