"""Faces in folders and tables: labels, and what is refused."""

import pytest
from mmengine.registry import DATASETS as ROOT_DATASETS
from tiny_faces import labels, samples, touch_pictures, write_picture

from mmocc.registry import DATASETS
from mmocc.utils.expressions import (
    AFFECTNET_LABELS,
    EXPRESSIONS,
    EXPRESSIONS_8,
    FEDRO_FOLDERS,
    FER2013_LABELS,
    KDEF_CODES,
    RAFDB_LABELS,
)

face_folder = pytest.importorskip(
    'mmocc.datasets.face_folder',
    reason='the data sets of faces need mmpretrain',
    exc_type=ImportError,
)
FaceFolder = face_folder.FaceFolder
WORDS = dict(angry='Anger', happy='Happiness')


def table(folder, *lines, header='path,expression', name='labels.csv'):
    """Write a table, and an empty file for each picture it names."""
    text = '\n'.join([header, *lines]) + '\n'
    (folder / name).write_text(text)
    touch_pictures(folder / line.split(',')[0] for line in lines)
    return folder


def test_affectnet_numbers_go_to_rafdb_numbers():
    # in the literature, AffectNet's 0 to 6 are RAF-DB's 6 3 4 0 1 2 5
    places = [EXPRESSIONS.index(AFFECTNET_LABELS[i]) for i in range(7)]
    assert places == [6, 3, 4, 0, 1, 2, 5]
    assert AFFECTNET_LABELS[7] == EXPRESSIONS_8[7] == 'Contempt'


def test_every_set_has_words_for_all_seven_expressions():
    for words in (RAFDB_LABELS, FER2013_LABELS, KDEF_CODES, FEDRO_FOLDERS):
        assert set(words.values()) == set(EXPRESSIONS)


# -- folders -----------------------------------------------------------------


def test_class_folders_get_labels_by_the_map_in_the_order_of_rafdb(tmp_path):
    write_picture(tmp_path / 'angry/a.jpg')
    write_picture(tmp_path / 'happy/b.PNG')
    dataset = FaceFolder(str(tmp_path), class_map=WORDS)
    assert labels(dataset) == {'a': 5, 'b': 3}
    assert dataset.metainfo['classes'] == EXPRESSIONS
    classes = ('Anger', 'Happiness')
    dataset = FaceFolder(str(tmp_path), class_map=WORDS, classes=classes)
    assert labels(dataset) == {'a': 0, 'b': 1}


def test_unknown_folders_and_classes_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no folder of a class'):
        FaceFolder(str(tmp_path), class_map=WORDS)
    write_picture(tmp_path / 'angry/a.jpg')
    with pytest.raises(ValueError, match='class_map gives anger'):
        FaceFolder(str(tmp_path), class_map=dict(angry='anger'))
    write_picture(tmp_path / 'bored/b.jpg')
    with pytest.raises(ValueError, match="bored: unknown expression 'bored'"):
        FaceFolder(str(tmp_path), class_map=WORDS)


def test_pictures_with_different_endings_are_two(tmp_path):
    write_picture(tmp_path / 'Anger/a.jpg')
    write_picture(tmp_path / 'Anger/a.png')
    paths = [s['img_path'] for s in samples(FaceFolder(str(tmp_path)))]
    assert paths == [str(tmp_path / f'Anger/a.{x}') for x in ('jpg', 'png')]


# -- tables ------------------------------------------------------------------


def test_the_paths_of_a_table_are_relative_to_its_folder(tmp_path):
    (tmp_path / 'train').mkdir()
    table(tmp_path / 'train', 'x/a.jpg,Fear', 'b.jpg,Neutral')
    # an ending in the other case is found
    (tmp_path / 'train/b.jpg').rename(tmp_path / 'train/b.JPG')
    dataset = FaceFolder(str(tmp_path), ann_file='train/labels.csv')
    assert [s['img_path'] for s in samples(dataset)] == [
        str(tmp_path / 'train/x/a.jpg'),
        str(tmp_path / 'train/b.JPG'),
    ]
    assert labels(dataset) == {'a': 1, 'b': 6}


def test_a_table_gives_subject_and_landmarks(tmp_path):
    points = 'x0,y0,x1,y1,x2,y2,x3,y3,x4,y4'
    row = 'a.jpg,Fear,anna,' + ','.join(f'{i}.5' for i in range(10))
    table(tmp_path, row, header=f'path,expression,subject,{points}')
    (sample,) = samples(FaceFolder(str(tmp_path), ann_file='labels.csv'))
    assert sample['subject'] == 'anna'
    assert sample['landmarks'] == [
        [0.5, 1.5], [2.5, 3.5], [4.5, 5.5], [6.5, 7.5], [8.5, 9.5],
    ]  # fmt: skip


@pytest.fixture
def log(monkeypatch):
    """Return the lines of the log."""
    lines = []
    monkeypatch.setattr(
        'mmocc.datasets.face_dataset.print_log',
        lambda text, **_: lines.append(text),
    )
    return lines


