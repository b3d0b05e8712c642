"""Ornament pages: the dictionary, places on a page, the same bytes."""

import hashlib
import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from anomaly_layouts import PAGES
from data_tools import run_here, tree

from mmocc.datasets.voc_layout import parse_voc_xml
from mmocc.synthetic.ornaments import write_ornaments
from mmocc.synthetic.ornaments.dictionary import make_dictionary
from mmocc.synthetic.ornaments.glyphs import (
    INK,
    ORIENTATIONS,
    Glyph,
    crop_ink,
    detail,
    differing_turns,
    draw_glyph,
    drop_alike,
    find_font,
    list_codes,
    thumbnails,
    turn,
)
from mmocc.synthetic.ornaments.page import (
    OUTSIDE,
    choose_glyphs,
    draw_page,
    place,
    print_page,
    scan,
)

SMALL = replace(
    PAGES, classes=6, train=5, val=2, test=6, objects=6.0, glyph_size=(16, 40),
    gap=2,
)  # fmt: skip
FLAGS = [
    '--page=160', '--classes=6', '--outside-classes=3', '--train=5', '--val=2',
    '--test=6', '--objects=6', '--glyph-size', '16', '40', '--gap=2',
    '--fonts', 'DejaVuSerif.ttf',
]  # fmt: skip


@pytest.fixture(scope='module')
def dictionary():
    return make_dictionary(SMALL)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp('ornaments') / 'pages'
    return out, write_ornaments(SMALL, out)


def glyph_of(ink):
    return Glyph(find_font('DejaVuSans.ttf'), 65, ink)


def blobs(shape=(40, 40), num=6, seed=0):
    """Return a picture with a shape that has no symmetry."""
    rng = np.random.default_rng(seed)
    ink = np.zeros(shape, np.uint8)
    for x, y, r in rng.integers((0, 0, 2), (shape[1], shape[0], 9), (num, 3)):
        cv2.circle(ink, (int(x), int(y)), int(r), 255, -1)
    return crop_ink(ink)


def test_pictures_turn_counter_clockwise_after_mirroring_and_are_tight():
    ink = np.array([[1, 2], [3, 4], [5, 6]], np.uint8)
    views = dict(zip(ORIENTATIONS, turn(ink), strict=True))
    assert views['r90'].tolist() == [[2, 4, 6], [1, 3, 5]]
    assert views['m'].tolist() == [[2, 1], [4, 3], [6, 5]]
    assert views['mr180'].tolist() == [[5, 6], [3, 4], [1, 2]]
    ink = np.zeros((9, 9), np.uint8)
    ink[2:5, 3:8] = INK
    ink[0, 0] = INK - 1
    assert crop_ink(ink).shape == (3, 5)
    assert crop_ink(ink * 0).size == 0


def test_only_symbols_of_text_fonts_are_ornaments():
    codes = list_codes(find_font('DejaVuSans.ttf'))
    assert 0x2766 in codes and ord('A') not in codes
    assert len(list_codes(find_font('cmsy10.ttf'))) > 100
    assert draw_glyph(find_font('DejaVuSans.ttf'), 0x2766, 64).max() == 255


def test_thumbnails_are_correlations_and_detail_is_outline():
    first, second = (thumbnails(blobs(seed=s)) for s in (0, 1))
    np.testing.assert_allclose((first**2).sum(1), 1, atol=1e-5)
    by_hand = np.corrcoef(first[0], second[3])[0, 1]
    assert first[0] @ second[3] == pytest.approx(by_hand, abs=1e-4)
    # The detail is the outline over the side.
    ink = np.full((20, 10), 255, np.uint8)
    assert detail(glyph_of(ink)) == 60 / 20
    ink[5:15, 3:7] = 0
    assert detail(glyph_of(ink)) == (60 + 28) / 20


