"""Awkward inputs of make_occluded and make_cutouts: read, or named."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

coco = pytest.importorskip(
    'mmocc.occluded_sets.coco', reason='pycocotools reads COCO masks'
)

from test_occluded_sets.test_coco_cutouts import (  # noqa: E402
    ANY,
    make_cutouts,
    square,
    write_photos,
)
from test_occluded_sets.test_writer import (  # noqa: E402
    OBJECT,
    QUICK,
    XML,
    rows,
    write_coco,
    write_image,
)

from mmocc.datasets.voc_layout import parse_voc_xml  # noqa: E402
from mmocc.occluded_sets.settings import OccludedSettings  # noqa: E402
from mmocc.occluded_sets.voc import VOCSource  # noqa: E402
from mmocc.occluded_sets.writer import (  # noqa: E402
    CorruptImagesError,
    write_occluded,
)


def write_voc(root, name, box=(3, 3, 22, 30), orientation=1):
    """Write a photo that is stored with 60 x 40 pixels, and its object."""
    photo = root / 'JPEGImages' / f'{name}.png'
    write_image(photo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(photo).save(photo, exif=exif)
    corners = dict(zip(('x1', 'y1', 'x2', 'y2'), box, strict=True))
    text = XML.format(name='a', objects=OBJECT.format(difficult=0, **corners))
    for path, lines in (
        (root / 'Annotations' / f'{name}.xml', text),
        (root / 'ImageSets/Main/test.txt', f'{name}.png\n'),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
    return VOCSource(root, 'test')


@pytest.mark.parametrize('name', ['sub/a', 'x' * 240])
def test_names_in_folders_and_long_ones_come_out_as_they_are(tmp_path, name):
    source = write_voc(tmp_path / 'voc', name)
    (tmp_path / 'voc/SegmentationObject' / name).parent.mkdir(parents=True)
    mask = np.zeros((40, 60), np.uint8)
    mask[5:20, 5:20] = 1
    path = tmp_path / f'voc/SegmentationObject/{name}.png'
    Image.fromarray(mask).save(path)
    out = tmp_path / 'out'
    assert write_occluded(source, QUICK, out)['images'] == 1
    cell = out / 'white_L2'
    for file in (
        *(f'JPEGImages/{name}.png', f'OcclusionMasks/{name}.png'),
        *(f'Annotations/{name}.xml', f'SegmentationObject/{name}.png'),
    ):
        assert (cell / file).is_file()
    split = (cell / 'ImageSets/Main/test.txt').read_text()
    assert split == f'{name}\n'
    assert write_occluded(VOCSource(cell, 'test'), QUICK, tmp_path / 'again')


def test_a_name_that_leads_away_is_refused(tmp_path):
    source = write_voc(tmp_path / 'voc', 'a')
    (tmp_path / 'voc/ImageSets/Main/test.txt').write_text('../a\n')
    with pytest.raises(ValueError, match=r"'\.\./a' is no image id"):
        source.items()


def test_the_occluded_copy_states_the_size_that_it_has(tmp_path):
    source = write_voc(tmp_path / 'voc', 'a', (3, 3, 22, 58), orientation=6)
    write_occluded(source, QUICK, tmp_path / 'out')
    cell = tmp_path / 'out/white_L2'
    assert parse_voc_xml(cell / 'Annotations/a.xml').size == (40, 60)
    assert cv2.imread(str(cell / 'JPEGImages/a.png')).shape == (60, 40, 3)
    mask = cv2.imread(str(cell / 'OcclusionMasks/a.png'), -1)
    assert 0.4 <= mask[2:58, 2:22].mean() < 0.6
    write_voc(tmp_path / 'voc', 'a', (3, 3, 55, 30), orientation=6)
    with pytest.raises(CorruptImagesError, match=r'40 x 60 .*60 x 40.*EXIF'):
        write_occluded(source, QUICK, tmp_path / 'other')


def turn_photo(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)


def test_coco_states_the_size_of_the_header(tmp_path):
    source = write_coco(tmp_path)
    turn_photo(tmp_path / 'images/b.png')  # without an annotation
    write_occluded(source, QUICK, tmp_path / 'out')
    path = tmp_path / 'out/white_L2/annotations/some.json'
    sizes = [
        (i['width'], i['height'])
        for i in json.loads(path.read_text())['images']
    ]
    assert sizes == [(60, 40), (40, 60)]
    turn_photo(tmp_path / 'images/sub/a.png')
    with pytest.raises(CorruptImagesError, match=r'a\.png: .*EXIF'):
        write_occluded(source, QUICK, tmp_path / 'other')


def test_a_polygon_without_an_area_falls_back_to_the_box_and_counts(tmp_path):
    source = write_coco(tmp_path, segmentation=[[]])
    manifest = write_occluded(source, QUICK, tmp_path / 'out')
    assert manifest['objects_with_empty_mask'] == 1
    regions = [row['region'] for row in rows(tmp_path / 'out/objects.csv')][:4]
    assert regions == ['box (empty mask)', 'mask', 'box', 'mask']
    source = write_coco(tmp_path, segmentation=[[]], bbox=None)
    with pytest.raises(CorruptImagesError, match='neither a box nor a mask'):
        write_occluded(source, QUICK, tmp_path / 'other')


def test_backslashes_are_read_as_slashes_or_named(tmp_path):
    source = write_coco(tmp_path, name='sub\\a.png')
    names = [item.name for item in source.items()]
    assert names == ['sub/a', 'b']
    assert write_occluded(source, QUICK, tmp_path / 'out')['images'] == 2
    (tmp_path / 'images/sub/a.png').unlink()
    told = r"a\.png: cannot be read.*'sub\\\\a\.png' has backslashes"
    with pytest.raises(CorruptImagesError, match=told):
        write_occluded(source, QUICK, tmp_path / 'other')


def test_cutouts_of_long_names_and_of_backslashes(tmp_path):
    notes = [dict(segmentation=square(10, 5, 20), category_id=1)]
    ann_file, images = write_photos(tmp_path, notes)
    document = json.loads(ann_file.read_text())
    document['categories'][0]['name'] = 'é' * 300
    document['annotations'][0]['id'] = 'a/b'
    document['images'][0]['file_name'] = '.\\0.png'
    ann_file.write_text(json.dumps(document))
    (row,), _, _ = make_cutouts(ann_file, images, tmp_path / 'out', ANY)
    assert (tmp_path / 'out' / row['file']).is_file()
    assert row['category'] == 'é' * 300
    document['images'][0]['file_name'] = 'sub\\0.png'
    ann_file.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r'sub.0\.png.* has backslashes'):
        make_cutouts(ann_file, images, tmp_path / 'other', ANY)


def test_banks_below_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    write_image(tmp_path / 'bank/sub/a.png')
    settings = OccludedSettings(('texture',), texture_bank='~/bank')
    assert list(settings.bank_sheets()['texture']) == ['sub/a.png']
    assert settings.make_bank() is not None