def test_an_expression_mapped_to_none_is_left_out_and_counted(tmp_path, log):
    table(tmp_path, 'a.jpg,0', 'b.jpg,7', header='path,emotion')
    dataset = FaceFolder(
        str(tmp_path),
        ann_file='labels.csv',
        label_column='emotion',
        class_map={'0': 'Anger', '7': None},
    )
    assert labels(dataset) == {'a': 5}
    assert '1 faces: Surprise 0, ' in log[0] and 'Anger 1' in log[0]
    assert log[0].endswith(f'1 of other classes left out ({tmp_path}/b.jpg)')


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['a.jpg,Fear', 'b.jpg,fear'], r"csv, line 3: .* 'fear'"),
        (['a.jpg,Fear', 'b.jpg'], 'line 3: 1 fields'),
        (['a.jpg,Fear', 'a.jpg,Anger'], r'a\.jpg is listed as Fear and'),
        (['a.jpg,0'], 'in different orders.*class_map='),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    table(tmp_path, *lines)
    with pytest.raises(ValueError, match=message):
        FaceFolder(str(tmp_path), ann_file='labels.csv')


def test_a_missing_column_or_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such table'):
        FaceFolder(str(tmp_path), ann_file='labels.csv')
    table(tmp_path, 'a.jpg,Fear', header='file,expression')
    with pytest.raises(ValueError, match='no column path; it has file'):
        FaceFolder(str(tmp_path), ann_file='labels.csv')


def test_missing_pictures_are_named_and_counted(tmp_path, log):
    table(tmp_path, 'a.jpg,Fear', 'b.jpg,Fear')
    (tmp_path / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 2 pictures.*/b.jpg;'):
        FaceFolder(str(tmp_path), ann_file='labels.csv')
    dataset = FaceFolder(
        str(tmp_path), ann_file='labels.csv', allow_missing=True
    )
    assert labels(dataset) == {'a': 1}
    assert f'1 missing left out ({tmp_path}/b.jpg)' in log[0]


def test_a_repeated_picture_counts_once_and_is_named(tmp_path, log):
    table(tmp_path, 'a.jpg,Fear', 'b.jpg,Anger', 'a.jpg,Fear')
    dataset = FaceFolder(str(tmp_path), ann_file='labels.csv')
    assert labels(dataset) == {'a': 1, 'b': 5}
    assert f'1 repeated left out ({tmp_path}/a.jpg)' in log[0]
    table(tmp_path, 'a.jpg,other')
    with pytest.raises(ValueError, match=r'no picture is left. 1 of other'):
        FaceFolder(
            str(tmp_path), ann_file='labels.csv', class_map=dict(other=None)
        )


# -- subjects ----------------------------------------------------------------


def split_by_subject(root, subjects, pattern=r'(.+)_\d+$'):
    dataset = FaceFolder(
        str(root),
        ann_file='labels.csv',
        subjects=subjects,
        subject_pattern=pattern,
    )
    return {s['subject'] for s in samples(dataset)}, len(dataset)


def test_parts_of_the_subjects_share_nobody_and_lose_nobody(tmp_path):
    rows = [f'p{i % 40}_{i}.jpg,Fear' for i in range(120)]
    table(tmp_path, *rows)
    train, many = split_by_subject(tmp_path, (0, 0.7))
    test, few = split_by_subject(tmp_path, (0.7, 1))
    assert not train & test
    assert len(train | test) == 40
    assert (many, few) == (3 * len(train), 3 * len(test))
    assert 20 <= len(train) <= 36  # 28 are expected


def test_unknown_subjects_and_wrong_parts_are_refused(tmp_path):
    table(tmp_path, 'nobody.jpg,Fear')
    with pytest.raises(ValueError, match=r'nobody\.jpg does not tell'):
        split_by_subject(tmp_path, (0, 1))
    for subjects in ((0.5, 0.5), (0, 1.5), (0.8, 0.2)):
        with pytest.raises(ValueError, match='must be a part of 0 to 1'):
            FaceFolder(str(tmp_path), subjects=subjects)


def test_sets_of_different_orders_cannot_be_joined(tmp_path):
    write_picture(tmp_path / 'Anger/a.jpg')
    one = dict(type='mmocc.FaceFolder', data_root=str(tmp_path))
    other = dict(one, classes=EXPRESSIONS[::-1])
    joined = dict(type='ConcatDataset', datasets=[one, one])
    assert len(ROOT_DATASETS.build(joined)) == 2
    joined['datasets'] = [one, other]
    with pytest.raises(ValueError, match='meta information'):
        ROOT_DATASETS.build(joined)


def test_fedro_reads_its_folders_with_their_spelling(tmp_path):
    for i, name in enumerate(FEDRO_FOLDERS):
        write_picture(tmp_path / name / f'occ_img_{i}.jpg')
    dataset = DATASETS.build(dict(type='mmocc.FEDRO', data_root=str(tmp_path)))
    assert [s['gt_label'] for s in samples(dataset)] == [
        5, 2, 1, 3, 6, 4, 0,  # anger disgust fear happy neural sad surprise
    ]  # fmt: skip
