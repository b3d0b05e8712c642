import os
from pathlib import Path

import numpy as np
import pytest
from cutout_folders import POINTS, save_cutout, write_anchors, write_kinds

from mmocc.occlusion.builtin_cutouts import draw_cutouts
from mmocc.occlusion.cutouts import (
    Cutout,
    load_cutout,
    load_kind,
    load_kinds,
    pick_view,
    read_anchors,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(
    os.environ.get('MMOCC_TRIAL_DATA', ROOT.parent / 'shared' / 'data')
)


def test_the_subfolders_are_the_kinds(tmp_path):
    kinds = load_kinds(write_kinds(tmp_path))
    assert {k: len(v) for k, v in kinds.items()} == dict(cup=1, mask=3)
    assert kinds['cup'][0].anchors is None
    points = np.array(list(POINTS.values()), np.float32)
    assert (kinds['mask'][0].anchors == points).all()
    folders = [str(tmp_path / 'cup'), str(tmp_path / 'mask')]
    assert len(load_kinds(dict(things=folders))['things']) == 4


def test_cutting_and_shrinking_move_the_anchors_with_the_pixels(tmp_path):
    save_cutout(tmp_path / 'x.png', size=(60, 80), margin=10)
    corners = np.array([(10, 10), (90, 70)] * 3, np.float32)
    cutout = load_cutout(tmp_path / 'x.png', corners, side=40)
    assert cutout.pixels.shape == (30, 40, 4)
    assert np.allclose(cutout.anchors, [(0, 0), (40, 30)] * 3)
    # the transparent black lends no colour
    assert (cutout.pixels == (10, 30, 200, 255)).all()


def test_a_list_above_the_folder_serves_and_names_a_missing_mask(tmp_path):
    save_cutout(tmp_path / 'templates/x.png')
    write_anchors(tmp_path / 'masks.cfg', ['x'])
    assert load_kind(tmp_path / 'templates')[0].anchors is not None
    save_cutout(tmp_path / 'templates/other.png')
    with pytest.raises(ValueError, match=r'masks.cfg has no anchors.*other'):
        load_kind(tmp_path / 'templates')


@pytest.mark.parametrize(
    'text, wanted',
    [
        ('[x]\nmask_a: 1, 2\n', 'section x'),
        ('[x]\n' + ''.join(f'mask_{k}: 1\n' for k in 'abcdef'), 'section x'),
        ('[x]\n' + ''.join(f'mask_{k}: a, b\n' for k in 'abcdef'), 'x, y'),
        ('no section', 'no list of anchors'),
    ],
)
def test_a_broken_list_is_named(tmp_path, text, wanted):
    path = tmp_path / 'masks.cfg'
    path.write_text(text)
    with pytest.raises(ValueError, match=wanted) as error:
        read_anchors(path)
    assert str(path) in str(error.value)


def test_a_folder_without_kinds_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        load_kinds(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no kind'):
        load_kinds(tmp_path / 'empty')


@pytest.mark.parametrize(
    'turn, wanted', [(0, 'a'), (-0.3, 'a_left'), (0.3, 'a_right'), (0.1, 'a')]
)
@pytest.mark.parametrize('index', [0, 1, 2])
def test_a_turned_face_gets_the_masks_side_view(turn, wanted, index):
    names = ('a', 'a_left', 'a_right', 'b')
    cutouts = [Cutout(name, None, None) for name in names]
    assert pick_view(cutouts, index, turn).name == wanted
    assert pick_view(cutouts, 3, turn).name == 'b'  # has no other view


def test_masktheface_is_read_as_it_comes():
    root = DATA / 'masktheface_alpha'
    if not root.is_dir():
        pytest.skip(f'{root} is missing')
    cutouts = load_kind(root / 'templates')
    assert len(cutouts) == 21
    assert all(cutout.anchors.shape == (6, 2) for cutout in cutouts)


def test_a_drawn_bank_stands_where_a_folder_does(tmp_path):
    kinds = load_kinds('builtin:test')
    assert list(kinds) == ['hand', 'net', 'ring']
    drawn = draw_cutouts('test')
    assert sum(map(len, kinds.values())) == len(drawn)
    net = kinds['net'][1]
    assert (net.pixels == drawn[4]).all() and net.anchors is None
    save_cutout(tmp_path / 'mine/a.png')
    mixed = dict(any=['builtin:train', str(tmp_path / 'mine')])
    (cutouts,) = load_kinds(mixed).values()
    assert len(cutouts) == len(drawn) + 1
    assert cutouts[0].name == 'blob0' and cutouts[-1].name == 'a'
    with pytest.raises(ValueError, match=r"choose from \['builtin:train'"):
        load_kinds('builtin:tset')