def test_turned_glyphs_are_the_same_glyph():
    ink = blobs((37, 50))
    glyphs = [glyph_of(view) for view in turn(ink)]
    others = [glyph_of(blobs(seed=seed)) for seed in (1, 2)]
    assert drop_alike([*glyphs, *others], 0.99) == [glyphs[0], *others]
    assert drop_alike([*glyphs, *others], -1) == glyphs[:1]
    assert len(differing_turns(glyphs[0], 0.99)) == 8
    disc = np.zeros((41, 41), np.uint8)
    cv2.circle(disc, (20, 20), 20, 255, -1)
    assert len(differing_turns(glyph_of(disc), 0.9)) == 1


def test_outside_glyphs_look_like_none_of_the_dictionary(dictionary):
    assert (len(dictionary.classes), len(dictionary.outside)) == (6, 3)
    inside = np.stack([thumbnails(g.ink)[0] for g in dictionary.classes])
    for glyph in dictionary.outside:
        views = thumbnails(glyph.ink)
        # measured on larger drawings, so a little different
        assert (views @ inside.T).max() < SMALL.similarity + 0.05
    sources = [g.source for g in dictionary.classes + dictionary.outside]
    assert len(set(sources)) == 9
    for glyph in dictionary.classes + dictionary.outside:
        assert 15 <= max(glyph.ink.shape) <= 40


def test_too_few_glyphs_are_turned():
    fonts = ('DejaVuSerifDisplay.ttf', 'DejaVuSansDisplay.ttf')
    settings = replace(SMALL, outside_classes=1, fonts=('cmex10.ttf',))
    plain = make_dictionary(settings).classes
    assert not any(g.orientation for g in plain)
    many = replace(settings, classes=45)
    classes = make_dictionary(many).classes
    names = [g.name for g in classes]
    assert len(set(names)) == 45 and any(g.orientation for g in classes)
    outside = make_dictionary(many).outside[0].source
    assert outside not in {g.source for g in classes}
    with pytest.raises(ValueError, match=r'9999 classes.*give \d+: \d+ gly'):
        make_dictionary(replace(many, classes=9999))
    with pytest.raises(ValueError, match=r'6 classes.*give 0: 0 glyphs'):
        make_dictionary(replace(settings, fonts=fonts))


def test_numbers_of_objects_are_poisson(dictionary):
    settings = replace(SMALL, objects=11.0)
    rng = np.random.default_rng(0)
    for split, expected in (('train', 0), ('test', 2)):
        counts = []
        for _ in range(2000):
            chosen = choose_glyphs(settings, dictionary, split, rng)
            labels = [label for _, label in chosen]
            counts.append((len(labels), labels.count(OUTSIDE)))
        numbers, outside = np.transpose(counts)
        assert numbers.mean() == pytest.approx(11, abs=0.3)
        assert numbers.var() == pytest.approx(11, abs=1.2)
        assert outside.mean() == pytest.approx(expected, abs=0.15)
        assert outside.var() == pytest.approx(expected, abs=0.35)


def squares(*sides):
    inks = (np.full((side, side), 255, np.uint8) for side in sides)
    return [(glyph_of(ink), n) for n, ink in enumerate(inks)]


def shared(one, other):
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[2:], other[2:])
    return np.clip(np.subtract(high, low), 0, None).prod()


