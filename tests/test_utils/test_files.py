"""What is listed, opened and expanded, by one function each for all."""

import csv
import logging
from pathlib import Path

import pytest

from mmocc.utils import files
from mmocc.utils.own_folder import make_folder
from mmocc.utils.whole_files import write_whole

ENDINGS = ('jpg', 'JPEG', 'Png', 'bmp', 'WEBP', 'tif', 'TIFF')


@pytest.fixture
def notes(monkeypatch):
    """Return the lines that the lister writes to the log."""
    lines = []
    monkeypatch.setattr(files, 'note', lines.append)
    return lines


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_every_ending_is_listed_in_any_case_and_nothing_else(tmp_path, notes):
    names = [f'{n}.{ending}' for n, ending in enumerate(ENDINGS)]
    touch(tmp_path, *names, 'a.txt', 'b.gif', 'c', 'sub/d.png')
    listed = [path.name for path in files.list_images(tmp_path)]
    assert listed == sorted(names)
    deep = files.list_images(str(tmp_path), deep=True)
    assert [path.name for path in deep] == [*sorted(names), 'd.png']
    assert files.list_images(tmp_path / 'none') == []
    assert not notes


def test_hidden_names_are_left_out_and_counted_once(tmp_path, notes):
    touch(
        tmp_path,
        *('a.png', '._a.png', '.DS_Store', 'b/c.png', 'b/._c.png'),
        *('__MACOSX/a.png', '.ipynb_checkpoints/a-checkpoint.png'),
    )
    images = files.list_images(tmp_path, deep=True)
    assert [path.name for path in images] == ['a.png', 'c.png']
    (line,) = notes
    assert '4 pictures' in line and '._a.png' in line and '__MACOSX' in line
    assert [path.name for path in files.list_folders(tmp_path)] == ['b']
    assert '2 folders' in notes[1] and '.ipynb_checkpoints' in notes[1]
    # A hidden folder above the data does not hide them.
    touch(tmp_path, '.cache/data/a.png')
    assert len(files.list_images(tmp_path / '.cache/data', deep=True)) == 1


def test_linked_folders_are_read_and_a_circle_ends(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'a.png').touch()
    folder = tmp_path / 'folder'
    folder.mkdir()
    for name in ('one', 'two'):
        (folder / name).symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere' / 'back').symlink_to(folder)
    (folder / 'self').symlink_to(folder)

    found = [
        path.relative_to(folder) for path in files.list_images(folder, True)
    ]

    assert found == [Path('one/a.png'), Path('two/a.png')]


def test_folders_without_a_picture_are_counted(tmp_path, notes):
    touch(tmp_path, 'cat/a.png', 'dog/a.gif', 'cow/.a.png')
    classes = [(f.name, len(p)) for f, p in files.list_classes(tmp_path)]
    assert classes == [('cat', 1), ('cow', 0), ('dog', 0)]
    assert '2 of 3 folders hold no picture' in notes[-1]
    assert notes[-1].endswith(': cow, dog')


def test_the_log_is_written_without_mmengine_too(caplog, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, 'mmengine.logging', None)
    with caplog.at_level(logging.WARNING, 'mmocc'):
        files.note('two left out')
    assert caplog.messages == ['two left out']


def test_home_is_expanded_and_a_name_with_a_tilde_is_kept(monkeypatch):
    monkeypatch.setenv('HOME', '/home/somebody')
    assert str(files.expand('~/data')) == '/home/somebody/data'
    assert str(files.expand('~nobody-of-this-name/x')).startswith('~nobody')


def test_a_mark_before_the_text_is_not_part_of_it(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes('\ufeffa,é\r\nb\r\n'.encode())
    assert files.read_text(path) == 'a,é\r\nb\r\n'
    with files.open_text(path) as file:
        assert list(csv.reader(file)) == [['a', 'é'], ['b']]
    path.write_bytes('\ufeff{"a": 1}'.encode())
    assert files.read_json(path) == {'a': 1}


@pytest.mark.parametrize(
    ('data', 'told'),
    [
        (b'one\ntwo\ncaf\xe9\n', 'line 3: .*save it as UTF-8'),
        ('a\nb'.encode('utf-16'), 'line 1: .*UTF-16'),
    ],
)
def test_a_text_in_another_encoding_is_named_with_its_line(
    tmp_path, data, told
):
    path = tmp_path / 'a.txt'
    path.write_bytes(data)
    for read in (files.read_text, files.read_json):
        with pytest.raises(ValueError, match=rf'a\.txt, {told}'):
            read(path)


def test_a_key_that_json_has_twice_is_named(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"a": 1, "b": {"c": 1, "c": 2}}')
    assert files.read_json(path)['b'] == {'c': 2}
    with pytest.raises(ValueError, match=r"a\.json.*'c' is in it twice"):
        files.read_json(path, unique=True)
    path.write_text('[1,')
    with pytest.raises(ValueError, match=r'a\.json: not a JSON file'):
        files.read_json(path)


@pytest.mark.parametrize('length', [240, 255])
def test_long_names_are_written_whole(tmp_path, length):
    path = tmp_path / ('é' * 5 + 'x' * (length - 14) + '.png')
    assert len(path.name.encode()) == length
    write_whole(b'1', path)
    assert path.read_bytes() == b'1'
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    folder = tmp_path / ('y' * length)
    make_folder(folder, lambda part: part.mkdir(), lambda _: False)
    assert folder.is_dir()
    with pytest.raises(OSError, match='give it a shorter name'):
        write_whole(b'1', tmp_path / ('x' * 256))


def test_a_cut_name_fits_and_stays_apart_from_others():
    one, two = (files.fit_name('é' * 200 + end, '.tmp') for end in 'ab')
    assert one != two
    for name in (one, two):
        assert len(name.encode()) <= 255 and name.endswith('.tmp')
    assert files.fit_name('short', '.tmp') == 'short.tmp'
