"""The cartoon faces: what their tables say is in the pictures."""

import csv
import json
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from data_tools import run_here, tree

from mmocc.synthetic.cartoon_faces import FaceSettings, is_current, write_faces
from mmocc.synthetic.cartoon_faces.canvas import Canvas, Pose
from mmocc.synthetic.cartoon_faces.face import draw_face, place_landmarks
from mmocc.synthetic.cartoon_faces.occluders import (
    TEST_KINDS,
    TRAIN_KINDS,
    draw_occluder,
)
from mmocc.synthetic.cartoon_faces.person import (
    PROTOTYPES,
    Muscles,
    draw_subject,
    rest_face,
    show_expression,
)
from mmocc.utils.expressions import EXPRESSIONS

SMALL = FaceSettings(
    seed=3, size=48, train=21, val=7, test=14, per_subject=7, occluders=2
)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp('cartoon') / 'faces'
    return out, write_faces(out, SMALL)


def rows(folder, split):
    with (folder / split / 'labels.csv').open(newline='') as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    small, tmp_path
):
    again, other = tmp_path / 'again', tmp_path / 'other'
    write_faces(again, SMALL)
    write_faces(other, replace(SMALL, seed=4))
    first = tree(small[0])
    assert tree(again) == first
    changed = tree(other)
    assert changed.keys() == first.keys()
    pictures = [name for name in first if name.endswith('.png')]
    assert all(changed[name] != first[name] for name in pictures)
    assert is_current(again, SMALL)
    assert not is_current(again, replace(SMALL, seed=9))
    (again / 'train/00000.png').unlink()  # damaged
    assert not is_current(again, SMALL)


