import json
import pickle

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from pycocotools import mask as coco_mask
from toy_detector import (
    CLASSES,
    SIZE,
    ToyDetector,
    coco_config,
    make_objects,
    write_coco,
)

from mmocc.report.occluded_coco import (
    box_iou,
    predicts_masks,
    read_subset,
    run_occluded_coco,
)


class MaskToyDetector(ToyDetector):
    """Give each box as its mask, too, and low scores to some."""

    def look(self, image, sample):
        instances = super().look(image, sample)
        masks = np.zeros((len(instances.bboxes), *SIZE), bool)
        boxes = instances.bboxes.int().tolist()
        for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
            mask[top:bottom, left:right] = True
        instances.masks = torch.from_numpy(masks)
        instances.scores[::5] = 0.2
        return instances


def items(objects, box_format, keep=slice(None)):
    """Return a subset's list: each box is an object, and its own mask."""
    subset = []
    for name, (boxes, labels) in objects.items():
        for box, label in zip(boxes, labels, strict=True):
            left, top, right, bottom = box.astype(int)
            mask = np.zeros(SIZE, np.uint8, order='F')
            mask[top:bottom, left:right] = 1
            box = box.copy()
            if box_format == 'xywh':
                box[2:] -= box[:2]
            rle = coco_mask.encode(mask)
            item = [name, CLASSES[label], len(subset), box.tolist(), rle, 0.3]
            subset.append(item)
    return subset[keep]


def write(path, content):
    """Write a list as a pickle or as json."""
    if path.suffix == '.pkl':
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        for item in content:
            item[4]['counts'] = item[4]['counts'].decode()
        path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope='module')
def objects():
    return make_objects(9)


