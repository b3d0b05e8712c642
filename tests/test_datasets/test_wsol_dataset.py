"""Localization data: every layout, and labels without reading boxes."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import wsol_layouts as layouts
from conftest import ROOT
from mmengine.registry import DATASETS, init_default_scope

pytest.importorskip('mmpretrain')
from mmocc.datasets.wsol_dataset import WSOLDataset

TRIAL = ROOT.parent / 'shared' / 'data'
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(16, 16)),
    dict(type='PackInputs'),
]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def build(args, **kwargs):
    cfg = dict(type='mmocc.WSOLDataset', **args, pipeline=PIPELINE)
    return DATASETS.build(dict(cfg, **kwargs))


def rows(dataset):
    return [
        (info['image_id'], info['gt_label'], info['gt_bboxes'].tolist())
        for info in (dataset.get_data_info(i) for i in range(len(dataset)))
    ]


META = [
    ('a/1.png', 0, [[4, 6, 20, 25]]),
    ('b/2.png', 1, [[0, 0, 9, 9], [10, 10, 39, 29]]),
]
CUB = [
    ('001.A/A_1.jpg', 0, [[6, 2, 38, 32]]),
    ('002.B/B_1.jpg', 1, [[0, 3, 40, 23]]),
]
ILSVRC = [
    ('val/v_0.JPEG', 1, [[0, 2, 21, 22]]),  # as in the file
    ('val/v_1.JPEG', 0, [[1, 2, 3, 4], [5, 6, 39, 29]]),
]
TINY = [
    ('val/images/val_0.JPEG', 1, [[0, 16, 22, 31]]),
    ('val/images/val_1.JPEG', 0, [[1.5, 2, 25, 30]]),
]
VOC = [('one', 0, [[2, 2, 30, 28]])]  # 0-based, half-open


@pytest.mark.parametrize(
    'write, expected',
    [
        (layouts.write_metadata, META),
        (layouts.write_cub, CUB),
        (layouts.write_ilsvrc, ILSVRC),
        (layouts.write_ilsvrc_list, ILSVRC),
        (layouts.write_tiny_imagenet, TINY),
        (layouts.write_tiny_csv, TINY),
        (layouts.write_voc, VOC),
    ],
)
def test_labels_and_boxes_of_each_layout(tmp_path, write, expected):
    assert rows(build(write(tmp_path), with_boxes=True)) == expected


def test_boxes_stay_in_pixels_of_the_original_image(tmp_path):
    args = layouts.write_metadata(tmp_path)
    dataset = build(args, with_boxes=True)
    packed = dataset[1]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 16, 16)
    assert sample.gt_bboxes.tolist() == META[1][2]
    assert sample.gt_bboxes.dtype == np.float32
    assert sample.ori_shape == (30, 40) and sample.img_shape == (16, 16)
    assert sample.image_id == 'b/2.png'
    assert 'gt_bboxes' in sample.to_dict()
    # Each view of a test-time augmentation has them, too.
    flips = [dict(type='RandomFlip', prob=p) for p in (1.0, 0.0)]
    views = dict(type='TestTimeAug', transforms=[flips, [PIPELINE[-1]]])
    dataset = build(args, with_boxes=True, pipeline=[*PIPELINE[:2], views])
    samples = dataset[0]['data_samples']
    assert [s.gt_bboxes.tolist() for s in samples] == [META[0][2]] * 2


def test_masks_of_open_images(tmp_path):
    dataset = build(layouts.write_masks(tmp_path), with_boxes=True)
    first, second = (dataset[i]['data_samples'] for i in (0, 1))
    names = [Path(path).name for path in first.gt_mask_paths]
    assert names == ['1_m.png', '1_n.png']
    assert first.ignore_mask_path == str(tmp_path / 'a/1_ignore.png')
    assert second.ignore_mask_path is None


def test_images_with_several_objects_of_the_class_can_stay(tmp_path):
    args = layouts.write_voc(tmp_path)
    dataset = build(args, with_boxes=True, layout_args=dict(one_object=False))
    assert [row[0] for row in rows(dataset)] == ['one', 'two']
    assert rows(dataset)[1][2] == [[0, 0, 9, 9], [19, 9, 40, 30]]


# -- weak supervision -------------------------------------------------------

OPENED = []
sys.addaudithook(  # there is no way to remove one
    lambda event, args: (
        OPENED.append(str(args[0])) if event == 'open' else None
    )
)
BOX_FILES = {
    'metadata': ['metadata/train/localization.txt'],
    'masks': ['metadata/train/localization.txt', 'a/1_m.png', 'b/2_m.png'],
    'cub': ['bounding_boxes.txt'],
    'ilsvrc': ['Annotations'],
    'tiny_imagenet': ['train/n01/n01_boxes.txt', 'train/n02/n02_boxes.txt'],
    'tiny_csv': ['boxes.csv', 'train/n01/n01_boxes.txt'],
    'voc': ['Annotations'],
}


@pytest.mark.parametrize('removed', [False, True])
@pytest.mark.parametrize('name', BOX_FILES)
def test_training_never_opens_a_file_with_boxes(tmp_path, name, removed):
    args = getattr(layouts, f'write_{name}')(tmp_path, split='train')
    guarded = [tmp_path / file for file in BOX_FILES[name]]
    assert all(path.exists() for path in guarded)
    if removed:
        for path in guarded:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    OPENED.clear()
    dataset = build(args)
    samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
    assert samples
    assert any(str(tmp_path) in path for path in OPENED)  # the hook is on
    assert not [p for p in OPENED if p.startswith(tuple(map(str, guarded)))]
    for sample in samples:
        assert not {'gt_bboxes', 'gt_mask_paths'} & set(sample.to_dict())


def test_training_needs_labels_outside_the_file_of_the_boxes(tmp_path):
    with pytest.raises(ValueError, match='with_boxes=True'):
        build(layouts.write_tiny_imagenet(tmp_path))
    args = layouts.write_ilsvrc_list(tmp_path / 'i')
    args['layout_args'] = dict(image_list='list.txt')
    with pytest.raises(ValueError, match=r'list.txt, line 1.*PATH LABEL'):
        build(args)


# -- bad input --------------------------------------------------------------


@pytest.mark.parametrize(
    'file, line, words',
    [
        ('localization.txt', 'a/1.png,4,6,20', 'line 4.*four finite'),
        ('localization.txt', 'a/1.png,4,6,20,x', 'line 4.*IMAGE,X1,Y1'),
        ('localization.txt', 'a/1.png,9,6,2,7', 'line 4.*ends before'),
        ('localization.txt', 'a/1.png,nan,6,2,7', 'line 4.*finite'),
        ('class_labels.txt', 'a/1.png', 'line 3.*IMAGE,LABEL'),
        ('class_labels.txt', 'a/1.png,-1', 'line 3.*from 0'),
    ],
)
def test_the_message_names_a_line_that_does_not_parse(
    tmp_path, file, line, words
):
    args = layouts.write_metadata(tmp_path)
    path = tmp_path / 'metadata/test' / file
    path.write_text(path.read_text() + line + '\n')
    with pytest.raises(ValueError, match=f'{file}, {words}'):
        build(args, with_boxes=True)


@pytest.mark.parametrize(
    'write, file, line',
    [
        (layouts.write_cub, 'bounding_boxes.txt', '9 1 2 3 4'),
        (layouts.write_cub, 'images.txt', '4'),
        (layouts.write_ilsvrc, 'meta/val.txt', 'v_2.JPEG 0 1 2 3 4'),
        (layouts.write_ilsvrc_list, 'list.txt', 'v_2.JPEG 0 1 2 3'),
        (layouts.write_tiny_imagenet, 'val/val_annotations.txt', 'x n09 1 2'),
        (layouts.write_tiny_csv, 'boxes.csv', 'val,x,n09,w,1,2,3,4'),
        (layouts.write_voc, 'ImageSets/Main/cat_test.txt', 'one'),
    ],
)
def test_lines_of_other_layouts_are_named_too(tmp_path, write, file, line):
    args = write(tmp_path)
    path = tmp_path / file
    number = len(path.read_text().splitlines()) + 1
    path.write_text(path.read_text() + line + '\n')
    with pytest.raises(ValueError, match=f'{file}, line {number}'):
        build(args, with_boxes=True)


def test_the_message_names_what_is_missing(tmp_path):
    args = layouts.write_metadata(tmp_path / 'm')
    boxes = tmp_path / 'm/metadata/test/localization.txt'
    boxes.write_text('a/1.png,4,6,20,25\n')
    words = r'no box or mask for 1 of 2 images.*b/2.png'
    with pytest.raises(ValueError, match=words):
        build(args, with_boxes=True)
    with pytest.raises(FileNotFoundError, match='no such file'):
        build(dict(layout='metadata', data_root=str(tmp_path), split='test'))
    with pytest.raises(ValueError, match="layout is 'coco'"):
        WSOLDataset('coco', str(tmp_path), 'test')
    with pytest.raises(ValueError, match="split is 'val'"):
        build(layouts.write_cub(tmp_path, 'val'))
    path = tmp_path / 'v'
    args = layouts.write_voc(path)
    (path / 'ImageSets/Main/dog_test.txt').unlink()
    with pytest.raises(FileNotFoundError, match='dog_test'):
        build(args)


# -- trial data -------------------------------------------------------------


def test_tiny_imagenet_of_the_trial_data():
    root = TRIAL / 'tiny_imagenet32_24c'
    if not root.is_dir():
        pytest.skip(f'{root}: no trial data')
    args = dict(layout='tiny_imagenet', data_root=str(root))
    train = build(args, split='train')
    halved = dict(box_file='boxes64.csv', box_scale=0.5)
    val = build(args, split='val', layout_args=halved, with_boxes=True)
    assert (len(train), len(val)) == (2400, 1200)
    labels = np.bincount(val.get_gt_labels())
    assert labels.tolist() == [50] * 24 and len(train.CLASSES) == 24
    by_id = {row[0]: row[1:] for row in rows(val)}
    label, boxes = by_id['val/images/val_256.JPEG']
    assert train.CLASSES[label] == 'n02814533'
    assert boxes == [[1.5, 13.5, 31.5, 29.5]]
