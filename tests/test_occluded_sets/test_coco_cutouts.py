import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from mmocc.occlusion.banks import load_cutouts

cutouts = pytest.importorskip(
    'mmocc.occluded_sets.coco_cutouts', reason='pycocotools reads COCO masks'
)
CutoutSettings, make_cutouts = cutouts.CutoutSettings, cutouts.make_cutouts
check_apart, split_of = cutouts.check_apart, cutouts.split_of

ANY = CutoutSettings(min_side=4, min_fill=0)


def square(x, y, side):
    """A closed polygon; its mask is side x side pixels."""
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def write_photos(root, notes, num=1):
    """Write photos of 40 x 60 pixels that all have the same annotations."""
    (root / 'images').mkdir(parents=True)
    images, annotations = [], []
    for index in range(num):
        name = f'{index}.png'
        rng = np.random.default_rng(index)
        pixels = rng.integers(1, 255, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(root / 'images' / name)
        size = dict(width=60, height=40)
        images.append(dict(size, id=index, file_name=name, license=4))
        for k, note in enumerate(notes, 100 * index):
            base = dict(image_id=index, category_id=1, id=k)
            annotations.append(base | note)
    document = dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=1, name='traffic light'), dict(id=2, name='cat')],
        licenses=[dict(id=4, name='CC BY 2.0')],
    )
    path = root / 'photos.json'
    path.write_text(json.dumps(document))
    return path, root / 'images'


def make(root, notes, settings=ANY, num=1, **kwargs):
    ann_file, images = write_photos(root, notes, num)
    return make_cutouts(ann_file, images, root / 'out', settings, **kwargs)


def test_a_cutout_is_the_photo_inside_the_mask_and_fits_a_bank(tmp_path):
    settings = CutoutSettings(min_side=4, test_share=1)
    triangle = [[10, 5, 30, 5, 10, 25]]
    (row,), _, _ = make(tmp_path, [dict(segmentation=triangle)], settings)
    assert row['file'] == 'test/traffic-light_0_0.png'
    cut = cv2.imread(str(tmp_path / 'out' / row['file']), -1)
    photo = cv2.imread(str(tmp_path / 'images' / '0.png'))
    assert cut.shape == (row['h'], row['w'], 4)
    inside = cut[..., 3] == 255
    assert inside.sum() == row['area_px']
    assert (cut[~inside] == 0).all()
    part = photo[5 : 5 + row['h'], 10 : 10 + row['w']]
    assert (cut[inside][:, :3] == part[inside]).all()
    assert load_cutouts(tmp_path / 'out' / 'test').sheets.shape[0] == 1
    with (tmp_path / 'out' / 'cutouts.csv').open() as file:
        (line,) = csv.DictReader(file)
    values = line['licence'], line['category'], line['fill']
    assert values == ('CC BY 2.0', 'traffic light', row['fill'])


@pytest.mark.parametrize(
    ('note', 'reason'),
    [
        (dict(segmentation=square(5, 5, 20), iscrowd=1), 'crowd'),
        (dict(bbox=[1, 1, 9, 9]), 'no mask'),
        (dict(segmentation=square(5, 5, 9)), 'too small'),
        (dict(segmentation=[[5, 5, 35, 35, 35, 36, 5, 6]]), 'too thin'),
        (dict(segmentation=square(0, 5, 20)), 'truncated'),
    ],
)
def test_unusable_objects_are_refused_and_counted(tmp_path, note, reason):
    settings = CutoutSettings(min_side=10, min_fill=0.3)
    good = dict(segmentation=square(30, 10, 20))
    table, refused, _ = make(tmp_path, [good, note], settings)
    assert [row['annotation_id'] for row in table] == [0]
    assert +refused == {reason: 1}


def test_the_options_let_more_or_less_through(tmp_path):
    notes = [
        dict(segmentation=square(5, 5, 10)),
        dict(segmentation=square(20, 5, 20)),
        dict(segmentation=square(0, 5, 30)),
        dict(segmentation=square(20, 5, 15), category_id=2),
    ]
    ann_file, images = write_photos(tmp_path, notes)

    def ids(name, **options):
        settings = CutoutSettings(min_side=4, **options)
        table, *_ = make_cutouts(ann_file, images, tmp_path / name, settings)
        return [row['annotation_id'] for row in table]

    assert ids('all', truncated=True) == [2, 1, 3, 0]  # the largest first
    assert ids('two', max_per_image=2) == [1, 3]
    assert ids('cats', categories=('cat',)) == [3]


def test_train_and_test_never_share_a_photo_nor_a_copy_of_it(tmp_path):
    notes = [dict(segmentation=square(5 + 8 * k, 5, 8)) for k in range(4)]
    ann_file, images = write_photos(tmp_path, notes, num=30)
    for index in range(10, 20):  # the same ten photos again
        shutil.copy(images / f'{index - 10}.png', images / f'{index}.png')
    table, *_ = make_cutouts(ann_file, images, tmp_path / 'out', ANY)
    assert len(table) == 120
    photos = {split: set() for split in ('train', 'test')}
    for row in table:
        photos[row['split']].add((images / row['image']).read_bytes())
        assert row['file'].startswith(f'{row["split"]}/')
    assert not photos['train'] & photos['test']
    assert min(map(len, photos.values())) >= 3
    both = [dict(table[0], split=split) for split in photos]
    with pytest.raises(ValueError, match='1 photos gave cut-outs for both'):
        check_apart([*table, *both])


def test_the_share_of_test_photos_is_met_and_grows_with_it():
    photos = [f'{index:064x}' for index in range(2000)]
    few, many = (
        {p for p in photos if split_of(p, CutoutSettings(share)) == 'test'}
        for share in (0.2, 0.6)
    )
    assert few < many
    assert len(few) == pytest.approx(400, abs=60)
    assert len(many) == pytest.approx(1200, abs=80)


def test_damaged_photos_are_named_or_left_out_and_no_object_is_an_error(
    tmp_path,
):
    notes = [dict(segmentation=square(5, 5, 20))]
    ann_file, images = write_photos(tmp_path, notes, num=3)
    (images / '0.png').unlink()
    (images / '1.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'(?s)2 photos.*0\.png.*1\.png'):
        make_cutouts(ann_file, images, tmp_path / 'out', ANY)
    assert not (tmp_path / 'out').exists()
    args = ann_file, images, tmp_path / 'out', ANY
    table, _, failures = make_cutouts(*args, skip_corrupt=True)
    assert (len(table), len(failures)) == (1, 2)
    with pytest.raises(FileExistsError, match='choose another'):
        make_cutouts(*args)
    crowd = [dict(segmentation=square(5, 5, 9), iscrowd=1)]
    with pytest.raises(ValueError, match=r'no object is left.*1 crowd'):
        make(tmp_path / 'crowd', crowd)


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (dict(test_share=1.5), 'test_share is 1.5'),
        (dict(min_side=0), 'min_side is 0'),
        (dict(max_per_image=0), 'max_per_image is 0'),
    ],
)
def test_cutout_settings_are_checked(bad, message):
    with pytest.raises(ValueError, match=message):
        CutoutSettings(**bad)
