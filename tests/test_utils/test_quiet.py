"""Remarks of other packages at import: exactly the known ones are dropped."""

import sys
import warnings
from pathlib import Path

import pytest
from mmengine.logging import logger, print_log

from mmocc.utils.quiet import (
    PRINTED,
    WARNED,
    HostWatcher,
    print_others,
    silence_imports,
)


@pytest.fixture
def silent(monkeypatch):
    """Silence as the tools do; end with the test."""
    monkeypatch.setitem(vars(logger), 'print', print)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        silence_imports()
        assert HostWatcher().find_spec('mmpretrain') is None
        yield


@pytest.mark.parametrize('line', sorted(PRINTED))
def test_known_lines_are_not_printed_and_longer_ones_are(line, silent, capsys):
    print_log(line)
    assert capsys.readouterr().out == ''
    for other in (f'{line} ', f'a {line}', f'{line}\nand a line', '', 5):
        print_log(other)
        assert capsys.readouterr().out == f'{other}\n'


def warn_as(module, message, category=UserWarning):
    """Return the warnings that are shown when a module warns."""
    with warnings.catch_warnings(record=True) as shown:
        code = f'import warnings\nwarnings.warn({message!r}, kind)'
        exec(code, dict(__name__=module, kind=category))
    return [str(warning.message) for warning in shown]


@pytest.mark.parametrize(('module', 'message'), WARNED.items())
def test_known_warnings_are_dropped_from_their_module_alone(
    module, message, silent
):
    assert warn_as(module, message) == []
    for other in (f'{message}!', f'so {message}', 'another'):
        assert warn_as(module, other) == [other]
    assert warn_as(f'{module}.inner', message) == [message]
    assert warn_as('mine', message) == [message]


def test_the_hosts_still_say_these_lines():
    """A line that no host says any more has no place in the filter."""
    pytest.importorskip('mmpretrain')
    pytest.importorskip('mmdet')
    import mmdet.datasets
    import mmpretrain.datasets

    texts = ''
    for module in (mmpretrain.datasets, mmdet.datasets):
        texts += Path(module.__file__).read_text(encoding='utf-8')
    if 'OneDL' not in texts:
        pytest.skip('hosts of upstream, which say none of them')
    for line in PRINTED:
        assert f"'{line}'" in texts
    assert sys.modules['mmengine.logging.logger'] is logger


def test_one_watcher_is_enough():
    silence_imports()
    watchers = [f for f in sys.meta_path if isinstance(f, HostWatcher)]
    assert len(watchers) == 1


def test_the_filter_is_there_before_a_host():
    """conftest.py has imported mmocc, and only then mmpretrain speaks."""
    pytest.importorskip('mmpretrain.datasets')
    assert vars(logger)['print'] is print_others
