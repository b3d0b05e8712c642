"""Inputs from the field: each kind is read, or refused by name."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from wsol_layouts import write_ilsvrc, write_lines, write_metadata, write_voc

from mmocc.datasets.anomaly.layouts import LAYOUTS
from mmocc.datasets.coco_layout import read_coco
from mmocc.datasets.coco_masks import decode_segmentation
from mmocc.datasets.lists import read_names, require_files
from mmocc.datasets.transforms.occlude_objects import instance_regions
from mmocc.datasets.voc_layout import parse_voc_xml, read_split
from mmocc.datasets.wsol import LAYOUTS as WSOL
from mmocc.occlusion.banks import load_textures
from mmocc.occlusion.cutouts import load_kinds
from mmocc.registry import DATASETS, TRANSFORMS

pytest.importorskip('mmpretrain', reason='most readers need mmpretrain')

BOX = (11, 6, 40, 30)  # 1-based, inclusive
BOM = '\ufeff'


def xml_object(name='cell', box=BOX, **flags):
    """Return the XML of an object."""
    corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    return tags(object=dict(name=name, **flags, bndbox=dict(corners)))


def tags(**values):
    """Return XML elements, dicts being nested ones."""
    return ''.join(
        f'<{k}>{tags(**v) if isinstance(v, dict) else v}</{k}>'
        for k, v in values.items()
    )


def save(path, size=(60, 40), orientation=None):
    """Write a picture of (w, h), stored so, with an orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new('RGB', size, 'grey').save(path, exif=exif)
    return path


def write(root, objects=None, line='a', photo='a.jpg', size=(60, 40), **save_):
    """Write a VOC set of one photo; return arguments of its reader."""
    save(root / 'JPEGImages' / photo, **save_)
    objects = xml_object(difficult=0) if objects is None else objects
    stated = tags(size=dict(width=size[0], height=size[1]))
    xml = root / 'Annotations' / f'{Path(photo).with_suffix("")}.xml'
    write_lines(xml, f'<annotation>{stated}{objects}</annotation>')
    write_lines(root / 'ImageSets/Main/train.txt', line)
    return dict(data_root=str(root), split='train', classes=['cell'])


def load(args, **more):
    args = dict(args, context=0, **more)
    return DATASETS.build(dict(args, type='mmocc.VOCObjects'))


@pytest.fixture
def notes(monkeypatch):
    """Return what VOCObjects, lister and layouts write to the log."""
    from mmocc.datasets import voc_layout, voc_objects
    from mmocc.utils import files

    lines = []
    for module in (files, voc_layout):
        monkeypatch.setattr(module, 'note', lines.append)
    monkeypatch.setattr(
        voc_objects, 'print_log', lambda text, **_: lines.append(text)
    )
    return lines


@pytest.mark.parametrize(
    ('line', 'photo', 'img_id'),
    [
        (BOM + 'a', 'a.jpg', 'a'),
        ('a.jpg', 'a.jpg', 'a'),
        ('a.JPG', 'a.png', 'a'),
        ('a', 'a.tif', 'a'),
        ('a', 'a.TIFF', 'a'),
        ('a', 'a.webp', 'a'),
        ('a.b', 'a.b.JPEG', 'a.b'),
        ('sub/a', 'sub/a.jpg', 'sub/a'),
        ('"two words/a"', 'two words/a.jpg', 'two words/a'),
        ('JPEGImages/sub/a.jpg', 'sub/a.jpg', 'sub/a'),
        ('sub\\a.jpg', 'sub/a.jpg', 'sub/a'),
        ('x' * 240, 'x' * 240 + '.jpg', 'x' * 240),
    ],
)
def test_a_split_names_photos_in_many_ways(tmp_path, line, photo, img_id):
    (sample,) = load(write(tmp_path, line=line, photo=photo))
    assert sample['img_id'] == img_id
    assert sample['img_path'] == str(tmp_path / 'JPEGImages' / photo)
    assert sample['crop_box'] == [10, 5, 40, 30]


