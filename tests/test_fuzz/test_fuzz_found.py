"""What fuzzing has found: each once more, by itself."""

import io
import json

import numpy as np
import pytest
import torch
from fuzzing import bounded
from PIL import Image

from mmocc.datasets import occlusion_masks, pascal3d_boxes
from mmocc.datasets.anomaly import boxes, layouts
from mmocc.datasets.transforms.crop_object import read_index_mask
from mmocc.datasets.voc_layout import parse_voc_xml, read_split
from mmocc.datasets.wsol import cub, ilsvrc, metadata, tiny_imagenet
from mmocc.evaluation.anomaly_pages import paste_maps
from mmocc.evaluation.localization import scale_boxes
from mmocc.evaluation.temporal_segments import map_to_segments
from mmocc.models.hide_and_seek.batch_hide_and_seek import BatchHideAndSeek
from mmocc.occlusion.cutouts import ANCHORS, read_anchors
from mmocc.occlusion.grid import check_grid, check_segments
from mmocc.report.occluded_coco import read_subset

coco = pytest.importorskip('mmocc.datasets.coco_masks')
affectnet, face_folder = (
    pytest.importorskip(f'mmocc.datasets.{name}', exc_type=ImportError)
    for name in ('affectnet', 'face_folder')
)
coco_set = pytest.importorskip('mmocc.occluded_sets.coco')

SIZE = (8, 6)
MASKS = '[a]\n' + ''.join(f'{key}: 1, 2\n' for key in ANCHORS)


