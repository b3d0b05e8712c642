"""The digits data set: true flags, disjoint splits, the same bytes."""

import shutil
from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
import pytest
from data_tools import run_here, tree
from mmengine.registry import init_default_scope
from PIL import Image

pytest.importorskip('sklearn', reason='the digits come with scikit-learn')
from sklearn.datasets import load_digits, load_sample_images

from mmocc.datasets.voc_layout import parse_voc_xml
from mmocc.synthetic.digits.photo_cutouts import (
    SHAPES,
    add_clutter,
    cut_object,
)
from mmocc.synthetic.digits.scene import (
    DIGIT_CLASSES,
    DigitsSettings,
    draw_opacity,
    draw_scene,
)
from mmocc.synthetic.digits.writer import split_sources, write_digits_voc

SMALL = DigitsSettings(seed=3, limit=100, overlap=0.4, truncate=0.3)
TINY = replace(SMALL, size=96, digit_size=(16, 40), repeat=1, occluders=1)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp('digits') / 'voc'
    return out, write_digits_voc(out, SMALL)


def scenes(number, **kwargs):
    """Draw scenes of random digits, many overlapping or truncated."""
    data, photos = load_digits(), load_sample_images().images
    settings = DigitsSettings(**{'overlap': 0.5, 'truncate': 0.3, **kwargs})
    for seed in range(number):
        rng = np.random.default_rng(seed)
        sources = rng.integers(len(data.target), size=4)
        digits = data.images[sources], data.target[sources], sources
        yield draw_scene(*digits, photos, settings, rng)


def test_flags_follow_from_the_silhouettes_in_drawing_order():
    flags = set()
    edge = np.ones((256, 256), bool)
    edge[1:-1, 1:-1] = False
    for _, digits in scenes(25):
        for number, digit in enumerate(digits):
            later = [d.silhouette for d in digits[number + 1 :]]
            cover = np.logical_or.reduce([*later, np.zeros((256, 256), bool)])
            hidden = digit.silhouette & cover
            assert digit.occluded == hidden.any()
            assert digit.truncated == (digit.silhouette.sum() < digit.area)
            if digit.truncated:  # only by the border
                assert (digit.silhouette & edge).any()
            visible = digit.silhouette & ~cover
            np.testing.assert_array_equal(digit.visible, visible)
            share = visible.sum() / digit.area
            assert digit.visible_share == pytest.approx(share)
            assert digit.difficult == (share < 0.5)
            flags.add((digit.occluded, digit.truncated))
    assert len(flags) == 4  # every combination occurs


def test_a_digit_alone_stands_out_from_the_canvas_around_it():
    for scene, digits in scenes(25, overlap=0, truncate=0):
        ink = np.logical_or.reduce([d.silhouette for d in digits])
        ink = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7))) > 0
        for digit in digits:
            visible = digit.visible.astype(np.uint8)
            ring = (cv2.dilate(visible, np.ones((15, 15))) > 0) & ~ink
            core = cv2.erode(visible, np.ones((3, 3)))
            inner = (scene[core > 0] @ LUMA).mean()
            outer = (scene[ring] @ LUMA).mean()
            assert abs(inner - outer) > 60


