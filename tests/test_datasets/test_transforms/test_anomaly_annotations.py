"""Loading and packing what is anomalous."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmdet', reason='the transforms build on mmdet')

from mmocc.datasets.transforms.anomaly_annotations import (
    LoadAnomalyAnnotations,
    PackAnomalyInputs,
    draw_boxes,
    read_mask,
)


def results(**kwargs):
    items = [((1, 2, 5, 6), 0, 0, 0), ((4, 1, 7, 3), -1, 1, 1)]
    keys = ('bbox', 'bbox_label', 'ignore_flag', 'anomaly')
    values = dict(
        img=np.zeros((8, 9, 3), np.uint8),
        img_path='a.png',
        ori_shape=(8, 9),
        instances=[dict(zip(keys, item, strict=True)) for item in items],
        seg_map_path=None,
    )
    return dict(values, **kwargs)


def write(path, pixels, mode='L', palette=None):
    image = Image.fromarray(np.asarray(pixels, np.uint8), mode)
    if palette:
        image.putpalette(palette)
    image.save(path)
    return str(path)


def test_boxes_are_the_map_where_there_is_no_mask(tmp_path):
    loaded = LoadAnomalyAnnotations()(results())
    expected = np.zeros((8, 9), np.uint8)
    expected[1:3, 4:7] = 1
    assert (loaded['gt_seg_map'] == expected).all()
    assert loaded['gt_anomaly'].tolist() == [0, 1]
    packed = PackAnomalyInputs(meta_keys=())(loaded)['data_samples']
    assert packed.gt_instances.anomaly.tolist() == [0]
    assert packed.ignored_instances.labels.tolist() == [-1]
    assert packed.gt_sem_seg.sem_seg[0].numpy().tolist() == expected.tolist()
    beyond = dict(bbox=(-3, 6.5, 2.5, 20), anomaly=1)
    rows = [[0] * 4] * 6 + [[1, 1, 1, 0]] * 2
    assert draw_boxes([beyond], (8, 4)).tolist() == rows
    packed = PackAnomalyInputs()(loaded)['data_samples']
    assert packed.instances == loaded['instances']
    mask = np.zeros((8, 9))  # the mask comes first
    mask[7, 8] = 255
    path = write(tmp_path / 'mask.png', mask)
    loaded = LoadAnomalyAnnotations()(results(seg_map_path=path))
    assert loaded['gt_seg_map'].sum() == loaded['gt_seg_map'][7, 8] == 1
    plain = LoadAnomalyAnnotations(with_map=False)
    assert 'gt_seg_map' not in plain(results(seg_map_path=path))


@pytest.mark.parametrize(
    'pixels, mode, expected',
    [
        ([[0, 1, 2, 5]], 'L', [[0, 1, 1, 1]]),  # labels
        ([[0, 3, 127, 128, 255]], 'L', [[0, 0, 0, 1, 1]]),  # shades
        ([[[0, 0, 0], [0, 200, 0]]], 'RGB', [[0, 1]]),
        ([[[0, 0, 0, 255], [0, 1, 200, 0]]], 'RGBA', [[0, 1]]),
        ([[0, 0]], 'L', [[0, 0]]),
    ],
)
def test_masks_of_labels_and_of_shades(tmp_path, pixels, mode, expected):
    path = write(tmp_path / 'mask.png', pixels, mode)
    assert read_mask(path).tolist() == expected
    palette = [255, 255, 255, 0, 0, 0]  # counts by index; 1 is black
    path = write(tmp_path / 'mask.png', [[0, 1]], 'P', palette)
    assert read_mask(path).tolist() == [[0, 1]]


def test_what_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path / 'mask.png', np.zeros((5, 6)))
    with pytest.raises(ValueError, match=r'mask\.png: the mask is 6x5.*9x8'):
        LoadAnomalyAnnotations()(results(seg_map_path=path))
    with pytest.raises(FileNotFoundError, match=r'gone\.png: no such mask'):
        read_mask(str(tmp_path / 'gone.png'))
    bare = results()
    del bare['instances'][0]['anomaly']
    with pytest.raises(KeyError, match=r"a\.png: .*no 'anomaly'"):
        LoadAnomalyAnnotations()(bare)
    loaded = LoadAnomalyAnnotations()(results())
    loaded['gt_bboxes'] = loaded['gt_bboxes'][:1]
    with pytest.raises(ValueError, match=r'a\.png: 2 gt_anomaly for 1 boxes'):
        PackAnomalyInputs()(loaded)
    del loaded['gt_anomaly']
    with pytest.raises(ValueError, match=r'a\.png: no gt_anomaly'):
        PackAnomalyInputs()(loaded)