def refuses(path, data, read, told=''):
    """Write a file; check that the error of reading it names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ValueError, match=told) as error:
        read()
    assert str(path) in str(error.value)


def test_a_list_that_is_not_utf8_is_named(tmp_path):
    refuses(
        tmp_path / 'ImageSets/Main/a.txt',
        b'\xff',
        lambda: read_split(tmp_path, 'a'),
        'UTF-8',
    )
    refuses(
        tmp_path / 'image_ids.txt',
        b'a.jpg\n\xff',
        lambda: metadata.read_image_ids(tmp_path),
        'UTF-8',
    )


def test_a_table_that_is_no_csv_is_named(tmp_path):
    long = 'path,expression\n"' + 'a' * 200_000
    path = tmp_path / 'a.csv'
    read = face_folder.read_labelled
    refuses(path, long, lambda: read(path, {'1': 'Fear'}), 'field larger')
    path = tmp_path / 'visa.csv'
    data = b'object,split,label,image\n\xff'
    read = layouts.read_visa
    refuses(path, data, lambda: read(tmp_path, 'test', None, path.name))
    (tmp_path / 'train/n1').mkdir(parents=True)
    path = tmp_path / 'boxes.csv'
    reader = tiny_imagenet.TinyImageNetReader(
        tmp_path, 'val', box_file=path.name
    )
    refuses(path, 'a\n' + 'a' * 200_000, reader.boxes, 'field larger')


@pytest.mark.parametrize('word', ['nan', 'inf'])
def test_landmarks_are_finite(tmp_path, word):
    names = ','.join(face_folder.LANDMARKS)
    path = tmp_path / 'a.csv'
    refuses(
        path,
        f'path,expression,{names}\na.png,1' + ',1' * 9 + f',{word}\n',
        lambda: face_folder.read_labelled(path, {'1': 'Fear'}),
        'line 2.*finite',
    )
    row = ['a/b.jpg', 1, 2, word, 40, ';'.join(['5'] * 136), 3, 0, 0]
    refuses(
        tmp_path / 'validation.csv',
        ','.join(map(str, row)),
        lambda: affectnet.read_affectnet(tmp_path, 'val', 'old', True),
        'line 1.*finite',
    )


@pytest.mark.parametrize(
    ('content', 'told'),
    [
        (MASKS.replace('1, 2', '%(b)s, 2', 1), 'must each be'),
        (MASKS.replace('1, 2', 'nan, 2', 1), 'must each be'),
        (MASKS.replace('1, 2', '1e39, 2', 1), 'must each be'),
        (MASKS + MASKS, 'no list of anchors'),
        (MASKS + 'mask_a: 1, 2\n', 'no list of anchors'),
    ],
)
def test_odd_anchors_are_refused(tmp_path, content, told):
    path = tmp_path / 'masks.cfg'
    refuses(path, content, lambda: read_anchors(path), told)


def test_an_encoding_unknown_to_the_parser_is_named(tmp_path):
    path = tmp_path / 'a.xml'
    data = '<?xml version="1.0" encoding="euc-jp"?><annotation/>'
    refuses(path, data, lambda: parse_voc_xml(path), 'not a readable XML')


@pytest.mark.parametrize('far', ['1e308', '1e30', '-1e308'])
def test_a_box_beyond_all_images_is_refused(tmp_path, far):
    path = tmp_path / 'a.xml'
    corners = dict(xmin=1, ymin=1, xmax=9, ymax=9)
    corners['xmin' if far[0] == '-' else 'xmax'] = far
    box = ''.join(f'<{k}>{v}</{k}>' for k, v in corners.items())
    data = f'<object><name>a</name><bndbox>{box}</bndbox></object>'
    data = f'<annotation>{data}</annotation>'
    refuses(path, data, lambda: parse_voc_xml(path), 'object 1')
    low, high = (far, 2) if far[0] == '-' else (1, far)
    refuses(  # in float32, 1e39 is inf
        tmp_path / 'localization.txt',
        f'a.jpg,{low},1,{high},2'.replace('e30', 'e39'),
        lambda: metadata.read_localization(tmp_path),
        'line 1',
    )


def test_labels_that_count_from_elsewhere_are_refused(tmp_path):
    (tmp_path / 'images.txt').write_text('1 a/b.jpg\n')
    (tmp_path / 'train_test_split.txt').write_text('1 0\n')
    reader = cub.CUBReader(tmp_path, 'test')
    for label in ('0', 'x', '-3'):
        path = tmp_path / 'image_class_labels.txt'
        refuses(path, f'1 {label}\n', reader.images, r'a/b\.jpg is ')
    reader = ilsvrc.ILSVRCReader(tmp_path, 'val')
    path = tmp_path / 'meta/val.txt'
    path.parent.mkdir()
    path.touch()
    reader = ilsvrc.ILSVRCReader(tmp_path, 'val')
    refuses(path, 'a.JPEG -1\n', reader.images, 'count from 0')


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'PK\x05\x06' + 18 * b'\0',  # an empty archive
        npy(np.array(np.inf)),
        npy(np.array(1j)),
        npy(np.zeros(1)).replace(b'(1,)', b'(9999999999999,)', 1),
    ],
)
def test_a_damaged_label_of_affectnet_is_named(tmp_path, content):
    images = tmp_path / 'val_set/images'
    images.mkdir(parents=True)
    (images / '7.jpg').touch()
    with bounded():
        refuses(
            tmp_path / 'val_set/annotations/7_exp.npy',
            content,
            lambda: affectnet.read_affectnet(tmp_path, 'val', 'new', True),
            'not one label',
        )


@pytest.mark.parametrize('shape', [(0, 5), (5, 5, 0)])
def test_a_mask_without_pixels_is_named(tmp_path, shape):
    path = tmp_path / 'a.npz'
    np.savez(path, mask=np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=rf'{path}: a mask of'):
        occlusion_masks.read_object_mask(str(path), SIZE)


def test_boxes_of_occluders_are_finite():
    values = np.array([[0, 5, 0, np.inf, 9, 9]])
    with pytest.raises(ValueError, match='NaN or inf'):
        pascal3d_boxes.read_occluder_boxes(values)


def test_a_picture_of_too_many_pixels_is_named(tmp_path, monkeypatch):
    path = tmp_path / 'a.png'
    Image.new('L', (30, 30)).save(path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 400)
    for read in (occlusion_masks.read_white, read_index_mask):
        with pytest.raises(ValueError, match=rf'{path}: unreadable'):
            read(str(path))


def test_run_lengths_that_end_early_are_refused():
    # pycocotools leaves the other pixels as they come.
    for counts in ('', '5', b'\x80', 'o' * 99, [40]):
        runs = dict(size=list(SIZE), counts=counts)
        with pytest.raises(ValueError, match='here: '):
            coco.decode_segmentation(runs, SIZE, 'here')


def test_compressed_run_lengths_are_what_pycocotools_writes():
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    for share in (0, 0.1, 0.5, 1):
        mask = (rng.random((40, 300)) < share).astype(np.uint8, order='F')
        mask[:, 100:250] = share > 0.3
        runs = coco_mask.encode(mask)
        assert sum(coco.expand_counts(runs['counts'], '')) == mask.size
        for counts in (runs['counts'], runs['counts'].decode()):
            given = dict(size=[40, 300], counts=counts)
            found = coco.decode_segmentation(given, (40, 300), '')
            assert np.array_equal(found, mask)


def test_a_polygon_far_away_is_refused_not_drawn():
    polygon = [0, 0, 1e8, 0, 0, 1e8]
    with bounded(), pytest.raises(ValueError, match=r'here: .*far beyond'):
        coco.decode_segmentation([polygon], SIZE, 'here')


NOTE = dict(id=1, image_id=1, category_id=1)
IMAGE = dict(id=1, file_name='a.jpg')


@pytest.mark.parametrize(
    'content',
    [
        '[' * 100_000,
        dict(images=[5], annotations=[], categories=[]),
        dict(
            images=[dict(id=[], file_name='a')], annotations=[], categories=[]
        ),
        dict(images=[dict(id=1, file_name=5)], annotations=[], categories=[]),
    ],
)
def test_a_coco_file_of_other_types_is_named(tmp_path, content):
    path = tmp_path / 'coco.json'
    text = content if isinstance(content, str) else json.dumps(content)
    refuses(path, text, lambda: coco_set.read_coco(path))


@pytest.mark.parametrize(
    'wrong',
    [
        dict(bbox=5),
        dict(bbox=[1e308, 1, 1e308, 1]),
        dict(segmentation='x'),
        dict(segmentation=dict(size=5, counts=[48])),
    ],
)
def test_an_annotation_of_other_types_is_named(tmp_path, wrong):
    path = tmp_path / 'coco.json'
    document = dict(
        images=[IMAGE],
        annotations=[NOTE | wrong],
        categories=[dict(id=1, name='cat')],
    )
    source = coco_set.COCOSource(path, tmp_path)
    refuses(
        path,
        json.dumps(document),
        lambda: source.objects(*source.items(), SIZE),
        'annotation 1: ',
    )


@pytest.mark.parametrize(
    'content',
    [
        '{',
        '{"a.png": {"b": 1}}',
        '{"a.png": [[1], [1, 2]]}',
        '{"a.png": [[0, 0, 1e39, 1, 1]]}',
        '[{"img_path": "a", "pred_instances": {"bboxes": ["x"], '
        '"scores": [1]}}]',
    ],
)
def test_detections_of_other_types_are_named(tmp_path, content):
    path = tmp_path / 'found.json'
    refuses(path, content, lambda: boxes.read_detections(path, 0))


def test_a_box_far_beyond_its_image_is_scaled_to_the_border():
    with np.errstate(over='ignore'):
        found = scale_boxes(np.array([[0, 0, 1e300, 5]]), (9, 9), (9, 9))
    assert found.tolist() == [[0, 0, 8, 5]]


def test_a_segment_is_no_stronger_than_its_peak():
    _, strength = map_to_segments(np.full(3, np.float32(0.1)))
    assert strength <= 1
    _, strength = map_to_segments(np.full(3, 0.1))
    assert strength <= 1


@pytest.mark.parametrize('size', [np.inf, np.nan, -1, 1.5])
def test_sizes_that_are_no_numbers_of_pixels_are_refused(size):
    for check in (check_grid, check_segments):
        with pytest.raises(ValueError, match='must be whole numbers'):
            check([size], 0.5)


def test_a_map_of_a_huge_box_is_pasted():
    box = np.array([[-1e30, 0, 1e30, 2]])
    ones = np.ones((1, 4, 4), np.float32)
    out = paste_maps(np.zeros((3, 5), np.float32), ones, box, np.ones(1))
    assert out.sum(1).tolist() == [5, 5, 0]


@pytest.mark.parametrize(
    ('suffix', 'content'),
    [
        ('json', '[' * 100_000),
        ('json', '[["a", "b", 1e999, [1, 2, 3, 4], null]]'),
        ('json', '[["a", "b", 1, [1e308, 2, 1e308, 4], null]]'),
        ('pkl', b'\x80\x04c\xff\n\n.'),
        ('pkl', b'\x80\x02]r\xff\xff\xff\x7f.'),  # a memo of 2^31 entries
        ('pkl', b'\x80\x04\x95' + b'\xff' * 7 + b'\x00]'),  # 2^56 bytes
        ('pkl', b'(lp0\n0.'),
    ],
)
def test_a_damaged_list_of_hard_objects_is_named(tmp_path, suffix, content):
    path = tmp_path / f'hard.{suffix}'
    with bounded():
        refuses(path, content, lambda: read_subset(path, 'xywh'))


def test_a_batch_without_images_stays_one():
    out, _ = BatchHideAndSeek([4])(torch.zeros(0, 3, 8, 8))
    assert out.shape == (0, 3, 8, 8)
