"""The slurm scripts, with a srun that prints the command it gets."""

import os

import pytest
from conftest import ROOT

TOOLS = ROOT / 'tools'
# Takes those options of slurm that the scripts use, and no others.
SRUN = """#!/usr/bin/env bash
set -euo pipefail
while [ $# -gt 0 ]; do
    case "$1" in
        -p|--exclude) echo "$1 $2"; shift 2 ;;
        --job-name=?*|--gres=gpu:[0-9]*|--ntasks=[0-9]*) ;&
        --ntasks-per-node=[0-9]*|--cpus-per-task=[0-9]*) ;&
        --kill-on-bad-exit=1) echo "$1"; shift ;;
        -*) echo "srun: unrecognized option '$1'" >&2; exit 1 ;;
        *) break ;;
    esac
done
printf "%s\\n" "$@"
"""


@pytest.fixture
def path(tmp_path):
    """Return a PATH with this srun in front."""
    srun = tmp_path / 'bin' / 'srun'
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    return f'{srun.parent}:{os.environ["PATH"]}'


def test_slurm_scripts_give_everything_to_srun(run_tool, path):
    result = run_tool(
        TOOLS / 'slurm_train.sh', 'gpu', 'a job', 'a config.py', 'work',
        '--amp', '--cfg-options', 'key="[1, 2]"',
        PATH=path, PYTHON='py', GPUS='4', SRUN_ARGS='--exclude node7',
    )  # fmt: skip
    assert result.stdout.splitlines() == [
        '-p gpu', '--job-name=a job', '--gres=gpu:8', '--ntasks=4',
        '--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1',
        '--exclude node7',
        'py', '-u', f'{TOOLS}/train.py', 'a config.py', '--work-dir', 'work',
        '--launcher', 'slurm', '--amp', '--cfg-options', 'key="[1, 2]"',
    ], result.stderr  # fmt: skip
    result = run_tool(
        TOOLS / 'slurm_test.sh', 'gpu', 'job', 'c.py', 'c.pth', '--tta',
        PATH=path, PYTHON='py',
    )  # fmt: skip
    assert result.stdout.splitlines()[-7:] == [
        '-u', f'{TOOLS}/test.py', 'c.py', 'c.pth', '--launcher', 'slurm',
        '--tta',
    ], result.stderr  # fmt: skip


@pytest.mark.parametrize('kind', ['train', 'test'])
@pytest.mark.parametrize('launcher', ['slurm', 'dist'])
def test_too_few_arguments_get_the_usage(run_tool, launcher, kind):
    result = run_tool(TOOLS / f'{launcher}_{kind}.sh', 'one')
    assert result.returncode == 2
    assert result.stderr.startswith('Usage:')