def test_strokes_are_soft_and_have_the_size_of_the_scan():
    scan = load_digits().images[0]  # a zero, all eight rows inked
    opacity = draw_opacity(scan, 80, 0)
    assert 60 <= opacity.shape[0] <= 88
    assert opacity.min() == 0
    assert opacity.max() == 1
    assert ((opacity > 0) & (opacity < 1)).mean() > 0.05
    centre = opacity[opacity.shape[0] // 2, opacity.shape[1] // 2]
    assert centre == 0  # the hole of the zero is open


def test_splits_are_disjoint_whole_stratified_and_depend_on_the_seed():
    labels = load_digits().target
    parts = split_sources(labels, seed=0)
    assert set(parts['test']) != set(split_sources(labels, seed=1)['test'])
    together = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    for label in range(10):
        of_label = (labels == label).sum()
        for split, share in (('train', 0.6), ('val', 0.1), ('test', 0.3)):
            number = (labels[parts[split]] == label).sum()
            assert abs(number - share * of_label) <= 1


def read_split(out, split):
    return (out / f'ImageSets/Main/{split}.txt').read_text().split()


def source_indices(out, img_id):
    text = (out / f'Annotations/{img_id}.xml').read_text()
    pieces = text.split('<source_index>')[1:]
    return [int(piece.split('<')[0]) for piece in pieces]


def test_no_source_digit_is_in_two_splits_of_the_files(small):
    out, _ = small
    train, val, test = (
        [i for name in read_split(out, s) for i in source_indices(out, name)]
        for s in ('train', 'val', 'test')
    )
    assert len({*train, *val}) == len({*train}) + len({*val})
    assert not {*train, *val} & {*test}
    assert len(test) == len(set(test))
    assert max(np.bincount(train)) == SMALL.repeat
    both = read_split(out, 'train') + read_split(out, 'val')
    assert read_split(out, 'trainval') == both


def test_masks_boxes_and_classes_on_disk_agree(small):
    out, manifest = small
    labels, number, flags = load_digits().target, 0, np.zeros(3, int)
    class_lines = defaultdict(list)
    for split in ('train', 'val', 'test'):
        for img_id in read_split(out, split):
            annotation = parse_voc_xml(out / f'Annotations/{img_id}.xml')
            png = Image.open(out / f'SegmentationObject/{img_id}.png')
            assert png.mode == 'P'
            mask = np.array(png)
            png = Image.open(out / f'SegmentationClass/{img_id}.png')
            classes = np.array(png)
            photo = Image.open(out / f'JPEGImages/{img_id}.jpg')
            assert photo.size == annotation.size == mask.shape[::-1]
            ids = [item.instance_id for item in annotation.objects]
            assert np.unique(mask).tolist() == [0, *ids]
            names = [item.name for item in annotation.objects]
            sources = source_indices(out, img_id)
            assert names == [DIGIT_CLASSES[labels[s]] for s in sources]
            shown = dict.fromkeys(DIGIT_CLASSES, -1)
            for item in annotation.objects:
                shown[item.name] = max(shown[item.name], not item.difficult)
            for name, value in shown.items():
                line = f'{img_id} {int(value):2}'
                class_lines[f'{name}_{split}.txt'].append(line)
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
    for name, lines in class_lines.items():
        text = (out / 'ImageSets/Main' / name).read_text()
        assert text.splitlines() == lines


def test_the_reader_cuts_out_every_digit_with_its_own_mask(small):
    reader = pytest.importorskip(
        'mmocc.datasets.voc_objects',
        reason='VOCObjects needs mmpretrain',
        exc_type=ImportError,
    )
    out, manifest = small
    crop = dict(type='mmocc.CropObject', with_mask=True)
    steps = dict(pipeline=[dict(type='LoadImageFromFile'), crop])
    data = reader.VOCObjects(str(out), 'test', classes=DIGIT_CLASSES, **steps)
    assert len(data) == manifest['counts']['test']['objects']
    for sample in data:
        rows, columns = np.nonzero(sample['gt_seg_map'])
        ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert sample['gt_bboxes'].tolist() == [list(ends)]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    small, tmp_path
):
    write_digits_voc(tmp_path / 'again', SMALL)
    ours = tree(small[0])
    assert tree(tmp_path / 'again') == ours
    write_digits_voc(tmp_path / 'other', replace(SMALL, seed=4, occluders=0))
    name = 'JPEGImages/test_00001.jpg'
    assert ours[name] != (tmp_path / 'other' / name).read_bytes()


def test_a_digit_without_a_visible_pixel_is_left_out(tmp_path):
    crowded = DigitsSettings(
        size=96, digits=30, digit_size=(40, 72), limit=100, overlap=0.9,
        occluders=0,
    )  # fmt: skip
    manifest = write_digits_voc(tmp_path / 'crowded', crowded)
    counts = manifest['counts']['test']
    assert counts['left_out_as_hidden'] > 0
    for xml in (tmp_path / 'crowded/Annotations').glob('test*'):
        png = tmp_path / f'crowded/SegmentationObject/{xml.stem}.png'
        mask = np.array(Image.open(png))
        assert len(np.unique(mask)) - 1 == len(parse_voc_xml(xml).objects)