def test_a_photo_is_found_by_folder_and_filename(tmp_path):
    names = tags(folder='sub', filename='b.jpg') + xml_object()
    args = write(tmp_path, names)
    (tmp_path / 'JPEGImages/a.jpg').unlink()
    photo = save(tmp_path / 'JPEGImages/sub/b.jpg')
    assert load(args)[0]['img_path'] == str(photo)
    photo.rename(tmp_path / 'JPEGImages/sub/c.jpg')
    with pytest.raises(FileNotFoundError, match=r'JPEGImages/a: no image'):
        load(args)


def test_pictures_that_differ_in_their_ending_are_counted(tmp_path, notes):
    args = write(tmp_path)
    save(tmp_path / 'JPEGImages/a.png')
    save(tmp_path / 'JPEGImages/._a.jpg')
    assert load(args)[0]['img_path'].endswith('JPEGImages/a.jpg')
    text = '\n'.join(notes)
    assert '1 pictures have the name of another one' in text
    assert '1 pictures with hidden names left out: ._a.jpg' in text


@pytest.mark.parametrize('lines', [['a', 'b', 'a'], ['a', 'b', 'a.jpg']])
def test_a_photo_that_a_split_has_twice_is_named(tmp_path, lines):
    write(tmp_path)
    write_lines(tmp_path / 'ImageSets/Main/train.txt', *lines)
    told = r"train\.txt: 'a' is in line 1 and again in line 3"
    with pytest.raises(ValueError, match=told):
        read_split(tmp_path, 'train')


@pytest.mark.parametrize(
    ('word', 'value', 'count'),
    [('Unspecified', 0, 1), ('yes', 1, 0), ('False', 0, 0)],
)
def test_flags_in_words(tmp_path, notes, word, value, count):
    args = write(tmp_path, xml_object(difficult=word, truncated=0))
    data = load(args, difficult=bool(value))
    assert data[0]['difficult'] == value
    assert data[0]['occluded'] == -1  # still unknown where nothing is said
    assert ('1 flags Unspecified, read as 0' in notes[-1]) == bool(count)


def test_objects_of_other_classes_are_left_out_and_counted(tmp_path, notes):
    both = xml_object() + xml_object('background') * 2
    args = write(tmp_path, both)
    assert [s['object_id'] for s in load(args)] == ['a_1']
    assert '2 objects of another class (background)' in notes[-1]
    data = load(dict(args, classes=['rare', 'background']))
    assert [s['instance_id'] for s in data] == [2, 3]
    assert 'classes without an object (rare)' in notes[-1]
    del args['classes']
    with pytest.raises(ValueError, match="unknown class 'cell'; give"):
        load(args)


def test_a_mark_before_a_list_of_classes_is_not_part_of_a_name(tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text(f'{BOM}cell\r\nplatelet\r\n', encoding='utf-8')
    for data in (
        load(dict(write(tmp_path / 'voc'), classes=str(names))),
        DATASETS.build(
            dict(
                write_ilsvrc(tmp_path / 'wsol', 'train'),
                type='mmocc.WSOLDataset',
                classes=str(names),
            )
        ),
    ):
        assert tuple(data.metainfo['classes']) == ('cell', 'platelet')


def test_photos_without_objects_are_counted(tmp_path, notes):
    args = write(tmp_path)
    write(tmp_path, '', photo='b.jpg')
    write_lines(tmp_path / 'ImageSets/Main/train.txt', 'a', 'b')
    assert len(load(args)) == 1
    assert '1 images without an object' in notes[-1]


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('<html><body/></html>', 'its root is <html>'),
        ('<annotations><image id="0"/></annotations>', 'its root is <annota'),
        (
            f'<annotation><objects>{xml_object()}</objects></annotation>',
            '1 <bndbox>, but no <object> right below',
        ),
    ],
)
def test_foreign_xml_is_not_an_annotation_without_objects(
    tmp_path, text, told
):
    args = write(tmp_path)
    (tmp_path / 'Annotations/a.xml').write_text(text)
    with pytest.raises(ValueError, match=rf'a\.xml: .*{told}'):
        load(args)


