import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmocc.datasets.yolo_coco import (
    ORIENTATION,
    annotation,
    image_size,
    parse_line,
    yolo_to_coco,
)

TOOL = (
    Path(__file__)
    .resolve()
    .parents[2]
    .joinpath('tools/dataset_converters/yolo_to_coco.py')
)
CLASSES = ['cat', '', 'dog']


@pytest.fixture
def folders(tmp_path):
    """Return folders with two images, one of them labelled."""
    images, labels = tmp_path / 'images', tmp_path / 'labels'
    for folder in (images / 'sub', labels / 'sub'):
        folder.mkdir(parents=True)
    pixels = np.zeros((50, 100, 3), np.uint8)
    Image.fromarray(pixels).save(images / 'sub' / 'a.jpg')
    Image.fromarray(pixels).save(images / 'b.png')
    write(labels, '2 0.5 0.5 0.2 0.4\n\n0 0.1 0.2 0.3 0.2 0.3 0.6\n')
    return images, labels


def write(labels, text):
    (labels / 'sub' / 'a.txt').write_text(text)


def test_a_box_is_its_middle_and_size():
    found = annotation(*parse_line('2 0.5 0.5 0.2 0.4', 3), (100, 50))
    assert found == dict(
        category_id=2, bbox=[40, 15, 20, 20], area=400, iscrowd=0
    )


def test_a_polygon_has_the_area_of_its_inside():
    # A right triangle with legs of 20 and 20 pixels.
    found = annotation(*parse_line('0 .1 .2 .3 .2 .3 .6', 3), (100, 50))
    assert found['bbox'] == [10, 10, 20, 20]
    assert found['area'] == 200
    assert found['segmentation'] == [[10, 10, 30, 10, 30, 30]]


def test_what_reaches_over_the_border_is_cut_and_what_is_empty_left_out():
    cut = annotation(0, np.array([0.0, 0.5, 0.5, 1.0]), (100, 50))
    assert cut['bbox'] == [0, 0, 25, 50]
    assert annotation(0, np.array([0.5, 0.5, 0.0, 0.4]), (100, 50)) is None
    line = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])
    assert annotation(0, line, (64, 64)) is None


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('3 .5 .5 .2 .2', 'class 3 is none of 0 to 2'),
        ('0 .5 .5 .2', '3 numbers behind the class'),
        ('0 .5 .5 .2 .2 .1', '5 numbers'),
        ('0 .5 .5 1.2 .2', r'shares of the image, in \[0, 1\]'),
        ('0 .5 nan .2 .2', 'shares of the image'),
        ('cat .5 .5 .2 .2', 'cat'),
        ('1 .5 .5 .2 .2', 'class 1 has no name'),
    ],
)
def test_a_bad_line_is_named(folders, line, message):
    write(folders[1], f'0 .5 .5 .2 .2\n{line}\n')
    with pytest.raises(ValueError, match=rf'a\.txt, line 2: .*{message}'):
        yolo_to_coco(*folders, CLASSES)


def test_the_tool_writes_what_mm_reads(folders, run_tool, tmp_path):
    (folders[1] / 'c.txt').touch()
    (tmp_path / 'names.txt').write_text('cat\n\ndog\n')
    out = tmp_path / 'out' / 'coco.json'
    result = run_tool(TOOL, *folders, tmp_path / 'names.txt', out)
    assert result.returncode == 0, result.stderr
    assert '2 images, 2 objects; 1 images without a label' in result.stdout
    assert '1 label files without an image' in result.stdout
    content = json.loads(out.read_text())
    names = [dict(id=0, name='cat'), dict(id=2, name='dog')]
    assert content['categories'] == names
    assert [i['file_name'] for i in content['images']] == [
        'b.png',
        'sub/a.jpg',
    ]
    dataset = pytest.importorskip('mmdet.datasets').CocoDataset(
        ann_file=str(out),
        data_prefix=dict(img=str(folders[0])),
        metainfo=dict(classes=('cat', 'dog')),
    )
    labels = [item['bbox_label'] for item in dataset[1]['instances']]
    assert labels == [1, 0]


def test_a_missing_folder_or_image_is_named(folders, tmp_path, run_tool):
    images, labels = folders
    with pytest.raises(FileNotFoundError, match='nowhere is not a folder'):
        yolo_to_coco(images, tmp_path / 'nowhere', CLASSES)
    with pytest.raises(ValueError, match='labels holds no image'):
        yolo_to_coco(labels, labels, CLASSES)
    (images / 'b.png').write_text('no image')
    (tmp_path / 'names.txt').write_text('cat\n\ndog\n')
    result = run_tool(
        TOOL, images, labels, tmp_path / 'names.txt', tmp_path / 'x.json'
    )
    assert result.returncode == 1
    assert 'b.png is not a readable image' in result.stderr
    assert 'Traceback' not in result.stderr


def test_a_photo_is_measured_as_exif_turns_it(tmp_path):
    image = Image.new('RGB', (40, 30))
    exif = image.getexif()
    exif[ORIENTATION] = 6
    image.save(tmp_path / 'turned.jpg', exif=exif)
    image.save(tmp_path / 'plain.jpg')
    assert image_size(tmp_path / 'turned.jpg') == (30, 40)
    assert image_size(tmp_path / 'plain.jpg') == (40, 30)
