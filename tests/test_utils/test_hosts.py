"""Hosts that are missing or broken, each in a process of its own."""

import subprocess
import sys

import pytest
from conftest import ROOT

from mmocc.utils import hosts

pytest.importorskip('mmpretrain', reason='the tests break mmdet beside it')
ERROR = "raise ImportError('mmcv==9.9 is used, but 2.1 is wanted')\n"
INNER = ('models', 'datasets', 'evaluation')
ASSERTION = "assert False, 'mmcv==9.9 is used, but 2.1 is wanted'\n"


def run(code, folder):
    """Run code with a folder before all others; return what it prints."""
    start = f'import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]\n'
    done = subprocess.run(
        [sys.executable, '-c', start + code],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def write(folder, host, **modules):
    """Make a package ``host`` of these modules' texts."""
    package = folder / host
    package.mkdir()
    for name, text in {'__init__': '', **modules}.items():
        (package / f'{name}.py').write_text(text)


CLASSIFIER = """
import mmocc
from mmengine.registry import DATASETS, MODELS, TRANSFORMS
for registry, name in (
    (MODELS, 'LEARNClassifier'), (DATASETS, 'VOCObjects'),
    (TRANSFORMS, 'Occlude'), (MODELS, 'OFERHead'), (MODELS, 'CAMHead'),
):
    print(registry.get(f'mmocc.{name}').__name__)
for registry, name in (
    (MODELS, 'DEA'), (DATASETS, 'OrnamentPages'), (MODELS, 'SSDIoUHead'),
    (TRANSFORMS, 'PackAnomalyInputs'),
):
    try:
        registry.build(dict(type=f'mmocc.{name}'))
    except ImportError as error:
        print(error)
try:
    from mmocc.models import DEA
except ImportError as error:
    print(error)
from mmengine.config import Config
from mmocc.utils import cli
try:
    with cli.one_line_errors():
        cli.check_types(Config(dict(model=dict(type='mmocc.DEA'))))
except SystemExit as stop:
    print('stopped:', stop.code)
"""


@pytest.mark.parametrize(
    ('modules', 'kind'),
    [
        (dict(__init__=ASSERTION), 'AssertionError'),
        (dict.fromkeys(INNER, ERROR) | dict(registry=''), 'ImportError'),
    ],
    ids=['version', 'inside'],
)
def test_a_broken_mmdet_turns_only_detection_off(modules, kind, tmp_path):
    write(tmp_path, 'mmdet', **modules)
    out, err = run(CLASSIFIER, tmp_path)
    lines = out.splitlines()
    notes = [line for line in lines + err.splitlines() if 'is off' in line]
    lines = [line for line in lines if line not in notes]
    assert lines[:5] == [
        'LEARNClassifier',
        'VOCObjects',
        'Occlude',
        'OFERHead',
        'CAMHead',
    ]
    names = ['DEA', 'OrnamentPages', 'SSDIoUHead', 'PackAnomalyInputs', 'DEA']
    why = f'{kind}: mmcv==9.9 is used, but 2.1 is wanted'
    for line, name in zip(lines[5:-1], names, strict=True):
        start = f'mmocc.{name} needs mmdet, which cannot be imported: {why}'
        assert line.startswith(start)
    # a tool that reads a config for detection ends with it
    start = 'stopped: mmocc.DEA needs mmdet, which cannot be imported: '
    assert lines[-1].startswith(start + why)
    assert len(notes) == 1
    assert 'mmdet cannot be imported' in notes[0]


def test_a_broken_mmpretrain_leaves_detection(tmp_path):
    pytest.importorskip('mmdet', reason='detection needs mmdet')
    write(tmp_path, 'mmpretrain', __init__=ASSERTION)
    code = """
from mmengine.registry import MODELS
import mmocc
print(MODELS.get('mmocc.DEA').__name__)
try:
    MODELS.get('mmocc.LEARNClassifier')
except ImportError as error:
    print(error)
"""
    out, _ = run(code, tmp_path)
    lines = [line for line in out.splitlines() if 'is off' not in line]
    assert lines[0] == 'DEA'
    assert lines[1].startswith(
        'mmocc.LEARNClassifier needs mmpretrain, which cannot be imported: '
        'AssertionError: mmcv==9.9'
    )


def test_a_host_without_its_own_requirement_names_it(
    tmp_path, monkeypatch, capfd
):
    write(tmp_path, 'mm_host', __init__='import no_such_module')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(hosts.EXTRAS, 'mm_host', 'det')
    with pytest.raises(
        hosts.MissingHostError,
        match='^X needs mm_host, which cannot be imported: no_such_module is '
        r'not installed; pip install "mmocc\[det\]" brings it$',
    ):
        hosts.require('X', 'mm_host')


def test_importing_mmocc_imports_no_host(tmp_path):
    code = """
import mmocc, mmocc.models, mmocc.apis
light = {'torch', 'mmcv', 'mmdet', 'mmpretrain', 'mmengine', 'cv2'}
print(light & set(sys.modules))
import mmocc.registry
print({'torchvision', 'mmcv', 'mmdet', 'mmpretrain'} & set(sys.modules))
"""
    out, _ = run(code, tmp_path)
    assert out.split() == ['set()', 'set()']


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(hosts, 'EXTRAS', {'no_such_host': 'det'})
    assert not hosts.usable('no_such_host.models')
    with pytest.raises(
        hosts.MissingHostError,
        match=r'^mmocc\.X needs no_such_host, which is not installed; pip '
        r'install "mmocc\[det\]" brings it$',
    ):
        hosts.require('mmocc.X', 'json', 'no_such_host.models')
    look_up = hosts.absent('mmocc.models', {'no_such_host': ['X']})
    with pytest.raises(ImportError, match=r'mmocc\.X needs no_such_host'):
        look_up('X')
    with pytest.raises(AttributeError, match=r"'mmocc\.models' has no .*'Y'"):
        look_up('Y')


@pytest.mark.parametrize('version', ['5.24.0', '4.99.0'])
def test_transformers_of_another_version_do_no_harm(tmp_path, version):
    """Without our finder, mmpretrain's models cannot be imported."""
    known = tmp_path / f'transformers-{version}.dist-info'
    known.mkdir()
    (known / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: transformers\nVersion: {version}\n'
    )
    code = """
import mmocc
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
print(ImageClassifier.__name__)
try:
    MODELS.get('mmpretrain.BlipCaption')()
except ImportError as error:
    print(error)
"""
    name, error = run(code, tmp_path)[0].splitlines()
    assert name == 'ImageClassifier'
    assert 'requires extra multi-modal dependencies' in error