@pytest.mark.parametrize('mark', ['', BOM])
def test_a_namespace_or_a_mark_changes_nothing(tmp_path, mark):
    path = tmp_path / 'a.xml'
    head = '<annotation xmlns="http://here/voc"><!-- a comment -->'
    text = f'{mark}{head}{xml_object()}</annotation>'
    path.write_text(text, encoding='utf-8')
    (item,) = parse_voc_xml(path).objects
    assert (item.name, item.box) == ('cell', (10, 5, 40, 30))


def test_boxes_are_read_in_the_photo_as_shown(tmp_path, notes):
    # Stored 60 x 40, shown 40 x 60; 1-based 5..25 is 21 pixels wide.
    args = write(tmp_path, xml_object(box=(5, 20, 25, 58)), orientation=6)
    data = load(args)
    assert data[0]['crop_box'] == [4, 19, 25, 58]
    assert data[0]['photo_shape'] == (60, 40)
    assert 'EXIF orientation' in notes[-1]
    for how, fits in (('color', True), ('unchanged', False)):
        steps = [
            TRANSFORMS.build(dict(type='LoadImageFromFile', color_type=how)),
            TRANSFORMS.build(dict(type='mmocc.CropObject')),
        ]
        sample = steps[0](dict(data[0]))
        if fits:
            assert steps[1](sample)['img'].shape == (39, 21, 3)
        else:
            with pytest.raises(ValueError, match=r'a\.jpg: .*color_type'):
                steps[1](sample)


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (dict(orientation=6), r'a\.xml is for 60 x 40.*EXIF'),
        (dict(orientation=6, size=(50, 40)), 'is for 50 x 40'),
        (dict(size=(40, 60)), 'is 60 x 40 pixels.*is for 40 x 60'),
    ],
)
def test_an_annotation_of_another_size_is_refused(tmp_path, changes, told):
    objects = xml_object(box=(20, 5, 58, 25))
    args = write(tmp_path, objects, **changes)
    with pytest.raises(ValueError, match=told):
        load(args)


def test_a_mask_is_compared_with_the_photo_as_shown(tmp_path):
    args = write(tmp_path, xml_object(box=(5, 20, 25, 58)), orientation=6)
    crop = TRANSFORMS.build(dict(type='mmocc.CropObject', with_mask=True))
    path = tmp_path / 'SegmentationObject/a.png'
    path.parent.mkdir()
    for size, fits in (((40, 60), True), ((60, 40), False)):
        mask = np.ones(size[::-1], np.uint8)
        Image.fromarray(mask).save(path)
        sample = dict(load(args)[0])
        sample['img'] = cv2.imread(sample['img_path'])
        if fits:
            assert crop(sample)['gt_seg_map'].shape == (39, 21)
        else:
            with pytest.raises(ValueError, match=r'a\.png: the mask has'):
                crop(sample)


def test_localization_takes_every_ending_and_no_hidden_folder(tmp_path):
    names = ('a.JPEG', 'b.JPG', 'c.PNG', 'd.jpg')
    for name in (*names, '._a.JPEG'):
        save(tmp_path / 'train/n01' / name)
    save(tmp_path / 'train/.ipynb_checkpoints/a.jpg')
    save(tmp_path / 'train/n02/e.jpg')
    images = WSOL['ilsvrc'](tmp_path, 'train').images()
    assert [i.image_id for i in images] == [
        *(f'train/n01/{name}' for name in names),
        'train/n02/e.jpg',
    ]
    assert [i.label for i in images] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize('layout', ['ilsvrc', 'metadata', 'voc'])
def test_boxes_for_a_photo_of_another_size_are_refused(tmp_path, layout):
    writer = dict(ilsvrc=write_ilsvrc, metadata=write_metadata, voc=write_voc)
    args = writer[layout](tmp_path)
    reader = WSOL[args['layout']](
        args['data_root'],
        args['split'],
        args.get('classes'),
        **args.get('layout_args', {}),
    )
    assert len(reader.boxes()) == 2
    for path in tmp_path.rglob('*'):
        if path.suffix in ('.jpg', '.JPEG', '.png'):
            Image.new('RGB', (41, 30)).save(path)
    with pytest.raises(ValueError, match=r'is 41 x 30 pixels.* 40 x 30'):
        reader.boxes()


