"""KDEF: the contents of names, and splits that share no subject."""

import itertools

import pytest
from tiny_faces import labels, samples, touch_pictures

from mmocc.utils.expressions import FER2013_LABELS, KDEF_CODES

kdef = pytest.importorskip(
    'mmocc.datasets.kdef',
    reason='the data sets of faces need mmpretrain',
    exc_type=ImportError,
)
KDEF, KDEFName, parse_name = kdef.KDEF, kdef.KDEFName, kdef.parse_name
NUMBERS = {name: k + 1 for k, name in FER2013_LABELS.items()}


def all_ids(session='A', numbers=range(1, 36)):
    """Return the names of a session: 70 subjects, 7 expressions, 5 views."""
    parts = itertools.product('FM', numbers, KDEF_CODES, kdef.VIEWS)
    return [f'{session}{s}{n:02d}{code}{view}' for s, n, code, view in parts]


def lacking(names):
    """Leave 7 and 2 names out, as the published list does."""
    test = [name for name in names if int(name[2:4]) <= 7]
    train = [name for name in names if int(name[2:4]) > 7]
    return train[7:], test[2:]


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


def test_a_name_holds_session_subject_expression_and_view():
    name = parse_name('AF01ANFL')
    assert name == KDEFName('A', 'F01', 'Anger', 'FL')
    assert (name.number, str(name)) == (1, 'AF01ANFL')
    # S is from the front: not the S of sad or surprised
    assert parse_name('BM35SAS') == KDEFName('B', 'M35', 'Sadness', 'S')
    name = parse_name('train_align-am10sus')
    assert name == KDEFName('A', 'M10', 'Surprise', 'S')
    for stem in ('AF01XXFL', 'AX01ANFL', 'AF1ANFL', 'a'):
        assert parse_name(stem) is None


def test_the_published_split_has_56_and_14_subjects(published):
    people = {}
    for split, count, subjects in (('train', 1953, 56), ('test', 488, 14)):
        dataset = KDEF(str(published), split)
        people[split] = {sample['subject'] for sample in samples(dataset)}
        assert (len(dataset), len(people[split])) == (count, subjects)
        listed = KDEF(str(published), split, ann_file='label.txt')
        assert labels(listed) == labels(dataset)
    assert not people['train'] & people['test']
    # RAF-DB's order; the list has Anger 1, Fear 3, Surprise 6
    places = [labels(listed)[f'AF03{c}S'] for c in ('AN', 'AF', 'SU', 'NE')]
    assert places == [5, 1, 0, 6]


def test_sessions_and_views_choose(published):
    both = KDEF(str(published), 'test', sessions=('A', 'B'))
    assert len(both) == 488 + 35
    front = samples(KDEF(str(published), 'all', views=['S']))
    assert {s['view'] for s in front} == {'S'}
    assert len(KDEF(str(published), 'all')) == 1953 + 488
    dataset = KDEF(str(published), 'test', test_numbers=[35])
    assert {s['subject'] for s in samples(dataset)} == {'F35', 'M35'}
    assert len(dataset) == 70


def test_any_case_of_name_and_ending_is_found(tmp_path):
    touch_pictures([tmp_path / 'a/af01anfl.jpg', tmp_path / 'AF01HAS.JPG'])
    assert labels(KDEF(str(tmp_path), 'test')) == dict(af01anfl=5, AF01HAS=3)


def test_repeated_and_other_pictures_are_refused(tmp_path):
    touch_pictures([tmp_path / 'a.jpg'])
    with pytest.raises(FileNotFoundError, match='name of KDEF'):
        KDEF(str(tmp_path), 'test')
    touch_pictures([tmp_path / 'a/AF01ANFL.JPG', tmp_path / 'b/AF01ANFL.JPG'])
    with pytest.raises(ValueError, match='are the same picture'):
        KDEF(str(tmp_path), 'test')


def test_faults_of_a_list_are_named(tmp_path):
    touch_pictures([tmp_path / 'AF01ANFL.JPG'])
    write_list(tmp_path / 'label.txt', [], ['AF01ANFL', 'AF02ANFL'])
    with pytest.raises(FileNotFoundError, match=r'1 of 2.*AF02ANFL'):
        KDEF(str(tmp_path), 'test', ann_file='label.txt')
    write_list(tmp_path / 'label.txt', ['AF01ANFL'], ['AF01HAFL'])
    with pytest.raises(ValueError, match='F01 in both train and test'):
        kdef.read_list(tmp_path / 'label.txt')
    # 6 is Anger in RAF-DB's order, but Surprise in FER2013's
    (tmp_path / 'label.txt').write_text('train_align-AF01ANFL.JPG 6\n')
    with pytest.raises(ValueError, match=r'line 1: .*the name means Anger'):
        kdef.read_list(tmp_path / 'label.txt')


def test_unknown_arguments_are_refused(tmp_path):
    for kwargs in (dict(split='val'), dict(sessions='C'), dict(views=['X'])):
        with pytest.raises(ValueError, match='unknown'):
            KDEF(str(tmp_path), **{'split': 'test', **kwargs})
