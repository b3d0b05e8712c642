"""tools/dev/check_stack.sh, with a Python that only records its arguments."""

import re

import pytest
import yaml
from conftest import ROOT

SCRIPT = ROOT / 'tools/dev/check_stack.sh'
WORKFLOW = ROOT / '.github/workflows/ci.yml'
PIN = re.compile(r'([\w-]+)(?:==)?(.+)')
# Makes environments with copies of itself, which record their arguments.
PYTHON = """#!/usr/bin/env bash
[ "$1" = -V ] && echo Python 3.{minor}.0
[ "$1" = -c ] && exit $(({minor} < 12))
[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
echo "$@" >> '{log}'
[ "$2" != pytest ] || exit 3
"""


def pins(name):
    """Return the versions that a requirements file pins, by distribution."""
    return by_name((ROOT / f'requirements/{name}.txt').read_text())


def by_name(text):
    lines = [line for line in text.splitlines() if line[0] != '#']
    versions = dict(PIN.match(line).groups() for line in lines)
    assert len(versions) == len(lines)  # no distribution twice
    return versions


@pytest.fixture
def check_stack(run_tool, tmp_path):
    """Run the script with an interpreter 3.MINOR that installs nothing."""

    def run(*args, minor=10, **env):
        python = tmp_path / 'python'
        python.write_text(PYTHON.format(minor=minor, log=tmp_path / 'log'))
        python.chmod(0o755)
        env.setdefault('FOLDER', str(tmp_path / 'kept'))
        return run_tool(SCRIPT, *args, PYTHON=str(python), **env)

    return run


@pytest.mark.parametrize('stack', ['tested', 'newest', 'upstream'])
def test_a_stack_overrides_the_tested_versions(check_stack, tmp_path, stack):
    result = check_stack(stack, '-k', 'occlusion')
    assert result.returncode == 3, result.stderr  # that of pytest
    constraints = (tmp_path / 'kept/constraints.txt').read_text()
    assert by_name(constraints) == pins('tested') | pins(stack)
    commands = (tmp_path / 'log').read_text().splitlines()
    assert commands[-1] == '-m pytest -k occlusion'
    [built] = [line for line in commands if 'check wheel ' in line]
    assert '--no-cache-dir' in built  # which may hold that of another torch
    family = 'mmcv' if stack == 'upstream' else 'onedl-mmcv'
    assert built.endswith(f' -w {tmp_path}/kept/wheels {family}')


def test_a_temporary_folder_is_gone_afterwards(check_stack, tmp_path):
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    check_stack('newest', FOLDER='', TMPDIR=str(temporary))
    assert str(temporary) in (tmp_path / 'log').read_text()
    assert not any(temporary.iterdir())


@pytest.mark.parametrize('args', [(), ('stock',), ('-k',)])
def test_an_unknown_stack_is_refused(check_stack, args):
    result = check_stack(*args)
    assert result.returncode == 2
    assert 'name tested, newest or upstream' in result.stderr


def test_upstream_refuses_a_python_that_torch_2_1_lacks(check_stack):
    result = check_stack('upstream', minor=12)
    assert result.returncode == 2
    assert 'Python 3.12.0: name a Python 3.10 or 3.11' in result.stderr


def test_the_workflow_runs_stacks_that_exist():
    jobs = yaml.safe_load(WORKFLOW.read_text())['jobs']
    stacks = jobs['stack']['strategy']['matrix']['include']
    assert {s['stack'] for s in stacks} == {'newest', 'upstream'}
    assert all(pins(s['stack'])['torch'] for s in stacks)
