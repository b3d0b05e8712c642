"""The slurm scripts, with a srun that runs its command here: a dry run."""

import os

import pytest
from conftest import ROOT

TOOLS = ROOT / 'tools'
# Takes the options that slurm's own has and we give, and nothing else.
SRUN = """#!/usr/bin/env bash
set -euo pipefail
while [ $# -gt 0 ]; do
    case "$1" in
        -p) echo "option $1 $2" >> srun.log; shift 2 ;;
        --job-name=?*|--gres=gpu:[0-9]*|--ntasks=[0-9]*|--exclusive) ;&
        --ntasks-per-node=[0-9]*|--cpus-per-task=[0-9]*) ;&
        --kill-on-bad-exit=1) echo "option $1" >> srun.log; shift ;;
        -*) echo "srun: unrecognized option '$1'" >&2; exit 1 ;;
        *) break ;;
    esac
done
exec "$@"
"""


@pytest.fixture
def path_with_srun(tmp_path):
    folder = tmp_path / 'bin'
    folder.mkdir()
    srun = folder / 'srun'
    srun.write_text(SRUN)
    srun.chmod(0o755)
    return f'{folder}:{os.environ["PATH"]}'


def test_what_srun_is_handed_trains_and_tests(
    run_tool, tmp_path, tiny_config, path_with_srun
):
    # Launched as one process: without a GPU, mmengine's slurm launcher fails.
    flags = ('--launcher', 'none')
    env = dict(PATH=path_with_srun, GPUS='16', GPUS_PER_NODE='8')
    result = run_tool(
        TOOLS / 'slurm_train.sh', 'part', 'a job', tiny_config, 'my work',
        *flags, SRUN_ARGS='--exclusive', **env,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    weights = tmp_path / 'my work/epoch_1.pth'
    assert weights.is_file()
    told = (tmp_path / 'srun.log').read_text().splitlines()
    assert told == [
        'option -p part', 'option --job-name=a job', 'option --gres=gpu:8',
        'option --ntasks=16', 'option --ntasks-per-node=8',
        'option --cpus-per-task=5', 'option --kill-on-bad-exit=1',
        'option --exclusive',
    ]  # fmt: skip
    result = run_tool(
        TOOLS / 'slurm_test.sh', 'part', 'a job', tiny_config, weights,
        *flags, **env,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert 'accuracy/top1' in result.stdout + result.stderr


@pytest.mark.parametrize('kind', ['slurm_train', 'slurm_test', 'dist_test'])
def test_too_few_arguments_are_told(run_tool, kind):
    result = run_tool(TOOLS / f'{kind}.sh', 'part')
    assert result.returncode == 2
    assert result.stderr.startswith('Usage:')