def test_nothing_overlaps_and_the_largest_come_first():
    settings = replace(SMALL, gap=3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        placed = place(squares(20, 40, 30, 40, 25), settings, rng)
        sides = [item.glyph.ink.shape[0] for item in placed]
        assert sides == [40, 40, 30, 25, 20]
        boxes = np.array([item.box for item in placed])
        assert boxes.min() >= 0 and boxes.max() <= settings.page
        grown = boxes - np.array([2, 2, 0, 0])  # 3 px between
        for i, one in enumerate(boxes):
            for j, other in enumerate(grown):
                assert i == j or shared(one, other) == 0


def test_every_free_place_is_as_likely():
    settings = replace(SMALL, page=34, gap=0, glyph_size=(8, 30))
    rng = np.random.default_rng(0)
    spots = [place(squares(32), settings, rng)[0].box[:2] for _ in range(900)]
    counts = np.unique(spots, axis=0, return_counts=True)[1]
    assert len(counts) == 9 and counts.min() > 60


def test_overlap_is_bounded():
    settings = replace(SMALL, overlap=0.4, page=100)
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(20):
        covered = np.zeros((100, 100), bool)
        for item in place(squares(*[30] * 8), settings, rng):
            x1, y1, x2, y2 = item.box
            shares.append(covered[y1:y2, x1:x2].mean())
            covered[y1:y2, x1:x2] = True
    assert 0.2 < max(shares) <= 0.4


def test_boxes_are_tight_and_objects_without_room_counted(dictionary):
    settings = replace(SMALL, page=50, objects=9.0)
    _, placed, left_out = draw_page(settings, dictionary, 'train', 0)
    assert left_out > 0 and placed
    page, placed, left_out = draw_page(SMALL, dictionary, 'test', 1)
    assert left_out == 0 and set(np.unique(page)) == {0, 255}
    outside = np.ones_like(page, bool)
    for item in placed:
        x1, y1, x2, y2 = item.box
        outside[y1:y2, x1:x2] = False
        part = page[y1:y2, x1:x2]
        for edge in part[0], part[-1], part[:, 0], part[:, -1]:
            assert (edge == 0).any()
    assert (page[outside] == 255).all()
    rng = np.random.default_rng(0)  # inks are printed over each other
    settings = replace(SMALL, overlap=1.0, page=40, glyph_size=(8, 40))
    placed = place(squares(40, 20), settings, rng)
    assert (print_page(placed, settings, rng) == 0).all()


@pytest.mark.parametrize('levels', [2, 4, 256])
def test_grey_levels(dictionary, levels):
    settings = replace(SMALL, noise=0.5, grey_levels=levels)
    page, _, _ = draw_page(settings, dictionary, 'test', 0)
    values = np.unique(page)
    steps = np.round(np.arange(levels) * 255 / (levels - 1))
    assert set(values) <= set(steps.astype(int))
    assert len(values) > levels / 2


def test_noise_does_not_move_objects(dictionary):
    clean, placed, _ = draw_page(SMALL, dictionary, 'train', 0)
    rates = []
    for noise in (0.2, 1.0):
        settings = replace(SMALL, noise=noise)
        page, same, _ = draw_page(settings, dictionary, 'train', 0)
        assert [i.box for i in same] == [i.box for i in placed]
        rates.append((page != clean).mean())
    assert 0 < rates[0] < rates[1] < 0.1
    light = scan(np.ones((64, 64), np.float32), 1, np.random.default_rng(0))
    assert light.min() >= 0 and light.max() <= 1 and light.std() > 0.03


def test_the_files_of_a_page_agree(small, dictionary):
    out, manifest = small
    names = [glyph.name for glyph in dictionary.classes]
    assert manifest['classes'] == names
    for split in ('train', 'val', 'test'):
        coco = json.loads((out / f'annotations/{split}.json').read_bytes())
        listed = (out / f'ImageSets/Main/{split}.txt').read_text().split()
        assert [c['name'] for c in coco['categories']] == [*names, 'outside']
        assert len(listed) == len(coco['images']) == getattr(SMALL, split)
        assert manifest['counts'][split]['objects'] == len(coco['annotations'])
        outside = sum(a['anomaly'] for a in coco['annotations'])
        assert manifest['counts'][split]['outside'] == outside
        assert (outside > 0) == (split == 'test')
        for number, image in enumerate(coco['images']):
            page, placed, _ = draw_page(SMALL, dictionary, split, number)
            path = out / 'JPEGImages' / image['file_name']
            assert (cv2.imread(str(path), 0) == page).all()
            every, own = coco['annotations'], image['id']
            anns = [ann for ann in every if ann['image_id'] == own]
            xml = parse_voc_xml(out / f'Annotations/{path.stem}.xml')
            assert xml.size == (160, 160)
            for item, ann, voc in zip(placed, anns, xml.objects, strict=True):
                x, y, width, height = ann['bbox']
                assert item.box == (x, y, x + width, y + height) == voc.box
                label = len(names) if item.label == OUTSIDE else item.label
                assert ann['category_id'] == label + 1
                assert ann['anomaly'] == (item.label == OUTSIDE)
                assert voc.name == [*names, 'outside'][label]
    lines = (out / 'SHA256SUMS').read_text().splitlines()
    files = tree(out)
    for line in lines:
        checksum, name = line.split('  ')
        assert hashlib.sha256(files[name]).hexdigest() == checksum
    assert len(lines) == 2 * 13 + 6 + 9


def test_same_bytes_in_parts_and_in_two_processes(small, tmp_path):
    whole, _ = small
    out = tmp_path / 'pages'
    shutil.copytree(whole, out)
    # As if stopped: one page is half there, another is missing.
    (out / 'JPEGImages/train_00001.png').write_bytes(b'half')
    (out / 'records/test_00003.json').unlink()
    (out / 'Annotations/val_00001.xml').unlink()
    (out / 'manifest.json').unlink()
    (out / 'JPEGImages/val_00001.png.tmp').write_bytes(b'half')
    time = (out / 'JPEGImages/train_00000.png').stat().st_mtime_ns
    write_ornaments(SMALL, out, workers=2)
    assert tree(out) == tree(whole)
    assert (out / 'JPEGImages/train_00000.png').stat().st_mtime_ns == time


def test_the_seed_changes_dictionary_and_pages(dictionary):
    other = replace(SMALL, seed=1)
    changed = make_dictionary(other)
    names = [[g.name for g in d.classes] for d in (dictionary, changed)]
    assert names[0] != names[1]
    pages = [draw_page(s, dictionary, 'train', 0)[0] for s in (SMALL, other)]
    assert (pages[0] != pages[1]).any()


def test_a_folder_of_other_settings_does_not_change(small, tmp_path):
    out, _ = small
    before = tree(out)
    with pytest.raises(FileExistsError, match=r'noise \(0\.0, now 0\.5\)'):
        write_ornaments(replace(SMALL, noise=0.5), out)
    assert tree(out) == before
    (tmp_path / 'mine.txt').write_text('dear to me')
    with pytest.raises(FileExistsError, match='not made by this tool'):
        write_ornaments(SMALL, tmp_path)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(classes=0), 'classes is 0'),
        (dict(seed=-1), 'seed is -1'),
        (dict(outside=12.0), 'outside is 12.0'),
        (dict(glyph_size=(40, 16)), 'glyph_size'),
        (dict(glyph_size=(16, 161)), 'glyph_size'),
        (dict(overlap=1.5), 'overlap is 1.5'),
        (dict(noise=-0.1), 'noise is -0.1'),
        (dict(grey_levels=1), 'grey_levels is 1'),
        (dict(outside_classes=0), 'outside_classes is 0'),
        (dict(fonts=()), 'at least one font'),
        (dict(fonts=('DejaVuSerif.ttf',) * 2), 'repeat a name'),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_files_that_are_not_fonts_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nope\.ttf.*DejaVuSans\.ttf'):
        replace(SMALL, fonts=('nope.ttf',))
    path = tmp_path / 'text.ttf'
    path.write_text('no font')
    with pytest.raises(ValueError, match=r'text\.ttf: not a readable font'):
        make_dictionary(replace(SMALL, fonts=(str(path),)))


def test_the_tool(small, tmp_path):
    command = ('make_ornament_pages', '--out', tmp_path / 'pages', *FLAGS)
    status, output, _ = run_here(*command)
    assert status == 0 and 'left_out' in output
    assert tree(tmp_path / 'pages') == tree(small[0])
    status, _, errors = run_here(*command, '--noise', '2')
    message = 'make_ornament_pages: noise is 2.0; it is 0 to 1\n'
    assert (status, errors) == (1, message)
