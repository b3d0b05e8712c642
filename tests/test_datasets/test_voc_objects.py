"""VOCObjects on tiny VOC layouts, and on real photographs where present."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_datasets.test_occluded_pascal3d import record_log

from mmocc.datasets.voc_layout import parse_voc_xml
from mmocc.registry import DATASETS

voc_objects = pytest.importorskip(
    'mmocc.datasets.voc_objects',
    reason='VOCObjects needs mmpretrain',
    exc_type=ImportError,
)
VOC_CLASSES = voc_objects.VOC_CLASSES
crop_window = voc_objects.crop_window

BCCD = Path(__file__).resolve().parents[3] / 'shared/data/bccd_voc'
LOAD = dict(type='LoadImageFromFile')
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">'
    + ''.join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    + ']><annotation><object><name>&l9;</name></object></annotation>'
)
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    '<annotation><object><name>&x;</name></object></annotation>'
)


def tags(**values):
    return ''.join(f'<{k}>{v}</{k}>' for k, v in values.items())


def obj(name='dog', box=(1, 1, 10, 10), **flags):
    corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    return tags(object=tags(name=name, **flags, bndbox=tags(**dict(corners))))


def write_xml(root, img_id, *objects, size=(60, 40)):
    stated = tags(size=tags(width=size[0], height=size[1])) if size else ''
    text = tags(annotation=stated + ''.join(objects))
    (root / 'Annotations' / f'{img_id}.xml').write_text(text)


def make_root(root, **images):
    """Write a layout: one 60x40 image per keyword, with these objects."""
    for name in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / name).mkdir(parents=True)
    for img_id, objects in images.items():
        Image.new('RGB', (60, 40)).save(root / f'JPEGImages/{img_id}.jpg')
        write_xml(root, img_id, *objects)
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(images) + '\n')
    return root


@pytest.fixture
def voc(tmp_path):
    return make_root(
        tmp_path / 'voc',
        a=[
            obj('dog', (11, 6, 30, 25), difficult=0, truncated=1, occluded=1),
            obj('cat', (41, 1, 60, 4), difficult=1, truncated=0, occluded=0),
        ],
        b=[obj('dog', ('2.5', '3.5', '7.25', '9'), difficult=0, truncated=0)],
    )


def load(root, **kwargs):
    kwargs = dict(dict(data_root=root, split='train'), **kwargs)
    return DATASETS.build(dict(kwargs, type='mmocc.VOCObjects'))


def test_a_sample_has_every_field_in_half_open_pixels(voc):
    # 1-based inclusive 11..30 x 6..25 is 0-based [10, 30) x [5, 25); a tenth
    # of 20 pixels is added on each side.
    info = load(voc, context=0.1)[0]
    box = info.pop('gt_bboxes')
    assert box.dtype == np.float32 and box.tolist() == [[2, 2, 22, 22]]
    assert info.items() >= dict(
        img_path=str(voc / 'JPEGImages/a.jpg'), seg_map_path=None,
        gt_label=VOC_CLASSES.index('dog'), crop_box=[8, 3, 32, 27],
        difficult=0, truncated=1, occluded=1,
        img_id='a', object_id='a_1', instance_id=1,
    ).items()  # fmt: skip
    # The file of b does not state the flag.
    assert [item['occluded'] for item in load(voc)] == [1, 0, -1]
    assert str(voc) in repr(load(voc))


@pytest.mark.parametrize(
    ('box', 'context', 'window', 'inner'),
    [
        ((40, 0, 60, 4), 0.5, [30, 0, 60, 6], [10, 0, 30, 4]),  # clipped
        ((-4, -2, 6, 8), 0, [0, 0, 6, 8], [0, 0, 6, 8]),  # partly outside
    ],
)
def test_the_window_is_clipped_and_holds_the_exact_box(
    box, context, window, inner
):
    outer, exact = crop_window(box, (60, 40), context)
    assert outer == window
    assert exact.tolist() == [inner]


def test_float_coordinates_and_a_box_of_one_pixel_are_exact(voc):
    info = load(voc, context=0)[2]
    assert info['crop_box'] == [1, 2, 8, 9]
    assert info['gt_bboxes'].tolist() == [[0.5, 0.5, 6.25, 7]]
    write_xml(voc, 'a', obj(box=(5, 5, 5, 5)))
    assert load(voc, context=0)[0]['crop_box'] == [4, 4, 5, 5]


def test_parts_of_an_object_do_not_replace_its_own_name_and_box(tmp_path):
    part = '<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>'
    text = obj('dog', (3, 3, 9, 9)).replace('<name>', part + '<name>', 1)
    path = tmp_path / 'x.xml'
    path.write_text(f'<annotation>{text}</annotation>')
    item = parse_voc_xml(path).objects[0]
    assert (item.name, item.box) == ('dog', (2, 2, 9, 9))


@pytest.mark.parametrize('size', [None, (0, 0)])
def test_a_missing_size_is_read_from_the_image(voc, size):
    write_xml(voc, 'a', obj('dog', (50, 30, 80, 80)), size=size)
    assert load(voc, context=0)[0]['crop_box'] == [49, 29, 60, 40]
    (voc / 'JPEGImages/a.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'a\.jpg: unreadable image'):
        load(voc)


def test_masks_are_found_by_the_image_id(voc):
    (voc / 'SegmentationObject').mkdir()
    path = voc / 'SegmentationObject/b.png'
    Image.new('P', (60, 40)).save(path)
    paths = [item['seg_map_path'] for item in load(voc)]
    assert paths == [None, None, str(path)]


def test_several_roots_follow_each_other_each_with_its_split(voc, tmp_path):
    other = make_root(tmp_path / 'more', c=[obj('bus')])
    (other / 'ImageSets/Main/train.txt').rename(
        other / 'ImageSets/Main/val.txt'
    )
    data = load([str(voc), str(other)], split=['train', 'val'])
    assert [d['object_id'] for d in data] == ['a_1', 'a_2', 'b_1', 'c_1']


@pytest.mark.parametrize(
    ('wanted', 'ids'),
    [
        (dict(truncated=True), ['a_1']),
        (dict(truncated=False), ['a_2', 'b_1']),
        (dict(difficult=True), ['a_2']),
        (dict(difficult=False, truncated=False), ['b_1']),
        (dict(min_size=5), ['a_1', 'b_1']),  # a_2 is four pixels high
    ],
)
def test_a_filter_keeps_what_equals_it(voc, wanted, ids):
    assert [d['object_id'] for d in load(voc, **wanted)] == ids


def test_what_the_filters_drop_is_counted_in_the_log(voc, monkeypatch):
    lines = record_log(monkeypatch, voc_objects)
    load(voc, difficult=False, min_size=10)
    (line,) = lines
    assert '1 of 3 objects kept' in line
    assert 'difficult=False: 1, min_size=10: 1' in line


def test_wrong_arguments_are_refused_with_a_remedy(voc):
    with pytest.raises(ValueError, match=r'b_1 of .*b\.jpg.*occluded=None'):
        load(voc, occluded=False)
    with pytest.raises(ValueError, match=r'no object is left.*min_size=99: 3'):
        load(voc, min_size=99)
    with pytest.raises(ValueError, match=r'1 data_root .* 2 split'):
        load(voc, split=['train', 'val'])
    with pytest.raises(ValueError, match=r'context is -0\.1'):
        load(voc, context=-0.1)


@pytest.mark.parametrize(
    ('gone', 'message'),
    [
        ('', r'voc: no such folder'),
        ('Annotations/b.xml', r'b\.xml: no such annotation'),
        ('JPEGImages/b.jpg', 'JPEGImages/b: no image'),
    ],
)
def test_a_missing_file_is_named(voc, gone, message):
    (voc / gone).rename(voc.parent / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=message):
        load(voc)


def test_a_missing_or_empty_split_is_named(voc):
    with pytest.raises(FileNotFoundError, match=r'val\.txt.*here are: train'):
        load(voc, split='val')
    (voc / 'ImageSets/Main/train.txt').write_text(' \n\n')
    with pytest.raises(ValueError, match=r'train\.txt: the list is empty'):
        load(voc)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation><object>', 'not a readable XML'),
        ('', 'not a readable XML'),
        ('no xml', 'not a readable XML'),
        (LAUGHS, 'refused.*entities'),
        (OUTSIDE, 'refused.*entities'),
    ],
)
def test_a_broken_or_hostile_annotation_is_named(voc, text, message):
    (voc / 'Annotations/a.xml').write_text(text)
    with pytest.raises(ValueError, match=rf'a\.xml: {message}'):
        load(voc)


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (obj('unicorn'), "unknown class 'unicorn'"),
        (obj(box=(9, 1, 3, 5)), 'inverted or empty box xmin=9'),
        (obj(box=(1, 7, 3, 6)), 'inverted or empty box'),
        (obj(box=(1, 1, 'nan', 5)), 'inverted or empty box'),
        (obj(box=(1, 1, 'wide', 5)), "'xmax': 'wide'.*four numbers"),
        (obj(box=(61, 1, 70, 5)), 'wholly outside its image of 60 x 40'),
        (obj(box=(-9, 1, 0, 5)), 'wholly outside'),
        (obj(truncated='maybe'), "<truncated> is 'maybe'; it must be 0 or 1"),
        (obj(name=''), 'has no <name>'),
        ('<object><name>dog</name></object>', 'four numbers'),
    ],
)
def test_a_bad_object_is_named_with_its_file(voc, bad, message):
    write_xml(voc, 'a', bad)
    with pytest.raises(ValueError, match=rf'a\.xml, object 1: .*{message}'):
        load(voc)


@pytest.mark.skipif(
    not BCCD.is_dir(), reason='no BCCD data beside the project'
)
def test_real_blood_cells_give_one_crop_per_annotated_cell():
    data = load(
        BCCD,
        split=['test'],
        classes=('RBC', 'WBC', 'Platelets'),
        pipeline=[LOAD, dict(type='mmocc.CropObject')],
    )
    ids = (BCCD / 'ImageSets/Main/test.txt').read_text().split()
    files = [(BCCD / f'Annotations/{i}.xml').read_text() for i in ids]
    assert len(data) == ''.join(files).count('<object>') > 900
    for sample in (data[i] for i in range(0, len(data), 100)):
        x1, y1, x2, y2 = sample['crop_box']
        assert sample['img'].shape == (y2 - y1, x2 - x1, 3)
        left, top, right, bottom = sample['gt_bboxes'][0]
        assert 0 <= left < right <= x2 - x1
        assert 0 <= top < bottom <= y2 - y1
