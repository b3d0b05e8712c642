"""RAF-DB in its layouts, and the lists of its occluded and turned faces."""

import pytest
from tiny_faces import labels, samples, touch_pictures

rafdb = pytest.importorskip(
    'mmocc.datasets.rafdb',
    reason='the data sets of faces need mmpretrain',
    exc_type=ImportError,
)
RAFDB = rafdb.RAFDB
# Of each label in the list of Occlusion-RAF-DB, and of each kind.
OCCLUDED = (72, 35, 47, 236, 122, 31, 192)
KINDS = (156, 141, 140, 298)


def write_official(root, test, train=3):
    """Write the official layout; test pictures have labels 1 to 7 in turn."""
    names = [f'test_{i:04d}' for i in range(1, test + 1)]
    names += [f'train_{i:05d}' for i in range(1, train + 1)]
    lines = [f'{name}.jpg {i % 7 + 1}' for i, name in enumerate(names)]
    (root / 'EmoLabel').mkdir(parents=True)
    path = root / 'EmoLabel/list_patition_label.txt'
    path.write_text('\n'.join(lines) + '\n')
    aligned = root / 'Image/aligned'
    touch_pictures(aligned / f'{name}_aligned.jpg' for name in names)
    return root


@pytest.fixture
def official(tmp_path):
    return write_official(tmp_path / 'raf-basic', 9)


def test_the_official_list_gives_split_and_label(official):
    assert labels(RAFDB(str(official), 'test')) == {
        f'test_{i:04d}_aligned': (i - 1) % 7 for i in range(1, 10)
    }
    # 9 test lines come before: places 9 to 11 are labels 2 to 4
    assert labels(RAFDB(str(official), 'train')) == {
        'train_00001_aligned': 2,
        'train_00002_aligned': 3,
        'train_00003_aligned': 4,
    }


def test_the_folder_above_and_whole_photos_work_too(official):
    assert len(RAFDB(str(official.parent), 'test')) == 9
    touch_pictures(
        official / f'Image/original/train_{i:05d}.jpg' for i in (1, 2, 3)
    )
    dataset = RAFDB(str(official), 'train', image='original')
    assert set(labels(dataset)) == {f'train_{i:05d}' for i in (1, 2, 3)}


def test_the_layout_of_class_folders_counts_from_one(tmp_path):
    touch_pictures(
        tmp_path / f'DATASET/test/{k}/test_{k}_aligned.jpg'
        for k in range(1, 8)
    )
    dataset = RAFDB(str(tmp_path), 'test')
    assert labels(dataset) == {f'test_{k}_aligned': k - 1 for k in range(1, 8)}


def test_faults_are_named(official, tmp_path):
    path = official / 'EmoLabel/list_patition_label.txt'
    text = path.read_text()
    path.write_text(text + 'test_0001.jpg 8\n')
    with pytest.raises(ValueError, match=r'line 13: .*unknown expression 8'):
        RAFDB(str(official), 'test')
    path.write_text(text)
    with pytest.raises(FileNotFoundError, match='list_patition_label'):
        RAFDB(str(tmp_path / 'nothing'), 'test')
    with pytest.raises(ValueError, match="split 'val'"):
        RAFDB(str(official), 'val')
    (official / 'Image/aligned/test_0004_aligned.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 9.*test_0004_aligned'):
        RAFDB(str(official), 'test')


# -- subsets -----------------------------------------------------------------


def occlusion_lines():
    """Return the 735 lines of a list with the counts of the public one."""
    wanted = [label for label, n in enumerate(OCCLUDED) for _ in range(n)]
    kinds = [kind + 1 for kind, n in enumerate(KINDS) for _ in range(n)]
    # test picture i has label (i - 1) % 7, so label k is at 1 + k + 7 j
    used = [0] * 7
    lines = []
    for label, kind in zip(wanted, kinds, strict=True):
        number = 1 + label + 7 * used[label]
        used[label] += 1
        lines.append(f'test_{number:04d}_aligned {label} {kind}')
    lines[-1] = lines[-2]  # 735 lines, 734 pictures
    lines[40] += '\r'
    return lines


def test_the_occlusion_list_has_734_pictures_in_735_lines(tmp_path):
    write_official(tmp_path, 7 * 240)
    path = tmp_path / 'rafdb_occlusion_list.txt'
    path.write_bytes(('\n'.join(occlusion_lines()) + '\n').encode())
    assert len(rafdb.read_subset(path)) == 735
    dataset = RAFDB(str(tmp_path), 'test', subset='occlusion')
    assert len(dataset) == 734
    rows = samples(dataset)
    counts = [sum(s['gt_label'] == k for s in rows) for k in range(7)]
    assert counts == [*OCCLUDED[:6], OCCLUDED[6] - 1]
    assert rows[0]['occlusion_type'] == 1
    assert rows[-1]['occlusion_type'] == 4


@pytest.mark.parametrize(
    ('subset', 'name'),
    [('pose30', 'val_raf_db_list.txt'), ('pose45', 'val_raf_db_list_45.txt')],
)
def test_pose_lists_choose_from_the_test_split(official, subset, name):
    text = '2/test_0003_aligned.jpg\n0/test_0001_aligned.jpg\n'
    (official / name).write_text(text)
    dataset = RAFDB(str(official), 'test', subset=subset)
    wanted = [('test_0003_aligned', 2), ('test_0001_aligned', 0)]
    assert list(labels(dataset).items()) == wanted


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (
            'test_0003_aligned 3 1\ntest_0001_aligned 0 1\n',
            '1 of 2 .*Happi',
        ),
        ('test_9999_aligned 3 1\n', 'not in the split .*: test_9999; is it'),
        ('1247 7\n3\n', 'line 1: .* does not parse'),  # labels, not a list
    ],
)
def test_a_list_that_does_not_fit_is_refused(official, lines, message):
    (official / 'mine.txt').write_text(lines)
    kwargs = dict(subset='occlusion', subset_file='mine.txt')
    with pytest.raises(ValueError, match=message):
        RAFDB(str(official), 'test', **kwargs)


def test_subsets_are_parts_of_the_test_split(official):
    with pytest.raises(ValueError, match='part of the test split'):
        RAFDB(str(official), 'train', subset='occlusion')
    with pytest.raises(ValueError, match="unknown subset 'masks'"):
        RAFDB(str(official), 'test', subset='masks')
