"""Which folder of the package may import which: arrows point down only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmocc import models
from mmocc.registry import MODELS

PACKAGE = Path(models.__file__).resolve().parents[1]
CORE = {'occlusion', 'utils'}
# A folder may import itself, those named here, and registry and version.
BELOW = {
    'utils': set(),
    'occlusion': {'utils'},
    'synthetic': CORE,
    'transforms': CORE,
    'datasets': CORE,
    'occluded_sets': CORE | {'datasets'},
    'models': CORE,
    'evaluation': CORE,
    'report': CORE | {'datasets', 'evaluation'},
    'learn': CORE | {'models', 'report', 'transforms'},
    'visualization': CORE | {'evaluation'},
    'engine': CORE | {'models', 'evaluation', 'visualization'},
    'apis': CORE
    | {'datasets', 'models', 'evaluation', 'report', 'visualization'},
    'zoo': CORE | {'apis', 'learn', 'report'},
    'app': CORE
    | {'apis', 'learn', 'report', 'transforms', 'visualization', 'zoo'},
}
HOSTS = {'mmcv', 'mmdet', 'mmengine', 'mmpretrain'}


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of what a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: a relative import'
            yield from (f'{node.module}.{a.name}' for a in node.names)


def files(folder: str) -> list[Path]:
    """Return the modules of a folder of the package."""
    paths = sorted((PACKAGE / folder).rglob('*.py'))
    assert paths, f'{folder} is empty'
    return paths


def test_every_folder_has_its_rule():
    folders = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert folders == set(BELOW)


@pytest.mark.parametrize('folder', BELOW)
def test_arrows_point_down(folder):
    wrong = []
    for path in files(folder):
        for name in imported(path):
            first, *rest = name.split('.')
            if first != 'mmocc' or not rest or rest[0] not in BELOW:
                continue
            if rest[0] != folder and rest[0] not in BELOW[folder]:
                wrong.append(f'{path.relative_to(PACKAGE)} imports {name}')
    assert not wrong


@pytest.mark.parametrize('room', models._ROOMS)
def test_methods_do_not_import_one_another(room):
    others = [f'mmocc.models.{other}' for other in models._ROOMS]
    others.remove(f'mmocc.models.{room}')
    for path in files(f'models/{room}'):
        for name in imported(path):
            assert not name.startswith(tuple(others)), f'{path}: {name}'


@pytest.mark.parametrize('folder', ['occlusion', 'transforms'])
def test_the_core_and_plain_transforms_import_no_host(folder):
    for path in files(folder):
        hosts = {name.split('.')[0] for name in imported(path)} & HOSTS
        assert not hosts, f'{path} imports {hosts}'


@pytest.mark.parametrize('room', models._ROOMS)
def test_models_offers_every_registered_class(room):
    MODELS.import_from_location()
    prefix = f'mmocc.models.{room}.'
    registered = {
        name
        for name, cls in MODELS.module_dict.items()
        if cls.__module__.startswith(prefix)
    }
    assert registered == set(models._ROOMS[room])
    for name in registered:
        assert getattr(models, name) is MODELS.get(name)


def test_an_unknown_name_of_models_is_an_attribute_error():
    with pytest.raises(AttributeError, match='no name Nothing'):
        _ = models.Nothing
    assert {'LEARN', 'DEA'} <= set(dir(models))


def test_no_two_files_of_tests_share_a_name():
    """pytest imports them by name alone, as tests are no packages."""
    names = [p.name for p in Path(__file__).parent.rglob('*.py')]
    assert sorted(names) == sorted(set(names))


def opens_text_as_the_locale_says(call: ast.Call) -> bool:
    """Return whether a call opens a text and names no encoding."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if 'encoding' in keywords or None in keywords:
        return False
    owner = getattr(getattr(call.func, 'value', None), 'id', None)
    name = getattr(call.func, 'attr', getattr(call.func, 'id', None))
    if name in ('read_text', 'write_text'):
        return len(call.args) < 1 + (name == 'write_text')
    if name != 'open' or owner in ('Image', 'os'):
        return False
    modes = call.args[isinstance(call.func, ast.Name) :]
    mode = keywords.get('mode', modes[0] if modes else ast.Constant('r'))
    return 'b' not in str(getattr(mode, 'value', ''))


@pytest.mark.parametrize(
    ('code', 'wrong'),
    [
        ("open('a')", True),
        ("open('b.txt', 'w')", True),
        ("open('a', mode='r')", True),
        ("open('a', 'rb')", False),
        ("open('a', encoding='utf-8')", False),
        ('path.open()', True),
        ("path.open('wb')", False),
        ("path.open('w', newline='')", True),
        ('path.read_text()', True),
        ("path.read_text('utf-8')", False),
        ('path.write_text(text)', True),
        ("path.write_text(text, encoding='utf-8')", False),
        ('Image.open(path)', False),
        ('os.open(path, os.O_RDONLY)', False),
    ],
)
def test_opens_of_texts_are_known(code, wrong):
    call = ast.parse(code).body[0].value
    assert opens_text_as_the_locale_says(call) is wrong


def test_texts_are_utf8_whatever_the_locale():
    """Some systems have Latin-1 or GBK, where a name may not be written."""
    root = PACKAGE.parent
    paths = [root / 'setup.py', *PACKAGE.rglob('*.py')]
    for folder in ('tools', 'benchmarks', 'configs'):
        paths += (root / folder).rglob('*.py')
    wrong = [
        f'{path.relative_to(root)}, line {node.lineno}: name encoding='
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Call) and opens_text_as_the_locale_says(node)
    ]
    assert not wrong
