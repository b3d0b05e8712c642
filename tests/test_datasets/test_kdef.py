"""KDEF: what names tell, and splits that share no subject."""

import itertools

import pytest
from tiny_faces import labels, samples, touch_pictures

from mmocc.datasets.faces.kdef import VIEWS, KDEFName, parse_name, read_list
from mmocc.utils.expressions import FER2013_LABELS, KDEF_CODES

kdef = pytest.importorskip(
    'mmocc.datasets.kdef',
    reason='the data sets of faces need mmpretrain',
    exc_type=ImportError,
)
KDEF = kdef.KDEF
NUMBERS = {name: k + 1 for k, name in FER2013_LABELS.items()}


def all_ids(session='A', numbers=range(1, 36)):
    """Return the names of a session: 70 subjects, 7 expressions, 5 views."""
    parts = itertools.product('FM', numbers, KDEF_CODES, VIEWS)
    return [f'{session}{s}{n:02d}{code}{view}' for s, n, code, view in parts]


def lacking(names, train=7, test=2):
    """Leave some names out: as the published list does, 7 and 2."""
    is_test = [int(name[2:4]) <= 7 for name in names]
    left = dict.fromkeys((False, True))
    left[False] = [n for n, t in zip(names, is_test, strict=True) if not t]
    left[True] = [n for n, t in zip(names, is_test, strict=True) if t]
    return left[False][train:], left[True][test:]


def write_list(path, train, test):
    lines = [
        f'{split}_align-{name}.JPG {NUMBERS[KDEF_CODES[name[4:6]]]}'
        for split, names in (('train', train), ('test', test))
        for name in names
    ]
    path.write_text('\n'.join(lines) + '\n')


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    """Pictures and list with the counts of the published ones."""
    root = tmp_path_factory.mktemp('kdef')
    train, test = lacking(all_ids())
    touch_pictures(root / f'{n[:4]}/{n}.JPG' for n in [*train, *test])
    touch_pictures(root / f'BF01/{n}.JPG' for n in all_ids('B', [1])[:35])
    write_list(root / 'label.txt', train, test)
    return root


def test_a_name_tells_all():
    name = parse_name('AF01ANFL')
    assert name == KDEFName('A', 'F01', 'Anger', 'FL')
    assert (name.number, str(name)) == (1, 'AF01ANFL')
    # S is from the front: not the S of sad or surprised
    assert parse_name('BM35SAS') == KDEFName('B', 'M35', 'Sadness', 'S')
    assert parse_name('train_align-am10sus') == KDEFName(
        'A', 'M10', 'Surprise', 'S'
    )


@pytest.mark.parametrize('stem', ['AF01XXFL', 'AX01ANFL', 'AF1ANFL', 'a'])
def test_other_names_tell_nothing(stem):
    assert parse_name(stem) is None


def test_the_split_by_subjects_has_56_and_14_of_them(published):
    parts = {s: samples(KDEF(str(published), s)) for s in ('train', 'test')}
    subjects = {s: {x['subject'] for x in found} for s, found in parts.items()}
    assert {s: len(found) for s, found in parts.items()} == dict(
        train=1953, test=488
    )
    assert {s: len(found) for s, found in subjects.items()} == dict(
        train=56, test=14
    )
    assert not subjects['train'] & subjects['test']


@pytest.mark.parametrize(('split', 'count'), [('train', 1953), ('test', 488)])
def test_the_list_gives_the_same_split(published, split, count):
    listed = KDEF(str(published), split, ann_file='label.txt')
    assert len(listed) == count
    assert labels(listed) == labels(KDEF(str(published), split))


def test_labels_are_in_the_order_of_rafdb_not_of_the_list(published):
    found = labels(KDEF(str(published), 'test', ann_file='label.txt'))
    # the list has Anger 1, Fear 3, Surprise 6
    assert [found[f'AF03{code}S'] for code in ('AN', 'AF', 'SU', 'NE')] == [
        5, 1, 0, 6,
    ]  # fmt: skip


def test_sessions_and_views_choose(published):
    both = KDEF(str(published), 'test', sessions=('A', 'B'))
    assert len(both) == 488 + 35
    front = samples(KDEF(str(published), 'all', views=['S']))
    assert {s['view'] for s in front} == {'S'}
    assert len(KDEF(str(published), 'all')) == 1953 + 488


def test_other_numbers_for_the_test(published):
    dataset = KDEF(str(published), 'test', test_numbers=[35])
    assert {s['subject'] for s in samples(dataset)} == {'F35', 'M35'}
    assert len(dataset) == 70


def test_any_case_of_name_and_ending_is_found(tmp_path):
    touch_pictures([tmp_path / 'a/af01anfl.jpg', tmp_path / 'AF01HAS.JPG'])
    assert labels(KDEF(str(tmp_path), 'test')) == dict(af01anfl=5, AF01HAS=3)


def test_a_picture_that_is_there_twice_is_refused(tmp_path):
    touch_pictures([tmp_path / 'a/AF01ANFL.JPG', tmp_path / 'b/AF01ANFL.JPG'])
    with pytest.raises(ValueError, match='are the same picture'):
        KDEF(str(tmp_path), 'test')


def test_a_folder_of_other_pictures_is_refused(tmp_path):
    touch_pictures([tmp_path / 'a.jpg'])
    with pytest.raises(FileNotFoundError, match='name of KDEF'):
        KDEF(str(tmp_path), 'test')


def test_a_picture_that_only_the_list_has_is_missing(tmp_path):
    touch_pictures([tmp_path / 'AF01ANFL.JPG'])
    write_list(tmp_path / 'label.txt', [], ['AF01ANFL', 'AF02ANFL'])
    with pytest.raises(FileNotFoundError, match=r'1 of 2.*AF02ANFL'):
        KDEF(str(tmp_path), 'test', ann_file='label.txt')


def test_a_subject_in_both_splits_is_refused(tmp_path):
    write_list(tmp_path / 'label.txt', ['AF01ANFL'], ['AF01HAFL'])
    with pytest.raises(ValueError, match='F01 in both train and test'):
        read_list(tmp_path / 'label.txt')


def test_a_label_in_another_order_is_refused(tmp_path):
    # 6 is Anger in RAF-DB's order, but Surprise in FER2013's
    (tmp_path / 'label.txt').write_text('train_align-AF01ANFL.JPG 6\n')
    with pytest.raises(ValueError, match=r'line 1: .*the name tells Anger'):
        read_list(tmp_path / 'label.txt')


def test_arguments_that_do_not_exist_are_refused(tmp_path):
    for kwargs in (dict(split='val'), dict(sessions='C'), dict(views=['X'])):
        with pytest.raises(ValueError, match='unknown'):
            KDEF(str(tmp_path), **{'split': 'test', **kwargs})
