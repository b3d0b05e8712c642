"""OccludedPASCAL3D+ as a source of occluded sets."""

import cv2
import numpy as np

# skips where mmpretrain is not installed
from test_datasets.test_occluded_pascal3d import BOX, SIZE, write_clean

from mmocc.datasets import VOCObjects
from mmocc.occluded_sets.pascal3d import PASCAL3DSource
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.writer import write_occluded

SETTINGS = OccludedSettings(('white',), ('L0', 'L2'))


def make(root, **members):
    write_clean(root / 'p3d', 'bus', 'n02924116_1', **members)
    write_clean(root / 'p3d', 'car', 'n02958343_1')
    source = PASCAL3DSource(root / 'p3d', categories=('bus', 'car'))
    return write_occluded(source, SETTINGS, root / 'out')


def test_it_becomes_voc_with_correct_boxes_and_masks(tmp_path):
    manifest = make(tmp_path)
    assert manifest['cells']['white_L2']['inside'] == 2
    root = str(tmp_path / 'out' / 'white_L2')
    read = VOCObjects(root, 'test', context=0, pipeline=[])
    bus, car = (read.get_data_info(index) for index in range(2))
    assert bus['img_id'] == 'bus_n02924116_1'
    names = [read.metainfo['classes'][d['gt_label']] for d in (bus, car)]
    assert names == ['bus', 'car'] and tuple(bus['crop_box']) == BOX
    mask, expected = cv2.imread(bus['seg_map_path'], -1), np.zeros(SIZE)
    x1, y1, x2, y2 = BOX
    expected[y1:y2, x1:x2] = 1
    np.testing.assert_array_equal(mask, expected)
    folder = tmp_path / 'out' / 'white_L2' / 'OcclusionMasks'
    hidden = cv2.imread(str(folder / 'bus_n02924116_1.png'), -1)
    assert 0.4 <= hidden[mask == 1].mean() < 0.6


def test_without_a_mask_the_box_is_the_object(tmp_path):
    none = np.array(None, object)
    manifest = make(tmp_path, replace=dict(mask=none))
    assert manifest['cells']['white_L2']['inside'] == 2
    rows = (tmp_path / 'out' / 'objects.csv').read_text().splitlines()[1:]
    regions = [row.split(',')[6] for row in rows]
    assert regions == ['box', 'box', 'mask', 'mask']
    masks = tmp_path / 'out' / 'L0' / 'SegmentationObject'
    assert [path.name for path in masks.iterdir()] == ['car_n02958343_1.png']