def test_splits_are_balanced_and_share_nobody(small):
    out, manifest = small
    people = []
    for split, count in (('train', 21), ('val', 7), ('test', 14)):
        table = rows(out, split)
        assert len(table) == count
        counts = Counter(row['expression'] for row in table)
        assert counts == dict.fromkeys(EXPRESSIONS, count // 7)
        people.append({row['subject'] for row in table})
        assert manifest['counts'][split] == dict(
            pictures=count, subjects=count // 7
        )
        for row in table:
            image = cv2.imread(str(out / split / row['path']))
            assert image.shape == (48, 48, 3)
    assert len(set.union(*people)) == sum(map(len, people))


def test_occluders_are_of_other_kinds_in_the_test_and_have_soft_edges(small):
    folder = small[0] / 'occluders'
    for use, kinds in (('train', TRAIN_KINDS), ('test', TEST_KINDS)):
        assert {p.name for p in (folder / use).iterdir()} == set(kinds)
    assert not set(TRAIN_KINDS) & set(TEST_KINDS)
    for path in folder.rglob('*.png'):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image.shape[2] == 4
        assert max(image.shape[:2]) == SMALL.occluder_size
        alpha = image[..., 3]
        assert (alpha > 250).mean() > 0.15
        assert ((alpha > 20) & (alpha < 235)).any()
    # Half-covered pixels have the full colour.
    image = draw_occluder('phone', 96, np.random.default_rng(0)).image
    edge = (image[..., 3] > 60) & (image[..., 3] < 200)
    inner = image[..., 3] == 255
    rim = cv2.dilate(edge.astype(np.uint8), np.ones((3, 3))) > 0
    full = image[rim & inner][:, :3].mean()
    assert abs(image[edge][:, :3].mean() - full) < 0.2 * full


def test_worn_occluders_have_six_anchor_points(small):
    out, _ = small
    kinds = {p.parent.name for p in out.rglob('masks.cfg')}
    assert kinds == {'scarf', 'medical_mask', 'sunglasses'}
    text = (out / 'occluders/test/medical_mask/masks.cfg').read_text()
    assert text.startswith('[000]\nmask_a: ')
    assert text.count('mask_') == 6 * SMALL.occluders
    # The anchors of a mask are on its rim.
    occluder = draw_occluder('medical_mask', 96, np.random.default_rng(0))
    alpha = np.pad(occluder.image[..., 3], 5)
    a, b, c, d, e, f = occluder.anchors
    assert a[0] < b[0] < c[0] and d[0] < e[0] < f[0]
    assert b[1] < a[1] < d[1] < e[1]
    for x, y in occluder.anchors + 5:
        near = alpha[int(y) - 5 : int(y) + 6, int(x) - 5 : int(x) + 6]
        assert near.max() == 255
        assert near.min() == 0


def test_expressions_pull_as_their_names_say():
    def mean(name):
        return np.mean(PROTOTYPES[name], axis=0)

    names = Muscles._fields
    brow, corner = names.index('brow_inner'), names.index('corner')
    jaw, lid = names.index('jaw'), names.index('lid_upper')
    assert mean('Surprise')[jaw] > 0.2 < mean('Surprise')[lid]
    assert mean('Happiness')[corner] > 0.1 > 0 > mean('Sadness')[corner]
    assert mean('Sadness')[brow] > 0.1 > -0.1 > mean('Anger')[brow]
    assert not mean('Neutral').any()


def test_a_weak_expression_is_nearer_to_rest():
    rngs = map(np.random.default_rng, range(200))
    results = [show_expression('Anger', np.zeros(13), rng) for rng in rngs]
    pulls, strengths = zip(*results, strict=True)
    assert 0.5 <= min(strengths) < 0.6 < 0.9 < max(strengths) <= 1
    brows = [-pull.brow_inner for pull in pulls]
    assert np.corrcoef(strengths, brows)[0, 1] > 0.5
    rest = np.zeros(13)
    rest[5] = 0.3  # a person's rest moves all its pictures
    rngs = map(np.random.default_rng, range(50))
    corners = [show_expression('Neutral', rest, r)[0].corner for r in rngs]
    assert np.mean(corners) == pytest.approx(0.3, abs=0.02)
    assert rest_face(np.random.default_rng(0))[7:].tolist() == [0] * 6


def test_a_landmark_moves_with_the_pose():
    who = draw_subject(np.random.default_rng(0))
    blank = np.zeros((64, 64, 3), np.uint8)

    def points(**pose):
        pose = Pose(**{**dict(yaw=0, pitch=0, roll=0, scale=20, x=32, y=34),
                       **pose})  # fmt: skip
        canvas = Canvas(blank, pose, who.width, who.height)
        return place_landmarks(canvas, who, Muscles())

    front = points()
    # symmetric, left before right, with the person's lengths
    assert front[0, 0] + front[1, 0] == pytest.approx(64)
    assert front[1, 0] - front[0, 0] == pytest.approx(40 * who.eye_gap)
    assert front[2].tolist() == pytest.approx([32, 34 + 20 * who.nose_tip])
    assert (front[3:, 1] > front[2, 1]).all()
    # turned to the picture's right, the nose moves further than the eyes
    moved = points(yaw=0.3) - front
    assert moved[2, 0] > moved[:2, 0].max() > 0
    # rolled by 90 degrees clockwise, the right eye is below
    rolled = points(roll=np.pi / 2)
    assert rolled[1].tolist() == pytest.approx(
        [32 - (front[1, 1] - 34), 34 + front[1, 0] - 32]
    )


def test_eyes_are_drawn_where_the_landmarks_are():
    # pupils are the darkest pixels near an eye of a wide-eyed face
    hits = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        who = replace(draw_subject(rng), glasses='', skin=(232, 186, 145))
        face = draw_face(who, 'Surprise', 96, rng)
        grey = cv2.GaussianBlur(face.image.mean(2), (0, 0), 1)
        for x, y in face.landmarks[:2]:
            top, left = int(y) - 5, int(x) - 6
            part = grey[top : top + 11, left : left + 13]
            py, px = np.unravel_index(part.argmin(), part.shape)
            hits += np.hypot(left + px - x, top + py - y) < 5.5
    assert hits >= 21  # of 24; a look to the side moves a pupil


def test_a_mouth_is_drawn_between_its_corners():
    who = replace(
        draw_subject(np.random.default_rng(0)),
        skin=(232, 186, 145), lip=(150, 40, 50), beard=0,
    )  # fmt: skip
    differences = []
    for seed in range(10):
        face = draw_face(who, 'Neutral', 96, np.random.default_rng(seed))
        x, y = face.landmarks[3:].mean(axis=0).round().astype(int)
        pixels = face.image.astype(float)
        redness = pixels[..., 0] / (pixels.sum(2) + 1)
        lips = redness[y - 2 : y + 3, x - 3 : x + 4].mean()
        chin = redness[y + 10 : y + 14, x - 3 : x + 4].mean()
        differences.append(lips - chin)
    assert min(differences) > 0.02


@pytest.mark.parametrize(
    'bad', [dict(size=31), dict(train=-1), dict(per_subject=0), dict(seed=-1)]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=f'{next(iter(bad))} is'):
        FaceSettings(**bad)


def test_the_tool_makes_faces_once_and_refuses_other_folders(tmp_path):
    flags = ['--train', 7, '--val', 0, '--test', 7, '--occluders', 1]
    command = ('make_faces', '--out', tmp_path / 'f', *flags)
    status, output, _ = run_here(*command)
    assert status == 0
    assert 'occluders/test: book, leaf' in output
    manifest = json.loads((tmp_path / 'f/manifest.json').read_text())
    assert manifest['counts']['val'] == dict(pictures=0, subjects=0)
    assert 'already holds' in run_here(*command)[1]
    (tmp_path / 'f/manifest.json').write_text('{}')
    status, _, errors = run_here(*command)
    assert status == 1 and 'was not made by this tool' in errors
    assert (tmp_path / 'f/manifest.json').read_text() == '{}'
    status, _, errors = run_here(*command, '--size', 8)
    assert (status, errors) == (1, 'make_faces: size is 8; use 32 or more\n')
