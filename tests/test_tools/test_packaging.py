"""What pip makes of the checkout, and what imports without a host."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from distutils.core import run_setup  # setuptools has it in Python 3.12
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from conftest import ROOT

import mmocc
from mmocc.zoo import cards

PACKED = ('mmocc', 'configs', 'tools', 'requirements')
ALONE = (
    'setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'model-index.yml',
)  # fmt: skip
EXTRAS = ('torch', 'cls', 'det', 'all', 'test', 'vis', 'docs', 'app')
IGNORED = shutil.ignore_patterns('__pycache__', '.mim', '*.pyc')


@pytest.fixture
def checkout(tmp_path):
    """Copy what is packed, since pip leaves its build in the source tree."""
    copy = tmp_path / 'checkout'
    for folder in PACKED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=IGNORED)
    for name in ALONE:
        shutil.copy(ROOT / name, copy)
    return copy


def python(*args, cwd=None):
    """Run this Python; fail with what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*args):
    offline = ('--no-deps', '--no-build-isolation', '--no-index')
    return python('-m', 'pip', *args[:1], *offline, *args[1:])


def expected_mim_files(target='mmocc/.mim'):
    """Return the files that a wheel must carry for mim, by their names."""
    files = {
        f'{target}/{path.relative_to(ROOT).as_posix()}'
        for folder in ('configs', 'tools', 'requirements')
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and not {'__pycache__', 'dev'} & set(path.parts)
    }
    return files | {f'{target}/model-index.yml'}


def test_a_wheel_of_the_sdist_carries_all_that_mim_needs(checkout, tmp_path):
    build = 'from setuptools.build_meta import *; build_sdist("dist")'
    python('-c', build, cwd=checkout)
    (sdist,) = (checkout / 'dist').glob('*.tar.gz')
    pip('wheel', '-w', tmp_path, sdist)
    (wheel,) = tmp_path.glob('mmocc-*.whl')
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(n for n in names if n.endswith('/METADATA'))
        text = archive.read(metadata).decode()
        script = archive.getinfo('mmocc/.mim/tools/dist_train.sh')
        entry = metadata.replace('METADATA', 'entry_points.txt')
        commands = archive.read(entry).decode().split()
    assert expected_mim_files() == {n for n in names if '/.mim/' in n}
    assert 'mmocc/report/templates/occlusion_report.html' in names
    assert {f'mmocc/zoo/{card.file}' for card in cards().values()} <= names
    assert {f'mmocc/zoo/{name}.json' for name in cards()} <= names
    assert script.external_attr >> 16 & 0o111  # still executable
    assert commands == ['[console_scripts]', 'mmocc', '=', 'mmocc.cli:main']
    # onedl-mim looks into the folder that comes first in sorted order.
    first = min(name.split('/')[0] for name in names)
    assert expected_mim_files(first) == {n for n in names if first in n}
    # No host may be forced on those who have the other family's.
    needed = [n for n in text.splitlines() if n.startswith('Requires-Dist')]
    forced = [n for n in needed if 'extra ==' not in n]
    runtime = (checkout / 'requirements/runtime.txt').read_text().splitlines()
    assert len(forced) == len([line for line in runtime if line[0] != '#'])
    assert not [n for n in forced if 'mm' in n or 'torch' in n]
    for extra in EXTRAS:
        assert f'Provides-Extra: {extra}' in text
    app = [n for n in needed if re.search('extra == .app.$', n)]
    assert any('gradio' in n for n in app)
    assert not [n for n in needed if 'gradio' in n and n not in app]
    assert {'mmocc/app/page.py', 'mmocc/.mim/tools/app.py'} <= names


def test_an_editable_installation_links_to_the_checkout(checkout, tmp_path):
    pip('install', '--target', tmp_path / 'site', '-e', checkout)
    mim = checkout / 'mmocc' / '.mim'
    for folder in ('configs', 'tools', 'requirements'):
        link = (mim / folder).readlink()
        assert not link.is_absolute()
        assert (mim / link).resolve() == checkout / folder


