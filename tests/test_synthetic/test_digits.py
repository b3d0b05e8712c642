"""The digits data set: true flags, disjoint splits, the same bytes."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('sklearn', reason='the digits come with scikit-learn')
from sklearn.datasets import load_digits, load_sample_images

from mmocc.datasets.voc_layout import parse_voc_xml
from mmocc.synthetic.digits.photo_cutouts import SHAPES, cut_object
from mmocc.synthetic.digits.plan import DigitsSettings, split_sources
from mmocc.synthetic.digits.scene import (
    DIGIT_CLASSES,
    PlacedDigit,
    draw_opacity,
    draw_scene,
)
from mmocc.synthetic.digits.writer import index_masks, write_digits_voc

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/dataset_converters/make_digits_voc.py'
SMALL = DigitsSettings(seed=3, limit=100, overlap=0.4, truncate=0.3)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp('digits') / 'voc'
    return out, write_digits_voc(out, SMALL)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def scenes(number, **kwargs):
    """Draw scenes of random digits; many overlaps and cut digits."""
    data, photos = load_digits(), load_sample_images().images
    for seed in range(number):
        rng = np.random.default_rng(seed)
        sources = rng.integers(len(data.target), size=4)
        yield draw_scene(
            data.images[sources],
            data.target[sources],
            sources,
            photos,
            rng,
            **{'overlap': 0.5, 'truncate': 0.3, **kwargs},
        )


# -- scenes ------------------------------------------------------------------


def test_flags_follow_from_the_silhouettes_in_drawing_order():
    seen = set()
    for _, digits in scenes(25):
        for number, digit in enumerate(digits):
            later = [d.silhouette for d in digits[number + 1 :]]
            cover = np.logical_or.reduce([*later, np.zeros((256, 256), bool)])
            hidden = digit.silhouette & cover
            assert digit.occluded == hidden.any()
            assert digit.truncated == (digit.silhouette.sum() < digit.area)
            np.testing.assert_array_equal(
                digit.visible, digit.silhouette & ~cover
            )
            share = (digit.silhouette & ~cover).sum() / digit.area
            assert digit.visible_share == pytest.approx(share)
            assert digit.difficult == (share < 0.5)
            seen.add((digit.occluded, digit.truncated))
    assert len(seen) == 4  # every combination has been looked at


def test_only_a_digit_cut_by_the_border_is_truncated():
    for _, digits in scenes(25):
        for digit in digits:
            edge = np.ones((256, 256), bool)
            edge[1:-1, 1:-1] = False
            if digit.truncated:
                assert (digit.silhouette & edge).any()
            if not (digit.silhouette & edge).any():
                assert not digit.truncated


def test_a_digit_alone_stands_out_from_the_canvas_around_it():
    for scene, digits in scenes(25, overlap=0, truncate=0):
        taken = np.logical_or.reduce([d.silhouette for d in digits])
        taken = cv2.dilate(taken.astype(np.uint8), np.ones((7, 7))) > 0
        for digit in digits:
            near = cv2.dilate(
                digit.visible.astype(np.uint8), np.ones((15, 15))
            )
            ring = (near > 0) & ~taken
            core = cv2.erode(digit.visible.astype(np.uint8), np.ones((3, 3)))
            inner = (scene[core > 0] @ LUMA).mean()
            outer = (scene[ring] @ LUMA).mean()
            assert abs(inner - outer) > 60


def test_the_box_is_tight_around_the_visible_pixels():
    visible = np.zeros((20, 20), bool)
    visible[3:7, 5:6] = True
    digit = PlacedDigit(1, 0, visible, visible, 4)
    assert digit.box == (5, 3, 6, 7)


def test_strokes_are_soft_and_of_the_size_asked_for():
    scan = load_digits().images[0]  # a zero, all eight rows inked
    opacity = draw_opacity(scan, 80, 0)
    assert 60 <= opacity.shape[0] <= 88
    assert opacity.min() == 0
    assert opacity.max() == 1
    assert ((opacity > 0) & (opacity < 1)).mean() > 0.05
    centre = opacity[opacity.shape[0] // 2, opacity.shape[1] // 2]
    assert centre == 0  # the hole of the zero is open


# -- splits ------------------------------------------------------------------


def test_splits_are_disjoint_whole_and_stratified():
    labels = load_digits().target
    parts = split_sources(labels, seed=0)
    together = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    for label in range(10):
        of_label = (labels == label).sum()
        for split, share in (('train', 0.6), ('val', 0.1), ('test', 0.3)):
            number = (labels[parts[split]] == label).sum()
            assert abs(number - share * of_label) <= 1


def test_another_seed_parts_the_digits_otherwise():
    labels = load_digits().target
    first, second = (split_sources(labels, seed)['test'] for seed in (0, 1))
    assert set(first) != set(second)


# -- files -------------------------------------------------------------------


def read_split(out, split):
    return (out / f'ImageSets/Main/{split}.txt').read_text().split()


def source_indices(out, split):
    found = []
    for img_id in read_split(out, split):
        text = (out / f'Annotations/{img_id}.xml').read_text()
        found += [
            int(piece.split('<')[0])
            for piece in text.split('<source_index>')[1:]
        ]
    return found


def test_no_source_digit_is_in_two_splits_of_the_files(small):
    out, _ = small
    train, val, test = (
        source_indices(out, split) for split in ('train', 'val', 'test')
    )
    assert not set(train) & set(val)
    assert not set(train) & set(test)
    assert not set(val) & set(test)
    assert len(test) == len(set(test))
    assert max(np.bincount(train)) == SMALL.repeat
    assert read_split(out, 'trainval') == [
        *read_split(out, 'train'),
        *read_split(out, 'val'),
    ]


def test_masks_boxes_and_classes_on_disk_agree(small):
    out, manifest = small
    labels, number, flags = load_digits().target, 0, np.zeros(3, int)
    for split in ('train', 'val', 'test'):
        for img_id in read_split(out, split):
            annotation = parse_voc_xml(out / f'Annotations/{img_id}.xml')
            with Image.open(out / f'SegmentationObject/{img_id}.png') as png:
                assert png.mode == 'P'
                mask = np.array(png)
            classes = np.array(
                Image.open(out / f'SegmentationClass/{img_id}.png')
            )
            with Image.open(out / f'JPEGImages/{img_id}.jpg') as photo:
                assert photo.size == annotation.size == mask.shape[::-1]
            ids = [item.instance_id for item in annotation.objects]
            assert np.unique(mask).tolist() == [0, *ids]
            for item in annotation.objects:
                rows, columns = np.nonzero(mask == item.instance_id)
                box = columns.min(), rows.min(), columns.max(), rows.max()
                x1, y1, x2, y2 = item.box
                assert box == (x1, y1, x2 - 1, y2 - 1)
                label = DIGIT_CLASSES.index(item.name)
                assert (classes[mask == item.instance_id] == label + 1).all()
                flags += item.occluded, item.truncated, item.difficult
                number += 1
            assert ((classes > 0) == (mask > 0)).all()
    counts = manifest['counts'].values()
    assert number == sum(c['objects'] for c in counts)
    names = 'occluded', 'truncated', 'difficult'
    assert flags.tolist() == [sum(c[n] for c in counts) for n in names]
    assert len(labels) == 1797


def test_names_on_disk_are_those_of_the_source_digits(small):
    out, _ = small
    labels = load_digits().target
    for img_id in read_split(out, 'test'):
        names = [
            item.name
            for item in parse_voc_xml(
                out / f'Annotations/{img_id}.xml'
            ).objects
        ]
        text = (out / f'Annotations/{img_id}.xml').read_text()
        sources = [
            int(p.split('<')[0]) for p in text.split('<source_index>')[1:]
        ]
        assert names == [DIGIT_CLASSES[labels[s]] for s in sources]


def test_the_reader_cuts_out_every_digit_with_its_own_mask(small):
    reader = pytest.importorskip(
        'mmocc.datasets.voc_objects',
        reason='VOCObjects needs mmpretrain',
        exc_type=ImportError,
    )
    out, manifest = small
    data = reader.VOCObjects(
        str(out),
        'test',
        classes=DIGIT_CLASSES,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmocc.CropObject', with_mask=True),
        ],
    )
    assert len(data) == manifest['counts']['test']['objects']
    for sample in data:
        rows, columns = np.nonzero(sample['gt_seg_map'])
        ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert sample['gt_bboxes'].tolist() == [list(ends)]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    small, tmp_path
):
    out, _ = small
    write_digits_voc(tmp_path / 'again', SMALL)
    assert digests(tmp_path / 'again') == digests(out)
    other = DigitsSettings(seed=4, limit=100, overlap=0.4, truncate=0.3)
    write_digits_voc(tmp_path / 'other', other)
    ours, theirs = digests(out), digests(tmp_path / 'other')
    assert (
        ours['JPEGImages/test_00001.jpg']
        != theirs['JPEGImages/test_00001.jpg']
    )


def test_a_digit_without_a_visible_pixel_is_left_out(tmp_path):
    crowded = DigitsSettings(
        size=96, digits=30, digit_size=(40, 72), limit=200, overlap=0.9
    )
    manifest = write_digits_voc(tmp_path / 'crowded', crowded)
    counts = manifest['counts']['test']
    assert counts['left_out_as_hidden'] > 0
    for img_id in read_split(tmp_path / 'crowded', 'test'):
        mask = np.array(
            Image.open(tmp_path / f'crowded/SegmentationObject/{img_id}.png')
        )
        xml = tmp_path / f'crowded/Annotations/{img_id}.xml'
        assert len(np.unique(mask)) - 1 == len(parse_voc_xml(xml).objects)


def test_instance_values_count_the_digits_from_one():
    left, right = np.zeros((2, 4, 4), bool)
    left[:, :2], right[:, 2:] = True, True
    digits = [
        PlacedDigit(7, 0, left, left, 8),
        PlacedDigit(0, 1, right, right, 8),
    ]
    instances, classes = index_masks(4, digits)
    assert instances.tolist() == [[1, 1, 2, 2]] * 4
    assert classes.tolist() == [[8, 8, 1, 1]] * 4


# -- occluders ---------------------------------------------------------------


def test_occluders_of_training_and_test_come_in_numbers_and_sizes(small):
    out, _ = small
    for use in ('train', 'test'):
        textures = sorted((out / f'occluders/{use}/textures').glob('*.jpg'))
        cutouts = sorted((out / f'occluders/{use}/objects').glob('*.png'))
        assert len(textures) == len(cutouts) == 24
        for path in textures:
            assert Image.open(path).size == (128, 128)
        for path in cutouts:
            image = Image.open(path)
            assert image.mode == 'RGBA'
            assert max(image.size) == 96


@pytest.mark.parametrize('shape', SHAPES)
def test_a_cutout_is_tight_and_has_a_soft_outline(shape):
    photo = load_sample_images().images[0]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        alpha = cut_object(photo, 96, shape, rng)[..., 3]
        assert 0.15 < (alpha > 127).mean() < 0.95
        assert ((alpha > 0) & (alpha < 255)).any()
        for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert edge.any()


# -- the folder appears in one piece -----------------------------------------


def test_a_strange_folder_is_kept_unless_forced(tmp_path):
    out = tmp_path / 'mine'
    out.mkdir()
    (out / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match=r'mine .*--force'):
        write_digits_voc(out, SMALL)
    assert (out / 'thesis.txt').read_text() == 'years of work'
    write_digits_voc(out, SMALL, force=True)
    assert not (out / 'thesis.txt').exists()
    assert (out / 'manifest.json').is_file()


def test_an_interrupted_run_leaves_what_was_there(small, tmp_path):
    out = tmp_path / 'voc'
    write_digits_voc(out, DigitsSettings(limit=100, occluders=1))
    before = digests(out)

    def interrupt(items):
        yield from items[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_digits_voc(out, SMALL, progress=interrupt)
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ['voc']


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (dict(digit_size=(96, 56)), r'digit_size is 96 to 56'),
        (dict(size=100), r'56 to 96 pixels on a canvas of 100'),
        (dict(digits=0), r'digits and repeat must be 1 or more'),
        (dict(occluders=-1), r'occluders 0 or more'),
        (dict(limit=99), r'limit is 99'),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        DigitsSettings(**bad)


# -- the tool ----------------------------------------------------------------


def test_the_tool_makes_the_data_once_and_says_so(run_tool, tmp_path):
    command = [TOOL, '--out', 'data/voc', '--limit', '100']
    first = run_tool(*command)
    assert first.returncode == 0, first.stderr
    assert 'Wrote data/voc' in first.stdout
    assert 'occluded' in first.stdout
    manifest = json.loads((tmp_path / 'data/voc/manifest.json').read_text())
    assert manifest['settings']['seed'] == 0
    assert 'already holds' in run_tool(*command).stdout
    (tmp_path / 'data/voc/JPEGImages/test_00001.jpg').unlink()
    assert 'Wrote data/voc' in run_tool(*command).stdout


def test_the_tool_refuses_a_strange_folder_in_one_line(run_tool, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/a.txt').touch()
    result = run_tool(TOOL, '--out', 'mine', '--limit', '100')
    assert result.returncode == 1
    assert '--force' in result.stderr
    assert 'Traceback' not in result.stderr