def test_boxes_of_classes_that_are_not_named_are_no_truth(tmp_path):
    args = write_voc(tmp_path)
    reader = WSOL['voc'](
        args['data_root'], args['split'], ['cat'], one_object=False
    )
    # `both` shows a cat and a dog, and only the cat is asked for.
    sizes = {key: len(boxes) for key, boxes in reader.boxes().items()}
    assert sizes == {'one': 1, 'both': 1}


def test_repeated_entries_of_lists_are_named(tmp_path):
    args = write_metadata(tmp_path)
    folder = tmp_path / 'metadata/test'
    write_lines(folder / 'image_ids.txt', 'a/1.png', 'b/2.png', 'a/1.png')
    with pytest.raises(ValueError, match=r'more than once: a/1\.png'):
        DATASETS.build(dict(args, type='mmocc.WSOLDataset'))
    write_lines(folder / 'class_labels.txt', 'a/1.png,0', 'a/1.png,1')
    told = r"class_labels\.txt: 'a/1\.png' is in line 1 and again in line 2"
    with pytest.raises(ValueError, match=told):
        DATASETS.build(dict(args, type='mmocc.WSOLDataset'))


def test_hidden_pictures_are_no_faces_and_no_occluders(tmp_path):
    for name in ('Anger/a.jpg', 'Fear/b.jpg', '.thumbnails/c.jpg'):
        save(tmp_path / name)
    for name in ('Anger/._a.jpg', '__MACOSX/Fear/b.jpg'):
        save(tmp_path / name).write_bytes(b'no picture')
    config = dict(type='mmocc.FaceFolder', classes=['Anger', 'Fear'])
    data = DATASETS.build(dict(config, data_root=str(tmp_path)))
    assert [Path(s['img_path']).name for s in data] == ['a.jpg', 'b.jpg']
    assert len(load_textures(tmp_path, 8)) == 2
    for kind in ('cup', '.git'):
        (tmp_path / 'kinds' / kind).mkdir(parents=True)
        picture = np.full((4, 4, 4), 255, np.uint8)
        Image.fromarray(picture).save(tmp_path / 'kinds' / kind / 'a.png')
    assert list(load_kinds(tmp_path / 'kinds')) == ['cup']


def test_home_is_expanded_by_readers_and_banks(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    args = write(tmp_path / 'voc')
    assert len(load(dict(args, data_root='~/voc'))) == 1
    assert len(load_textures('~/voc/JPEGImages', 8)) == 1
    args = write_metadata(tmp_path / 'wsol')
    paths = dict(metadata='~/wsol/metadata', mask_root='~/wsol')
    reader = WSOL['metadata']('~/wsol', 'test', **paths)
    assert [i.path.is_file() for i in reader.images()] == [True, True]
    save(tmp_path / 'faces/Fear/b.jpg')
    config = dict(type='mmocc.FaceFolder', data_root='~/faces')
    assert len(DATASETS.build(config)) == 1


def write_anomalies(root, good, masks):
    """Write a category with one good and one defective test image."""
    for name in (f'train/{good}', f'test/{good}', 'test/bad', 'validation/ok'):
        save(root / 'c' / name / '000.png')
    for name, (x1, x2) in masks.items():
        mask = np.zeros((40, 60), np.uint8)
        mask[5:15, x1:x2] = 255
        path = root / 'c/ground_truth/bad' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)


