"""AP of known classes: detections on outside objects do not count."""

import json

import pytest
import torch

pytest.importorskip('mmdet', reason='the metric builds on mmdet')

from mmdet.evaluation.metrics import CocoMetric

from mmocc.evaluation.known_class_coco_metric import (
    KnownClassCocoMetric,
    off_outside,
)

KNOWN = [[0, 0, 40, 40], [50, 50, 90, 90]]
OUTSIDE = [[100, 0, 140, 40]]


def instances(boxes, labels, **kwargs):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor(labels, dtype=torch.int64)
    fields = {k: torch.tensor(v) for k, v in kwargs.items()}
    return dict(bboxes=boxes, labels=labels, **fields)


def sample(detections, scores):
    """Return a page of two known objects and an outside one."""
    return dict(
        img_id=1,
        ori_shape=(160, 160),
        gt_instances=instances(KNOWN, [0, 1], anomaly=[0, 0]),
        ignored_instances=instances(OUTSIDE, [-1], anomaly=[1]),
        pred_instances=instances(*detections, scores=scores),
        instances=[
            dict(bbox=box, bbox_label=label, ignore_flag=int(label < 0))
            for box, label in zip(KNOWN + OUTSIDE, (0, 1, -1), strict=True)
        ],
    )


def ann_file(folder):
    facts = dict(image_id=1, area=1600, iscrowd=0)
    boxes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in KNOWN + OUTSIDE]
    anns = [
        dict(facts, id=n, category_id=n, bbox=box)
        for n, box in enumerate(boxes, start=1)
    ]
    names = enumerate(('cat', 'dog', 'outside'), start=1)
    coco = dict(
        images=[dict(id=1, width=160, height=160, file_name='a.png')],
        annotations=anns,
        categories=[dict(id=n, name=name) for n, name in names],
    )
    path = folder / 'coco.json'
    path.write_text(json.dumps(coco))
    return str(path)


def score(kind, path, page, **options):
    metric = kind(ann_file=path, **options)
    metric.dataset_meta = dict(classes=('cat', 'dog'))
    metric.process({}, [page])
    return metric.evaluate(1)['coco/bbox_mAP']


@pytest.mark.parametrize('with_file', [True, False])
def test_ap_is_as_without_the_outside_object(tmp_path, with_file):
    path = ann_file(tmp_path) if with_file else None
    clean = sample((KNOWN, [0, 1]), [0.5, 0.4])
    busy = sample((KNOWN + OUTSIDE * 2, [0, 1, 0, 1]), [0.5, 0.4, 0.9, 0.8])
    assert score(CocoMetric, path, clean) == 1
    # a false positive of each class
    assert score(CocoMetric, path, busy) < 0.6
    assert score(KnownClassCocoMetric, path, busy) == 1
    assert len(busy['pred_instances']['scores']) == 4  # nothing changed in it
    # other false positives still count
    wrong = sample(([*KNOWN, [0, 100, 40, 140]], [0, 1, 0]), [0.5, 0.4, 0.9])
    stock = score(CocoMetric, path, wrong)
    assert score(KnownClassCocoMetric, path, wrong) == stock < 1
    shifted = [[4, 0, 44, 40], [52, 50, 92, 90]]  # IoUs 0.82 and 0.90
    page = sample((shifted, [0, 1]), [0.5, 0.4])
    for iou, expected in ((0.8, 1.0), (0.9, 0.5), (0.95, 0.0)):
        one = dict(iou_thrs=[iou], metric_items=['mAP'])
        assert score(KnownClassCocoMetric, path, page, **one) == expected


def test_which_detections_are_on_outside_objects():
    # On it, within it, two thirds, half, a little less on it, elsewhere.
    boxes = [[100, 0, 140, 40], [110, 10, 120, 20], [80, 0, 140, 40],
             [60, 0, 140, 40], [59, 0, 140, 40], [0, 0, 40, 40]]  # fmt: skip
    boxes = torch.tensor(boxes).float()
    outside = torch.tensor(OUTSIDE).float()
    none = boxes[:0]
    keep = off_outside(boxes, outside, none)
    assert keep.tolist() == [False] * 4 + [True] * 2
    assert off_outside(boxes, outside, none, 0.7).tolist()[2]
    # What overlaps a known object by half is judged as a detection of it.
    known = torch.tensor([[80, 0, 130, 40]]).float()
    assert off_outside(boxes, outside, known).tolist()[2]
    assert off_outside(boxes, none, known).all()
    assert off_outside(none, outside, known).shape == (0,)
