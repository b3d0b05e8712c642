"""The class and the object that a torch data set gives for an image."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from mmocc.report.torch_targets import read_item

IMAGE = Image.new('RGB', (30, 20))
BOX = [4.0, 2.0, 10.0, 12.0]


def square():
    """Return the (20, 30) mask of the box."""
    mask = np.zeros((20, 30), np.uint8)
    mask[2:12, 4:10] = 1
    return mask


def test_a_plain_label():
    assert read_item((IMAGE, 3), 'x') == dict(img=IMAGE, label=3)
    extra = read_item((IMAGE, 3, 'camera 2'), 'x')
    assert extra == dict(img=IMAGE, label=3)


@pytest.mark.parametrize(
    'target',
    [
        dict(boxes=torch.tensor([BOX])),
        dict(boxes=np.array(BOX)),
        dict(
            boxes=tv_tensors.BoundingBoxes(
                torch.tensor([[4.0, 2, 6, 10]]),
                format='XYWH',
                canvas_size=(20, 30),
            )
        ),
        dict(
            boxes=tv_tensors.BoundingBoxes(
                torch.tensor([[7.0, 7, 6, 10]]),
                format='CXCYWH',
                canvas_size=(20, 30),
            )
        ),
        [dict(bbox=[4, 2, 6, 10], category_id=9)],
        dict(annotations=[dict(bbox=[4, 2, 6, 10])]),
    ],
)
def test_boxes_of_any_form(target):
    sample = read_item((IMAGE, 3, target), 'x')
    assert sample['label'] == 3 and 'gt_seg_map' not in sample
    np.testing.assert_array_equal(sample['gt_bboxes'], [BOX])


def test_masks_are_joined():
    one, two = square(), np.zeros((20, 30), np.uint8)
    two[0, 0] = 255
    masks = torch.from_numpy(np.stack([one, two]))
    target = dict(label=1, boxes=torch.tensor([BOX]), masks=masks)
    sample = read_item((IMAGE, target), 'x')
    assert sample['label'] == 1
    np.testing.assert_array_equal(sample['gt_seg_map'], one | (two > 0))
    assert sample['gt_seg_map'].dtype == np.uint8


def test_masks_of_coco():
    pytest.importorskip('pycocotools')
    polygon = [[4, 2, 10, 2, 10, 12, 4, 12]]
    marked = dict(bbox=[4, 2, 6, 10], segmentation=polygon)
    sample = read_item((IMAGE, 0, [marked]), 'x')
    np.testing.assert_array_equal(sample['gt_seg_map'], square())
    bare = dict(bbox=[0, 0, 3, 3])
    assert 'gt_seg_map' not in read_item((IMAGE, 0, [marked, bare]), 'x')


def test_labels_of_one_class_are_a_label():
    target = dict(labels=torch.tensor([2, 2]), boxes=torch.zeros(2, 4))
    assert read_item((IMAGE, target), 'x')['label'] == 2


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        (IMAGE, r'must be \(image, label\), got Image'),
        ((IMAGE,), r'must be \(image, label\)'),
        ((IMAGE, [dict(bbox=[0, 0, 1, 1])]), 'without a class of the image'),
        ((IMAGE, dict(boxes=torch.zeros(1, 4))), 'but no label'),
        ((IMAGE, dict(labels=torch.tensor([1, 2]))), r'labels \[1, 2\]'),
        ((IMAGE, dict(labels=torch.tensor([]))), r'labels \[\]'),
        ((IMAGE, 0, dict(boxes=torch.zeros(2, 5))), r'boxes must be \(N, 4'),
        ((IMAGE, 0, dict(masks=torch.zeros(1, 1, 2, 2))), 'masks must be'),
        ((IMAGE, 0, dict(annotations=(1, 2))), 'must be a list of dicts'),
        ((IMAGE, 0, [dict(category_id=1)]), "no bbox, only \\['category_id'"),
    ],
)
def test_other_forms_are_refused(item, message):
    with pytest.raises(ValueError, match=f'here.*{message}'):
        read_item(item, 'here')