@pytest.mark.parametrize(
    ('layout', 'good', 'masks'),
    [
        ('mvtec', 'good', {'000_mask.png': (0, 30)}),
        (
            'mvtec_loco',
            'good',
            {'000/000.png': (0, 10), '000/001.png': (20, 30)},
        ),
        ('btad', 'ok', {'000.bmp': (0, 30)}),
    ],
)
def test_layouts_like_mvtec(tmp_path, layout, good, masks):
    pytest.importorskip('mmdet')
    write_anomalies(tmp_path, good, masks)
    assert [i.kind for i in LAYOUTS[layout](tmp_path, 'train')] == ['good']
    data = DATASETS.build(
        dict(
            type='mmocc.AnomalyImages',
            data_root=str(tmp_path),
            layout=layout,
            split='test',
            pipeline=[],
        )
    )
    infos = {i['kind']: i for i in map(data.get_data_info, range(2))}
    assert [x['anomaly'] for x in infos['good']['instances']] == [0]
    assert [x['anomaly'] for x in infos['bad']['instances']] == [1]
    step = TRANSFORMS.build(dict(type='mmocc.LoadAnomalyAnnotations'))
    # 10 rows of 30 columns, or of twice 10: the union of the masks.
    marked = step(infos['bad'])['gt_seg_map'].sum()
    assert marked == 10 * sum(x2 - x1 for x1, x2 in masks.values())
    assert len(LAYOUTS[layout](tmp_path, 'validation')) == 1
    save(tmp_path / 'c/ground_truth/bad/000.jpg')
    with pytest.raises(ValueError, match='both the mask of'):
        LAYOUTS[layout](tmp_path, 'test')


def test_visa_with_a_mark_and_with_a_repeated_row(tmp_path):
    for name in ('Images/Normal/0.JPG', 'Images/Anomaly/1.JPG'):
        save(tmp_path / 'candle/Data' / name)
    save(tmp_path / 'candle/Data/Masks/Anomaly/1.png')
    data = 'candle/Data'
    rows = [
        BOM + 'object,split,label,image,mask',
        f'candle,test,normal,{data}/Images/Normal/0.JPG,',
        f'candle,test,anomaly,{data}/Images/Anomaly/1.JPG,'
        f'{data}/Masks/Anomaly/1.png',
    ]
    table = tmp_path / 'split_csv/1cls.csv'
    write_lines(table, *rows)
    kinds = [i.kind for i in LAYOUTS['visa'](tmp_path, 'test')]
    assert kinds == ['good', 'anomaly']
    write_lines(table, *rows, rows[1])
    with pytest.raises(ValueError, match='in line 2 and again in line 4'):
        LAYOUTS['visa'](tmp_path, 'test')


POLYGON = [1, 1, 5, 1, 5, 5, 1, 5]


@pytest.mark.parametrize(
    ('segmentation', 'pixels'),
    [
        ([[]], None),
        ([], None),
        ([[1, 1], [2, 2, 3, 3]], None),
        ([[], POLYGON], 16),
    ],
)
def test_polygons_without_an_area_have_no_pixel(segmentation, pixels):
    mask = decode_segmentation(segmentation, (8, 8), 'here')
    assert pixels == (None if mask is None else mask.sum())
    # The report takes the same object: its mask, or the box of 4 x 2 pixels.
    item = dict(bbox=[2, 2, 6, 4], mask=segmentation, ignore_flag=0)
    sample = dict(img=np.zeros((8, 8, 3), np.uint8), instances=[item])
    ((region,), _) = instance_regions(sample)
    assert region.mask.sum() == (pixels or 8)


@pytest.mark.parametrize(
    ('part', 'told'),
    [
        ('images', 'two images have the same id: 1'),
        ('annotations', 'two annotations have the same id: 1'),
        ('categories', 'two categories have the same id: 1'),
    ],
)
def test_repeated_ids_of_a_coco_file_are_named(tmp_path, part, told):
    document = dict(
        images=[dict(id=1, file_name='a.jpg')],
        annotations=[dict(id=1, image_id=1, category_id=1)],
        categories=[dict(id=1, name='cell')],
    )
    path = tmp_path / 'a.json'
    path.write_text(BOM + json.dumps(document), encoding='utf-8')
    assert read_coco(path) == document
    document[part] *= 2
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=told):
        read_coco(path)


def test_a_file_may_have_another_ending_than_its_list_says(tmp_path):
    save(tmp_path / 'images/a.JPG')
    found = require_files(tmp_path / 'images', ['a.JPEG'], Path('l.txt'), '')
    assert found == [str(tmp_path / 'images/a.JPG')]
    path = tmp_path / 'names.txt'
    path.write_bytes(b'ok\ncaf\xe9\n')
    with pytest.raises(ValueError, match=r'names\.txt, line 2: '):
        read_names(path, '')