def test_where_links_cannot_be_made_the_editable_folder_has_copies(
    tmp_path, monkeypatch
):
    def refuse(*args, **kwargs):
        raise OSError('a required privilege is not held')

    monkeypatch.setattr(os, 'symlink', refuse)
    setup = run_setup(str(ROOT / 'setup.py'), stop_after='init')
    command = setup.get_command_obj('build_py')
    warnings = []
    command.warn = warnings.append
    command.fill(tmp_path / 'mmocc' / '.mim', link=True)
    mim = tmp_path / 'mmocc' / '.mim'
    files = {p.relative_to(tmp_path) for p in mim.rglob('*') if p.is_file()}
    assert expected_mim_files() == {path.as_posix() for path in files}
    assert 'a required privilege' in warnings[0]
    assert len(warnings) == 3


def import_setup(monkeypatch):
    """Return the module of setup.py, which sets nothing up."""
    monkeypatch.setattr('setuptools.setup', lambda **_: None)
    spec = spec_from_file_location('mmocc_setup', ROOT / 'setup.py')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_the_readme_lead_to_the_release_or_are_text(monkeypatch):
    setup = import_setup(monkeypatch)
    text = (
        'See [the docs](docs/a.md#part), [a paper](https://arxiv.org/abs/1) '
        'and [below](#below).\n\n![A plot](docs/b.png)\n'
    )
    there = 'https://example.org/us/mmocc'
    assert setup.for_index(text, there, 'v1.2.3') == (
        f'See [the docs]({there}/blob/v1.2.3/docs/a.md#part), [a paper]'
        '(https://arxiv.org/abs/1) and [below](#below).\n\n![A plot]'
        f'({there}/raw/v1.2.3/docs/b.png)\n'
    )
    assert setup.for_index(text, None, 'v1.2.3') == (
        'See the docs, [a paper](https://arxiv.org/abs/1) '
        'and [below](#below).\n\n\n'
    )


def test_the_page_on_an_index_has_no_link_into_the_checkout(monkeypatch):
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    if 'docs/images/' not in readme:
        pytest.skip('the README has no picture')
    setup = import_setup(monkeypatch)
    monkeypatch.setenv('GITHUB_SERVER_URL', 'https://example.org')
    monkeypatch.setenv('GITHUB_REPOSITORY', 'us/mmocc')
    start = f'https://example.org/us/mmocc/raw/v{mmocc.__version__}/docs/'
    page = setup.read_readme()
    links = re.findall(r']\((.*?)\)', page)
    assert len(links) == readme.count('](')
    assert all(link.startswith('https://') for link in links)
    pictures = re.findall(r'!\[[^]]*]\((.*?)\)', page)
    assert pictures
    for picture in pictures:
        assert picture.startswith(start)
        inner = picture.removeprefix(start)
        assert (ROOT / 'docs' / inner).is_file()
    monkeypatch.delenv('GITHUB_REPOSITORY')
    assert 'docs/images' not in setup.read_readme()


# As in an environment that lacks the host: it is not found, nor imported.
WITHOUT_HOST = """
import importlib.util
import sys

real = importlib.util.find_spec
importlib.util.find_spec = (
    lambda name, package=None: None if name == {host!r} else real(name)
)
sys.modules[{host!r}] = None  # any import of it is an ImportError
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope

DefaultScope.get_instance('test', scope_name={scope!r})
for registry, name in {needed!r}:
    registry = dict(MODELS=MODELS, TRANSFORMS=TRANSFORMS)[registry]
    assert registry.get(name) is not None, name
from mmocc.models import LEARN, BatchHideAndSeek

layer = MODELS.build(dict(type='mmocc.BatchHideAndSeek', grid_sizes=[8]))
assert type(layer) is BatchHideAndSeek
"""


@pytest.mark.parametrize(
    ('host', 'scope', 'needed'),
    [
        (
            'mmdet',
            'mmpretrain',
            [
                ('MODELS', 'mmocc.LEARN'),
                ('MODELS', 'mmocc.LEARNClassifier'),
                ('TRANSFORMS', 'mmocc.Occlude'),
            ],
        ),
        (
            'mmpretrain',
            'mmdet',
            [
                ('MODELS', 'mmocc.LEARN'),
                ('MODELS', 'mmocc.BatchHideAndSeek'),
                ('TRANSFORMS', 'mmocc.Occlude'),
            ],
        ),
    ],
)
def test_one_host_is_enough(host, scope, needed):
    code = WITHOUT_HOST.format(host=host, scope=scope, needed=needed)
    python('-c', code, cwd=ROOT)
