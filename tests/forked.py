"""Scripts in processes that are forked from one with the hosts imported.

That saves seconds for each. In all other respects they are processes of their
own, with their own environment, folder, output and exit code.
"""

import os
import runpy
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from yapf.yapflib import yapf_api

PRELOADED = (
    'mmocc', 'mmpretrain.apis', 'mmdet.models', 'mmdet.datasets',
    'mmdet.evaluation', 'mmocc.models', 'mmocc.datasets', 'mmocc.engine',
    'mmocc.utils.cli',
)  # fmt: skip


def leave_configs_unformatted():
    """Keep yapf, which takes seconds, from what mmengine logs and dumps."""
    yapf_api.FormatCode = lambda text, **kwargs: (text + '\n', False)


def context():
    """Return how such processes are made."""
    forking = get_context('forkserver')
    forking.set_forkserver_preload(list(PRELOADED))
    return forking


def run(command, folder, env, timeout=300):
    """Run a Python script to its end, as ``subprocess.run`` does.

    The command is a path or ``-m`` and a module, and then arguments.
    """
    with tempfile.TemporaryDirectory() as logs:
        outputs = [Path(logs, name) for name in ('stdout', 'stderr')]
        process = context().Process(
            target=run_here, args=(command, folder, env, outputs)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutExpired(command, timeout)
        texts = [path.read_text() for path in outputs]
    return CompletedProcess(command, process.exitcode, *texts)


def run_here(command, folder, env, outputs, prepare=None):
    """Be the process: run a script, write its output to two files.

    ``prepare`` is called before.
    """
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    leave_configs_unformatted()
    for number, path in enumerate(outputs, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
    if prepare:
        prepare()
    paths = env.get('PYTHONPATH', '').split(os.pathsep)
    if command[0] == '-m':
        sys.path[:0] = ['', *filter(None, paths)]
        sys.argv = list(command[1:])
        runpy.run_module(command[1], run_name='__main__', alter_sys=True)
        return
    sys.path[:0] = [str(Path(command[0]).parent), *filter(None, paths)]
    sys.argv = list(command)
    runpy.run_path(command[0], run_name='__main__')
