"""AffectNet in both releases, with seven and eight expressions."""

import numpy as np
import pytest
from tiny_faces import labels, samples, touch_pictures

from mmocc.utils.expressions import EXPRESSIONS, EXPRESSIONS_8

affectnet = pytest.importorskip(
    'mmocc.datasets.affectnet',
    reason='the data sets of faces need mmpretrain',
    exc_type=ImportError,
)
AffectNet = affectnet.AffectNet
# RAF-DB's numbers (and 7 for contempt) of AffectNet's 0 to 7.
PLACES = [6, 3, 4, 0, 1, 2, 5, 7]
HEADER = (
    'subDirectory_filePath,face_x,face_y,face_width,face_height,'
    'facial_landmarks,expression,valence,arousal'
)


@pytest.fixture
def new(tmp_path):
    """The release with numbers for names: picture i shows expression i."""
    folder = tmp_path / 'val_set'
    touch_pictures(folder / f'images/{i}.jpg' for i in range(8))
    (folder / 'annotations').mkdir()
    for i in range(8):
        # as distributed: an array of text without dimensions
        np.save(folder / f'annotations/{i}_exp.npy', np.array(str(i)))
    return tmp_path


def old_row(name, expression, points=68):
    marks = ';'.join(f'{v}' for i in range(points) for v in (10 + i, 20 + i))
    return f'12/{name}.jpg,5,6,100,90,{marks},{expression},0.1,-0.2'


@pytest.fixture
def old(tmp_path):
    """The release with hashes for names: h0 to h10 show 0 to 10."""
    rows = [HEADER, *(old_row(f'h{i}', i) for i in range(8))]
    rows += [f'12/h{i}.jpg,NULL,NULL,NULL,NULL,,{i},-2,-2' for i in (8, 9, 10)]
    (tmp_path / 'validation.csv').write_text('\n'.join(rows) + '\n')
    folder = tmp_path / 'Manually_Annotated_Images/12'
    touch_pictures(folder / f'h{i}.jpg' for i in range(11))
    return tmp_path


@pytest.mark.parametrize(
    ('count', 'classes'), [(7, EXPRESSIONS), (8, EXPRESSIONS_8)]
)
def test_labels_of_the_new_release_are_in_the_order_of_rafdb(
    new, count, classes
):
    dataset = AffectNet(str(new), 'val', num_classes=count)
    assert labels(dataset) == {str(i): PLACES[i] for i in range(count)}
    assert dataset.metainfo['classes'] == classes


def test_missing_and_unknown_labels_are_refused(new):
    path = new / 'val_set/annotations/3_exp.npy'
    np.save(path, np.array('11'))
    with pytest.raises(ValueError, match=r'3_exp.npy: unknown expression 11'):
        AffectNet(str(new), 'val')
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'3_exp.npy: no label of'):
        AffectNet(str(new), 'val')


def test_the_wrong_release_is_refused(new, old):
    with pytest.raises(FileNotFoundError, match="give release='old'"):
        AffectNet(str(old), 'train')
    with pytest.raises(FileNotFoundError, match="give release='new'"):
        AffectNet(str(new), 'train', release='old')


def test_the_old_release_gives_box_and_landmarks(old):
    dataset = AffectNet(str(old), 'val', release='old', num_classes=8)
    assert labels(dataset) == {f'h{i}': PLACES[i] for i in range(8)}
    sample = samples(dataset)[0]
    assert sample['face_box'] == [5, 6, 105, 96]
    # eyes are points 36-41 and 42-47, tip of the nose 30, corners 48 and 54
    assert sample['landmarks'] == [
        [48.5, 58.5], [54.5, 64.5], [40, 50], [58, 68], [64, 74],
    ]  # fmt: skip


def test_the_old_list_may_lack_its_header_but_not_fields(old):
    path = old / 'validation.csv'
    text = path.read_text()
    path.write_text(text.removeprefix(HEADER + '\n'))
    assert len(AffectNet(str(old), 'val', release='old')) == 7
    path.write_text(text + '12/h1.jpg,5,6\n')
    with pytest.raises(ValueError, match=r'line 13: does not parse'):
        AffectNet(str(old), 'val', release='old')


def test_the_names_of_folders_are_affectnets_numbers(tmp_path):
    touch_pictures(tmp_path / f'train/{i}/p{i}.jpg' for i in range(8))
    dataset = AffectNet(str(tmp_path), 'train', release='folders')
    assert labels(dataset) == {f'p{i}': PLACES[i] for i in range(7)}


# -- subsets -----------------------------------------------------------------


def test_all_forms_of_a_line_name_the_picture(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('val/5/h5/\n1/h1.jpg\r\n4/h4/8.jpg\n1/h1.jpg\n')
    faces = {f.stem: f.expression for f in affectnet.read_subset(path)}
    assert faces == dict(h5='Disgust', h1='Happiness', h4='Fear')
    path.write_text('1/h1.jpg\n2/h1/8.jpg\n')
    with pytest.raises(ValueError, match='h1 is listed as Happiness and'):
        affectnet.read_subset(path)
    for line in ('x/h1.jpg', 'h1.jpg', '11/h1.jpg', '5//'):
        path.write_text(f'1/h1.jpg\n{line}\n')
        with pytest.raises(ValueError, match=r'line 2: .* does not parse'):
            affectnet.read_subset(path)


def test_a_subset_leaves_contempt_out_with_seven_classes(old):
    text = 'val/7/h7/\nval/5/h5/\nval/0/h0/\n'
    (old / 'occlusion_affectnet_list.txt').write_text(text)
    kwargs = dict(release='old', subset='occlusion')
    assert labels(AffectNet(str(old), 'val', **kwargs)) == dict(h5=2, h0=6)
    eight = AffectNet(str(old), 'val', num_classes=8, **kwargs)
    assert labels(eight) == dict(h7=7, h5=2, h0=6)


def test_lists_of_other_names_or_expressions_are_refused(new, old):
    (new / 'pose_30_affectnet_list.txt').write_text('5/abcdef.jpg\n')
    with pytest.raises(ValueError, match='names of the old release'):
        AffectNet(str(new), 'val', subset='pose30')
    kwargs = dict(release='old', subset='pose30')
    with pytest.raises(ValueError, match='abcdef; complete the set'):
        AffectNet(str(old), 'val', **kwargs)
    (old / 'pose_30_affectnet_list.txt').write_text('2/h5.jpg\n')
    with pytest.raises(ValueError, match='1 of 1 expressions are not those'):
        AffectNet(str(old), 'val', **kwargs)


def test_unknown_arguments_are_refused(new):
    with pytest.raises(ValueError, match='unknown num_classes 6'):
        AffectNet(str(new), 'val', num_classes=6)
    with pytest.raises(ValueError, match="unknown release 'newest'"):
        AffectNet(str(new), 'val', release='newest')
    with pytest.raises(ValueError, match='part of the val split'):
        AffectNet(str(new), 'train', subset='pose30')
