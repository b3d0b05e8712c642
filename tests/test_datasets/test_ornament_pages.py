"""Ornament pages as data: what is outside never meets the detector."""

import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('mmdet', reason='the data set builds on mmdet')

from mmocc.evaluation.anomaly_truth import anomaly_truth
from mmocc.registry import DATASETS
from mmocc.synthetic.ornaments import OrnamentSettings, write_ornaments

CONFIGS = ROOT / 'configs' / '_base_' / 'datasets'
SMALL = OrnamentSettings(
    page=160,
    classes=5,
    outside_classes=3,
    train=3,
    val=2,
    test=4,
    objects=6.0,
    glyph_size=(16, 40),
    fonts=('DejaVuSerif.ttf',),
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('ornaments') / 'pages'
    write_ornaments(SMALL, out)
    return out


def build(root, split, config='ornament_pages_reduced', **kwargs):
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIGS / f'{config}.py')
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.update(data_root=str(root), **kwargs)
    return DATASETS.build(dataset)


def annotations(root, split):
    return json.loads((root / f'annotations/{split}.json').read_bytes())


@pytest.mark.parametrize(
    'config', ['ornament_pages', 'ornament_pages_reduced']
)
def test_a_packed_test_page(root, config):
    dataset = build(root, 'test', config)
    coco = annotations(root, 'test')
    side = 640 if config == 'ornament_pages' else 320
    assert dataset.metainfo['classes'] == tuple(
        c['name'] for c in coco['categories'][:-1]
    )
    for number, item in enumerate(dataset):
        assert item['inputs'].shape == (3, side, side)
        sample = item['data_samples']
        anns = [a for a in coco['annotations'] if a['image_id'] == number + 1]
        x, y, w, h = np.array([a['bbox'] for a in anns]).T
        boxes = np.stack([x, y, x + w, y + h], axis=1)  # of the original page
        odd = np.array([a['anomaly'] for a in anns], bool)
        labels = np.array([a['category_id'] - 1 for a in anns])
        for name, keep in (
            ('gt_instances', ~odd),
            ('ignored_instances', odd),
        ):
            found = sample.get(name)
            assert found.bboxes.tensor.tolist() == boxes[keep].tolist()
            assert found.anomaly.tolist() == odd[keep].tolist()
        assert sample.gt_instances.labels.tolist() == labels[~odd].tolist()
        assert set(sample.ignored_instances.labels.tolist()) <= {-1}
        area = int((w * h)[odd].sum())  # they do not overlap
        assert sample.gt_sem_seg.sem_seg.shape == (1, 160, 160)
        assert sample.gt_sem_seg.sem_seg.sum() == area
        truth = anomaly_truth(sample)
        order = [*np.flatnonzero(~odd), *np.flatnonzero(odd)]
        assert truth.boxes.tolist() == boxes[order].tolist()
        assert truth.anomaly.tolist() == odd[order].tolist()
        same = anomaly_truth(sample.to_dict())  # as metrics get it
        assert all(map(torch.equal, truth, same))
    assert any(a['anomaly'] for a in coco['annotations'])


def test_training_pages_serve_any_mmdet_model(root):
    dataset = build(root, 'train')
    sample = dataset[0]['data_samples']
    assert sample.gt_instances.bboxes.tensor.max() > 160  # resized
    assert 'anomaly' not in sample.gt_instances
    plain = build(root, 'test', outside=False)
    assert len(plain[0]['data_samples'].ignored_instances) == 0


def test_pages_without_objects_are_kept(root, tmp_path):
    coco = annotations(root, 'train')
    coco['annotations'] = [
        a for a in coco['annotations'] if a['image_id'] != 2
    ]
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(coco))
    dataset = build(root, 'train', ann_file=str(path))
    counts = [len(d['data_samples'].gt_instances) for d in dataset]
    assert len(counts) == 3 and counts.count(0) == 1


def test_another_dictionary_is_refused(root):
    names = [c['name'] for c in annotations(root, 'test')['categories']]
    for wrong in ('DejaVuSans_UFFFF', 'outside'):
        with pytest.raises(ValueError, match=rf'1 of 3.*{wrong}.*another dic'):
            build(root, 'test', metainfo=dict(classes=(*names[:2], wrong)))
    some = build(root, 'test', metainfo=dict(classes=tuple(names[:2])))
    assert some.metainfo['classes'] == tuple(names[:2])


def test_samples_of_other_data_are_refused():
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    sample = DetDataSample()
    with pytest.raises(KeyError, match='LoadAnomalyAnnotations'):
        anomaly_truth(sample)
    sample.gt_instances = InstanceData(
        bboxes=torch.zeros(1, 4), labels=torch.zeros(1)
    )
    sample.ignored_instances = InstanceData()
    with pytest.raises(KeyError, match=r'anomaly.*in gt_instances'):
        anomaly_truth(sample.to_dict())


def test_crowds_are_no_anomalies(root):
    sample = build(root, 'test')[0]['data_samples']
    sample.ignored_instances.anomaly[:] = 0
    assert not anomaly_truth(sample).anomaly.any()
    assert len(anomaly_truth(sample).boxes) == len(sample.gt_instances)