@pytest.fixture(scope='module')
def coco(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    write_coco(folder, objects)
    return coco_config(folder)


@pytest.fixture(scope='module', params=['.pkl', '.json'])
def files(request, objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp('subsets')
    suffix = request.param
    occluded = items(objects, 'xywh', slice(0, None, 2))
    separated = items(objects, 'xyxy', slice(1, None, 3))
    return dict(
        occluded_ann=write(folder / f'occluded{suffix}', occluded),
        separated_ann=write(folder / f'separated{suffix}', separated),
    )


@pytest.mark.parametrize(
    'thresholds', [{}, dict(score_thr=0.1), dict(iou_thr=0.95)]
)
def test_boxes_recall_what_mmdet_recalls_when_masks_are_boxes(
    coco, objects, files, thresholds
):
    model = MaskToyDetector(objects)
    boxes = run_occluded_coco(model, coco, **files, **thresholds)
    masks = run_occluded_coco(model, coco, **files, **thresholds, masks=True)
    for subset in ('occluded', 'separated'):
        recall = boxes[f'box_recall/{subset}_recall']
        assert recall == pytest.approx(masks[f'coco/{subset}_recall'])
        assert 30 < recall < 100
        assert boxes[f'box_recall/{subset}_objects'] > 8


def test_a_subset_of_the_images_has_its_own_objects(
    coco, objects, files, tmp_path
):
    model = MaskToyDetector(objects)
    boxes = run_occluded_coco(model, coco, **files, every=2)
    masks = run_occluded_coco(model, coco, **files, every=2, masks=True)
    full = run_occluded_coco(model, coco, **files)
    assert boxes['box_recall/occluded_recall'] == pytest.approx(
        masks['coco/occluded_recall']
    )
    few, many = (m['box_recall/occluded_objects'] for m in (boxes, full))
    assert 0 < few < many
    metrics = {'bbox': False, 'segm': True, ('bbox', 'segm'): True}
    for metric, masks in metrics.items():
        assert predicts_masks(coco_config(tmp_path, metric=metric)) == masks


def test_masks_need_an_annotation_file_and_masks(
    coco, objects, files, tmp_path
):
    model = MaskToyDetector(objects)
    cfg = coco_config(tmp_path, ann_file=None)
    cfg.test_dataloader = coco.test_dataloader
    with pytest.raises(ValueError, match='names no ann_file'):
        run_occluded_coco(model, cfg, **files, masks=True)
    bare = [[*item[:4], None] for item in items(objects, 'xywh')]
    path = write(tmp_path / 'bare.pkl', bare)
    bare_files = dict(files, occluded_ann=path)
    with pytest.raises(ValueError, match=r'bare\.pkl: the object 0 .*no mask'):
        run_occluded_coco(model, coco, **bare_files, masks=True)
    metrics = run_occluded_coco(model, coco, **bare_files)
    assert metrics['box_recall/occluded_recall'] > 30


def test_other_images_and_other_classes_are_named(coco, objects, tmp_path):
    model = MaskToyDetector(objects)

    def run(place, value):
        paths = []
        for box_format in ('xywh', 'xyxy'):
            content = items(objects, box_format, slice(0, 1))
            content[0][place] = value
            paths.append(write(tmp_path / f'{box_format}.pkl', content))
        run_occluded_coco(model, coco, *paths)

    with pytest.raises(ValueError, match=r'none of the 1 occluded .*zoo\.jpg'):
        run(0, 'val2017/zoo.jpg')
    with pytest.raises(ValueError, match=r"class 'zebra' .*'cat', 'dog'"):
        run(1, 'zebra')


def test_iou_of_known_boxes():
    many = np.array(
        [[0, 0, 4, 4], [2, 0, 6, 4], [0, 0, 2, 2], [4, 0, 8, 4], [1, 1, 1, 3]],
        float,
    )
    # itself; half and half: 8 / 24; a quarter; a neighbour; an empty box
    expected = [1, 1 / 3, 1 / 4, 0, 0]
    assert box_iou(many[0], many) == pytest.approx(expected)
    assert box_iou(np.array([0.0, 0, 4, 4]), np.zeros((0, 4))).shape == (0,)


@pytest.mark.parametrize('protocol', [2, 4])
def test_a_pickle_of_numpy_numbers_is_read_but_none_of_functions(
    tmp_path, protocol
):
    path = tmp_path / 'ok.pkl'
    box = np.array([1.0, 2, 3, 4])
    item = ['a.jpg', 'cat', np.int64(7), box, None, np.float64(0.5)]
    path.write_bytes(pickle.dumps([item], protocol=protocol))
    (read,) = read_subset(path, 'xywh')
    assert read == ('a.jpg', 'cat', 7, (1, 2, 4, 6), None)
    path.write_bytes(pickle.dumps([[*item, eval]], protocol=protocol))
    with pytest.raises(ValueError, match=r'ok\.pkl cannot be read: .*eval'):
        read_subset(path, 'xywh')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('[]', 'must hold a list of objects'),
        ('{"a": 1}', 'must hold a list of objects'),
        ('[1', r'ann\.json cannot be read'),
        ('[["a.jpg", "cat", 1]]', r'ann\.json, item 0: .*xyxy box'),
        ('[["a.jpg", "cat", 1, [1, 2, 3], null]]', 'item 0: .*is no box'),
        ('[["a.jpg", "cat", 1, [9, 9, 3, 3], null]]', 'empty when read xyxy'),
        ('[["a.jpg", 3, 1, [1, 1, 3, 3], null]]', 'must be names'),
        ('[["a.jpg", "cat", 1, [1, 1, 3, 3], {}]]', 'item 0: KeyError'),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    path = tmp_path / 'ann.json'
    with pytest.raises(FileNotFoundError, match=r'robots\.ox\.ac\.uk'):
        read_subset(path, 'xyxy')
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_subset(path, 'xyxy')
    path = path.rename(path.with_suffix('.xml'))
    with pytest.raises(ValueError, match=r'name a \.json or \.pkl'):
        read_subset(path, 'xyxy')
