"""What the tests of tools that write data sets share."""

import io
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from conftest import ROOT, import_tool

from mmocc.utils.data_tool import run_tool

CONVERTERS = ROOT / 'tools/dataset_converters'


def tree(folder):
    """Return each file's bytes by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def run_here(tool, *args):
    """Run a converter in this process; return status, output and errors."""
    out, errors = io.StringIO(), io.StringIO()
    argv = mock.patch('sys.argv', [tool, *map(str, args)])
    with argv, redirect_stdout(out), redirect_stderr(errors):
        main = import_tool(CONVERTERS / f'{tool}.py').main
        status = run_tool(tool, main)
    return status, out.getvalue(), errors.getvalue()
