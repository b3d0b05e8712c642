"""Folders of images with labels by folder, by a table, or none."""

import pytest
from PIL import Image

from mmocc.report.image_folders import (
    NO_LABEL,
    FlatFolder,
    LabelledFiles,
    open_folder,
    read_labels,
)
from mmocc.utils import files


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three pictures, one of them deeper."""
    root = tmp_path / 'pictures'
    (root / 'deep').mkdir(parents=True)
    for name in ('a.png', 'b.png', 'deep/c.png'):
        Image.new('RGB', (4, 4)).save(root / name)
    return root


def write(folder, *lines):
    """Write a table of labels; return its path."""
    path = folder / 'labels.csv'
    path.write_text('\n'.join(lines), encoding='utf-8')
    return path


def test_numbers_are_outputs(folder, monkeypatch):
    notes = []
    monkeypatch.setattr(files, 'note', notes.append)
    path = write(folder, 'path,label,more', 'deep/c.png,7,x', 'a.png,0,y')
    found = open_folder(folder, path)
    assert found.classes is None
    assert found.samples == [
        (str(folder / 'deep/c.png'), 7),
        (str(folder / 'a.png'), 0),
    ]
    (said,) = notes
    assert '1 image(s) that' in said


def test_names_are_classes(folder):
    files = LabelledFiles(folder, {'a.png': 'tench', 'b.png': 'crane'})
    assert files.classes == ['crane', 'tench']
    assert [label for _, label in files.samples] == [1, 0]
    mixed = LabelledFiles(folder, {'a.png': 'tench', 'b.png': 3})
    assert mixed.classes == ['3', 'tench']


def test_paths_may_be_below_the_folder_of_the_table(folder, tmp_path):
    path = write(tmp_path, 'path,label', 'pictures/a.png,1')
    assert LabelledFiles(folder, path).samples == [(str(folder / 'a.png'), 1)]


def test_without_a_table(folder):
    (folder / 'deep/c.png').unlink()
    files = open_folder(folder)
    assert isinstance(files, FlatFolder) and len(files) == 2
    assert {label for _, label in files.samples} == {NO_LABEL}


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['file,label', 'a.png,1'], 'no column path; its first line'),
        (['a.png,1'], 'no column path and label'),
        (['path,label', 'a.png,'], 'line 2: path or label is empty'),
        (['path,label', 'a.png,1', 'a.png,1'], 'line 3: a.png is in it twice'),
        (['path,label'], 'names no image'),
        ([''], 'no column path and label'),
    ],
)
def test_a_bad_table_is_named(folder, lines, message):
    with pytest.raises(ValueError, match=message):
        LabelledFiles(folder, write(folder, *lines))


def test_missing_files_are_named(folder):
    with pytest.raises(FileNotFoundError, match='1 of 2 images do not exist'):
        LabelledFiles(folder, {'a.png': 0, 'gone.png': 1})
    with pytest.raises(FileNotFoundError):
        read_labels(folder / 'gone.csv')