def test_occluders_of_training_and_test_come_in_numbers_and_sizes(small):
    out, _ = small
    for use in ('train', 'test'):
        textures = [*(out / f'occluders/{use}/textures').glob('*.jpg')]
        cutouts = [*(out / f'occluders/{use}/objects').glob('*.png')]
        assert len(textures) == len(cutouts) == 24
        assert {Image.open(path).size for path in textures} == {(128, 128)}
        for image in map(Image.open, cutouts):
            assert (image.mode, max(image.size)) == ('RGBA', 96)


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


def test_a_folder_of_something_else_stays_unless_forced(tmp_path):
    out = tmp_path / 'mine'
    out.mkdir()
    (out / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match=r'mine .*--force'):
        write_digits_voc(out, SMALL)
    assert (out / 'thesis.txt').read_text() == 'years of work'
    write_digits_voc(out, TINY, force=True)
    assert not (out / 'thesis.txt').exists()
    assert (out / 'manifest.json').is_file()


def test_an_interrupted_run_leaves_the_earlier_folder(tmp_path):
    out = tmp_path / 'voc'
    write_digits_voc(out, TINY)
    before = tree(out)

    def interrupt(items):
        yield from items[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_digits_voc(out, SMALL, progress=interrupt)
    assert tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ['voc']


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (dict(digit_size=(96, 56)), r'digit_size is 96 to 56'),
        (dict(size=100), r'56 to 96 pixels on a canvas of 100'),
        (dict(digits=0), r'digits and repeat must be 1 or more'),
        (dict(occluders=-1), r'occluders 0 or more'),
        (dict(limit=99), r'limit is 99'),
        (dict(clutter=-1), 'clutter'),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        DigitsSettings(**bad)


def test_the_tool_makes_the_data_once_and_refuses_other_folders(tmp_path):
    out = tmp_path / 'data/voc'
    command = ('make_digits_voc', '--out', out, '--limit', 100, '--size', 128)
    status, output, _ = run_here(*command)
    assert status == 0
    assert f'Wrote {out}' in output and 'occluded' in output
    assert 'already holds' in run_here(*command)[1]
    (out / 'JPEGImages/test_00001.jpg').unlink()
    assert f'Wrote {out}' in run_here(*command)[1]
    (out / 'manifest.json').write_text('{}')
    status, _, errors = run_here(*command)
    assert status == 1
    assert errors.startswith('make_digits_voc: ') and '--force' in errors


@pytest.fixture(scope='module')
def single(tmp_path_factory):
    """Run the tool; it writes where the config looks."""
    folder = tmp_path_factory.mktemp('digits_single')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        flags = ('--single', '--limit', 100, '--repeat', 1)
        status, _, errors = run_here('make_digits_voc', *flags)
    assert status == 0, errors
    return folder / 'data/digits_single'


def read_single(root, split, **kwargs):
    wsol = pytest.importorskip(
        'mmocc.datasets.wsol_dataset', exc_type=ImportError
    )
    init_default_scope('mmpretrain')
    return wsol.WSOLDataset(
        'voc', str(root), split, classes=DIGIT_CLASSES, pipeline=[], **kwargs
    )


def test_every_image_has_one_digit_smaller_than_itself(single):
    assert (single / 'ImageSets/Main/nine_test.txt').is_file()
    images = 0
    for split in ('train', 'val', 'test'):
        dataset = read_single(single, split, with_boxes=True)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            ((x1, y1, x2, y2),) = info['gt_bboxes']
            assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 128
            assert (x2 - x1) * (y2 - y1) < 0.5 * 128**2
            images += 1
    assert images > 90  # of 100: a hardly visible digit is no label


def test_it_trains_without_its_annotations(single, tmp_path):
    labels = read_single(single, 'train').get_gt_labels().tolist()
    no_xml = shutil.ignore_patterns('Annotations')
    root = shutil.copytree(single, tmp_path / 'copy', ignore=no_xml)
    assert read_single(root, 'train').get_gt_labels().tolist() == labels
    assert len(set(labels)) == 10
    with pytest.raises(FileNotFoundError, match='Annotations'):
        read_single(root, 'train', with_boxes=True)


def test_clutter_changes_a_part_of_the_canvas():
    photos = load_sample_images().images
    canvas = np.zeros((96, 96, 3), np.float32)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(add_clutter(canvas, photos, 0, rng), canvas)
    changed = (add_clutter(canvas, photos, 3, rng) != 0).any(axis=2)
    assert 0.01 < changed.mean() < 0.4
    assert not canvas.any()
