"""Occluded sets on disk, in-process: layouts, shares, resuming, bad input."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_tools import tree
from PIL import Image

from mmocc.datasets.transforms import OccludeObjects
from mmocc.occluded_sets import writer
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.voc import VOCSource
from mmocc.occluded_sets.writer import CorruptImagesError, write_occluded
from mmocc.occlusion import LEVELS

coco = pytest.importorskip(
    'mmocc.occluded_sets.coco', reason='pycocotools reads COCO masks'
)

XML = """<annotation>
  <filename>{name}.png</filename>
  <size><width>60</width><height>40</height><depth>3</depth></size>
  {objects}
</annotation>
"""
OBJECT = """<object><name>cat</name><difficult>{difficult}</difficult>
<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>
</bndbox></object>"""
BOXES = ((3, 3, 22, 30), (30, 5, 55, 36))  # 1-based, inclusive


def write_image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 200, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def write_voc(root, num=3, masked=2):
    """Write two objects per image; the first images have instance masks."""
    for folder in ('Annotations', 'SegmentationObject', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f'img{index}' for index in range(num)]
    for index, name in enumerate(names):
        write_image(root / 'JPEGImages' / f'{name}.png', index)
        objects = ''.join(
            OBJECT.format(x1=a, y1=b, x2=c, y2=d, difficult=index % 2)
            for a, b, c, d in BOXES
        )
        xml = XML.format(name=name, objects=objects)
        (root / 'Annotations' / f'{name}.xml').write_text(xml)
        if index < masked:
            mask = np.zeros((40, 60), np.uint8)
            cv2.circle(mask, (12, 16), 8, 1, -1)
            cv2.circle(mask, (42, 20), 11, 2, -1)
            Image.fromarray(mask).save(
                root / 'SegmentationObject' / f'{name}.png'
            )
    lines = ''.join(f'{name}\n' for name in names)
    (root / 'ImageSets' / 'Main' / 'test.txt').write_text(lines)
    return VOCSource(root, 'test')


def write_coco(root, name='sub/a.png', **changes):
    """Write two images: polygon, RLE, box and crowd; the second is empty."""
    write_image(root / 'images' / 'sub' / 'a.png')
    write_image(root / 'images' / 'b.png', 1)
    rle = dict(size=[40, 60], counts=[1250, 20, 20, 20, 1090])
    notes = [
        dict(bbox=[2, 2, 18, 20], segmentation=[[2, 2, 20, 2, 20, 22, 2, 22]]),
        dict(bbox=[31, 10, 2, 20], segmentation=rle),
        dict(bbox=[40, 5, 15, 30]),
        dict(bbox=[0, 0, 60, 40], segmentation=rle, iscrowd=1),
    ]
    notes[0].update(changes)
    document = dict(
        info=dict(year=2024),
        images=[
            dict(id=7, file_name=name, width=60, height=40),
            dict(id=9, file_name='b.png', width=60, height=40),
        ],
        annotations=[
            dict(dict(id=i + 1, image_id=7, category_id=1, area=400), **note)
            for i, note in enumerate(notes)
        ],
        categories=[dict(id=1, name='cat')],
    )
    path = root / 'some.json'
    path.write_text(json.dumps(document))
    return coco.COCOSource(path, root / 'images')


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def read(*parts):
    return cv2.imread(str(Path(*parts)), cv2.IMREAD_UNCHANGED)


QUICK = OccludedSettings(kinds=('white',), levels=('L0', 'L2'))


def test_a_voc_set_is_voc_again_in_every_cell(tmp_path, occluder_folders):
    source = write_voc(tmp_path / 'voc')
    settings = OccludedSettings(**occluder_folders, texture_size=64)
    out = tmp_path / 'out'
    manifest = write_occluded(source, settings, out)
    kinds = 'white', 'noise', 'texture', 'object'
    hidden = [f'{kind}_L{level}' for kind in kinds for level in (1, 2, 3)]
    assert list(manifest['cells']) == ['L0', *hidden]
    for name, counts in manifest['cells'].items():
        assert counts['images'] == 3
        assert counts['inside'] == counts['objects'] == 6
        cell = out / name
        split = (cell / 'ImageSets' / 'Main' / 'test.txt').read_text()
        assert split.split() == ['img0', 'img1', 'img2']
        low, high = LEVELS[counts['level']]
        for index in range(3):
            mask = read(cell / 'OcclusionMasks' / f'img{index}.png')
            assert mask.shape == (40, 60) and set(np.unique(mask)) <= {0, 1}
            for number, (x1, y1, x2, y2) in enumerate(BOXES, 1):
                region = np.zeros((40, 60), bool)
                region[y1 - 1 : y2, x1 - 1 : x2] = True
                if index < 2:
                    path = cell / 'SegmentationObject' / f'img{index}.png'
                    region = np.array(Image.open(path)) == number
                share = mask[region].mean()
                assert low - 1e-6 <= share <= high
                xml = (cell / 'Annotations' / f'img{index}.xml').read_text()
                text = xml.split('<hidden>')[number].split('<')[0]
                assert float(text) == pytest.approx(share, abs=2e-6)
        original = read(source.root / 'JPEGImages' / 'img0.png')
        image = read(cell / 'JPEGImages' / 'img0.png')
        hidden = read(cell / 'OcclusionMasks' / 'img0.png') == 1
        if name == 'L0':
            assert (image == original).all()
        if counts['kind'] == 'white':
            assert (image[hidden] == 255).all()
            assert (image[~hidden] == original[~hidden]).all()


def test_the_manifest_and_tables_account_for_everything(
    tmp_path, occluder_folders
):
    settings = OccludedSettings(
        kinds=('object',), levels=('L0', 'L1'), **occluder_folders, seed=5
    )
    out = tmp_path / 'out'
    manifest = write_occluded(write_voc(tmp_path / 'voc'), settings, out)
    files = tree(out)
    assert json.loads(files['manifest.json']) == manifest
    assert manifest['settings']['seed'] == 5
    bank = manifest['settings']['object_bank']
    sums = files['SHA256SUMS']
    assert manifest['SHA256SUMS.sha256'] == hashlib.sha256(sums).hexdigest()
    lines = sums.decode().splitlines()
    checksums = dict(reversed(line.split('  ')) for line in lines)
    for name, checksum in checksums.items():
        assert hashlib.sha256(files[name]).hexdigest() == checksum
    others = {'SHA256SUMS', 'manifest.json', 'settings.json'}
    names = {name for name in files if not name.startswith('records')}
    assert names == set(checksums) | others
    images = [r for r in rows(out / 'images.csv') if r['cell'] != 'L0']
    photo = (tmp_path / 'voc' / 'JPEGImages' / 'img1.png').read_bytes()
    assert images[1]['source'] == 'img1.png'
    assert images[1]['source_sha256'] == hashlib.sha256(photo).hexdigest()
    for row in images:
        used = row['occluders'].split(';')
        assert len(used) >= 2 and set(used) <= set(bank)
    regions = [row['region'] for row in rows(out / 'objects.csv')]
    assert regions == [*['mask'] * 8, *['box'] * 4]


def test_occlusions_are_those_of_the_pipeline(tmp_path):
    source = write_coco(tmp_path)
    settings = OccludedSettings(('noise',), ('L2',), seed=3)
    write_occluded(source, settings, tmp_path / 'out')
    image = read(tmp_path / 'images' / 'sub' / 'a.png')
    document = json.loads((tmp_path / 'some.json').read_text())
    instances = [
        dict(
            bbox=np.add(n['bbox'], [0, 0, *n['bbox'][:2]]).tolist(),
            mask=n.get('segmentation'),
            ignore_flag=n.get('iscrowd', 0),
        )
        for n in document['annotations']
    ]
    expected = OccludeObjects('noise', 'L2', seed=3)(
        dict(img=image, instances=instances, photo_identity='sub/a')
    )
    image = read(tmp_path / 'out/noise_L2/images/sub/a.png')
    assert (image == expected['img']).all()


def test_a_coco_set_is_coco_again(tmp_path):
    from pycocotools.coco import COCO

    manifest = write_occluded(write_coco(tmp_path), QUICK, tmp_path / 'out')
    cell = tmp_path / 'out' / 'white_L2'
    assert manifest['images_without_objects'] == ['b']
    assert manifest['cells']['white_L2'] == dict(
        kind='white', level='L2', images=2, objects=4, inside=3, ignored=1
    )
    result = COCO(str(cell / 'annotations' / 'some.json'))
    assert result.dataset['info'] == dict(year=2024)
    names = [result.imgs[i]['file_name'] for i in (7, 9)]
    assert names == ['sub/a.png', 'b.png']
    mask = read(cell / 'OcclusionMasks' / 'sub' / 'a.png')
    for note in result.anns.values():
        if not note.get('iscrowd'):
            assert note['in_level'] and 0.4 <= note['hidden_share'] < 0.6
        if 'segmentation' in note:
            share = mask[result.annToMask(note) == 1].mean()
            assert note['hidden_share'] == pytest.approx(share, abs=1e-5)
    assert (cell / 'images' / 'b.png').is_file()


def test_jpeg_images_are_encoded_alike_at_every_level(tmp_path):
    settings = OccludedSettings(('white',), ('L0', 'L1'), format='jpg')
    write_occluded(write_voc(tmp_path / 'voc'), settings, tmp_path / 'out')
    plain, hidden = (
        Image.open(tmp_path / 'out' / cell / 'JPEGImages' / 'img0.jpg')
        for cell in ('L0', 'white_L1')
    )
    assert plain.format == hidden.format == 'JPEG'
    assert plain.quantization == hidden.quantization
    xml = tmp_path / 'out' / 'L0' / 'Annotations' / 'img0.xml'
    assert '<filename>img0.jpg</filename>' in xml.read_text()


def test_two_processes_write_the_same_bytes_as_one(tmp_path, occluder_folders):
    source = write_voc(tmp_path / 'voc', num=19)
    settings = OccludedSettings(
        ('texture', 'object'), ('L3',), **occluder_folders, texture_size=32
    )
    for workers in (1, 2):
        write_occluded(source, settings, tmp_path / str(workers), workers)
    one = tree(tmp_path / '1')
    assert one == tree(tmp_path / '2')
    other = replace(settings, seed=1, limit=1)
    write_occluded(source, other, tmp_path / 'other')
    name = 'object_L3/JPEGImages/img0.png'
    assert one[name] != (tmp_path / 'other' / name).read_bytes()


def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(
    tmp_path, monkeypatch
):
    source = write_voc(tmp_path / 'voc', num=6)
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    write_occluded(source, QUICK, whole)

    def stop_at_the_third(results, total):
        for number, result in enumerate(results):
            if number == 2:
                raise KeyboardInterrupt
            yield result

    with pytest.raises(KeyboardInterrupt):
        write_occluded(source, QUICK, broken, progress=stop_at_the_third)
    assert not (broken / 'manifest.json').exists()
    # What a killed process leaves: a part, a truncated file, a lost file.
    image = broken / 'white_L2' / 'JPEGImages'
    (image / 'img5.png.tmp').write_bytes(b'half')
    (image / 'img0.png').write_bytes(b'')
    (broken / 'L0' / 'OcclusionMasks' / 'img1.png').unlink()
    results, make = [], writer.ImageMaker.make

    def note(*args):
        results.append(make(*args))
        return results[-1]

    monkeypatch.setattr(writer.ImageMaker, 'make', note)
    write_occluded(source, QUICK, broken)
    assert results == [True, True, False, True, True, True]
    assert tree(whole) == tree(broken)
    write_occluded(source, QUICK, broken)
    assert results[6:] == [False] * 6


def test_bytes_depend_on_the_images_and_not_on_their_path(tmp_path):
    source, out = write_voc(tmp_path / 'voc'), tmp_path / 'out'
    write_occluded(source, QUICK, out)
    old = tree(out)
    elsewhere = write_voc(tmp_path / 'elsewhere/voc')
    write_occluded(elsewhere, QUICK, tmp_path / 'o')
    assert tree(tmp_path / 'o') == old
    write_image(tmp_path / 'voc' / 'JPEGImages' / 'img1.png', seed=99)
    write_occluded(source, QUICK, out)
    new = tree(out)
    name = 'L0/JPEGImages/img{}.png'
    assert new[name.format(1)] != old[name.format(1)]
    assert new[name.format(0)] == old[name.format(0)]


def test_a_folder_with_something_else_does_not_change(tmp_path):
    source = write_voc(tmp_path / 'voc')
    with pytest.raises(FileExistsError, match='not made by this tool'):
        write_occluded(source, QUICK, tmp_path / 'voc')
    write_occluded(source, QUICK, tmp_path / 'out')
    with pytest.raises(FileExistsError, match=r'seed \(0, now 4\)'):
        write_occluded(source, replace(QUICK, seed=4), tmp_path / 'out')


def test_objects_out_of_the_level_are_listed(tmp_path):
    source = write_voc(tmp_path / 'voc', num=1, masked=0)
    xml = tmp_path / 'voc' / 'Annotations' / 'img0.xml'
    tiny = OBJECT.format(x1=58, y1=2, x2=58, y2=2, difficult=0)
    xml.write_text(xml.read_text().replace('</ann', f'{tiny}</ann'))
    manifest = write_occluded(source, QUICK, tmp_path / 'out')
    assert manifest['cells']['white_L2']['too_small'] == 1
    (target,) = manifest['out_of_level']
    assert (target['object'], target['status']) == ('3', 'too_small')
    text = (tmp_path / 'out/white_L2/Annotations/img0.xml').read_text()
    counts = [text.count(f'<in_level>{flag}') for flag in (1, 0)]
    assert counts == [2, 1]


def break_image(root):
    path = root / 'JPEGImages' / 'img1.png'
    path.write_bytes(path.read_bytes()[:-2000])
    return 'img1.png: unreadable image'


def drop_image(root):
    (root / 'JPEGImages' / 'img1.png').unlink()
    return r'img1\.jpg: cannot be read'


def shrink_mask(root):
    mask = Image.fromarray(np.ones((20, 60), np.uint8))
    mask.save(root / 'SegmentationObject' / 'img1.png')
    return r'img1\.png: is 60 x 40 pixels, but .*img1\.png is for 60 x 20'


def move_box(root):
    path = root / 'Annotations' / 'img1.xml'
    text = path.read_text().replace('<xmin>3<', '<xmin>300<')
    path.write_text(text.replace('<xmax>22', '<xmax>320'))
    return r'img1\.xml, object 1: its box lies wholly outside'


@pytest.mark.parametrize(
    ('spoil', 'workers'),
    [(break_image, 2), (drop_image, 1), (shrink_mask, 1), (move_box, 1)],
)
def test_a_damaged_image_is_named_at_the_end_or_left_out(
    tmp_path, spoil, workers
):
    source, out = write_voc(tmp_path / 'voc'), tmp_path / 'out'
    message = spoil(tmp_path / 'voc')
    with pytest.raises(CorruptImagesError, match=message) as caught:
        write_occluded(source, QUICK, out, workers)
    assert '1 of 3 images' in str(caught.value)
    assert (out / 'records' / 'img2.json').is_file()  # it went on to the end
    assert not (out / 'manifest.json').exists()
    manifest = write_occluded(source, QUICK, out, workers, skip_corrupt=True)
    assert list(manifest['left_out']) == ['img1']
    assert manifest['images'] == 2
    split = out / 'white_L2' / 'ImageSets' / 'Main' / 'test.txt'
    assert split.read_text() == 'img0\nimg2\n'


RLE = dict(size=[41, 60], counts=[0, 60 * 41])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(segmentation=RLE), r'annotation 1: its mask is for \[41, 60\]'),
        (dict(segmentation=[[1] * 7]), 'annotation 1: a polygon needs'),
        (dict(segmentation=dict(size=[40, 60], counts=[5])), 'do not add up'),
        (dict(segmentation=[], bbox=None), 'neither a box nor a mask'),
        (dict(segmentation=[], bbox=[70, 2, 5, 5]), 'wholly outside'),
        (dict(bbox=[1, 2, 'x', 4]), 'is not x, y, width, height'),
    ],
)
def test_a_bad_coco_annotation_is_named(tmp_path, changes, message):
    source = write_coco(tmp_path, **changes)
    with pytest.raises(CorruptImagesError, match=message) as caught:
        write_occluded(source, QUICK, tmp_path / 'out')
    assert 'some.json' in str(caught.value)


OUT = 'leads out of the image folder'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(id=2), 'two annotations have the same id'),
        (dict(image_id=8), 'annotation 1 is for image 8, which is not'),
        (dict(name='../a.png'), OUT),
        (dict(name='/etc/a.png'), OUT),
        (dict(name=''), OUT),
    ],
)
def test_a_bad_coco_file_is_refused_at_once(tmp_path, changes, message):
    source = write_coco(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        source.items()


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (dict(kinds=('grey',)), "unknown occluder kind 'grey'"),
        (dict(levels=('L9',)), "unknown occlusion level 'L9'"),
        (dict(format='gif'), "unknown format 'gif'"),
        (dict(quality=0), 'quality is 0'),
        (dict(limit=0), 'limit is 0'),
        (dict(seed=-1), 'seed is -1'),
    ],
)
def test_settings_are_checked(bad, message):
    with pytest.raises(ValueError, match=message):
        OccludedSettings(**bad)
