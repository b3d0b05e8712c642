"""Ornament pages as data: the detector never gets outside objects."""

import json

import numpy as np
import pytest
import torch
from anomaly_layouts import PAGES
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('mmdet', reason='the data set builds on mmdet')

from mmocc.evaluation.anomaly_pages import anomaly_truth
from mmocc.registry import DATASETS
from mmocc.synthetic.ornaments import write_ornaments

CONFIGS = ROOT / 'configs' / '_base_' / 'datasets'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('ornaments') / 'pages'
    write_ornaments(PAGES, out)
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
    side = 300 if config == 'ornament_pages' else 320
    names = tuple(c['name'] for c in coco['categories'][:-1])
    assert dataset.metainfo['classes'] == names
    for number, item in enumerate(dataset):
        assert item['inputs'].shape == (3, side, side)
        sample = item['data_samples']
        anns = [a for a in coco['annotations'] if a['image_id'] == number + 1]
        x, y, w, h = np.array([a['bbox'] for a in anns]).T
        boxes = np.stack([x, y, x + w, y + h], axis=1)  # of the original page
        outside = np.array([a['anomaly'] for a in anns], bool)
        labels = np.array([a['category_id'] - 1 for a in anns])
        parts = sample.gt_instances, sample.ignored_instances
        for objects, keep in zip(parts, (~outside, outside), strict=True):
            assert objects.bboxes.tensor.tolist() == boxes[keep].tolist()
            assert objects.anomaly.tolist() == outside[keep].tolist()
        assert sample.gt_instances.labels.tolist() == labels[~outside].tolist()
        assert set(sample.ignored_instances.labels.tolist()) <= {-1}
        area = int((w * h)[outside].sum())  # they do not overlap
        assert sample.gt_sem_seg.sem_seg.shape == (1, 160, 160)
        assert sample.gt_sem_seg.sem_seg.sum() == area
        truth = anomaly_truth(sample)
        order = [*np.flatnonzero(~outside), *np.flatnonzero(outside)]
        assert truth.boxes.tolist() == boxes[order].tolist()
        assert truth.anomaly.tolist() == outside[order].tolist()
        same = anomaly_truth(sample.to_dict())  # as metrics get it
        assert all(map(torch.equal, truth, same))
        sample.ignored_instances.anomaly[:] = 0  # crowds are no anomalies
        assert not anomaly_truth(sample).anomaly.any()
        assert len(anomaly_truth(sample).boxes) == len(sample.gt_instances)
    assert any(a['anomaly'] for a in coco['annotations'])
    plain = build(root, 'test', outside=False)
    assert len(plain[0]['data_samples'].ignored_instances) == 0


def test_training_pages_serve_any_mmdet_model(root, tmp_path):
    coco = annotations(root, 'train')
    keep = [a for a in coco['annotations'] if a['image_id'] != 2]
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(dict(coco, annotations=keep)))
    dataset = build(root, 'train', ann_file=str(path))
    objects = [item['data_samples'].gt_instances for item in dataset]
    assert objects[0].bboxes.tensor.max() > 160  # resized
    assert 'anomaly' not in objects[0]
    counts = [len(part) for part in objects]
    assert len(counts) == 4 and counts.count(0) == 1  # an empty page is kept


def test_another_dictionary_is_refused(root):
    names = [c['name'] for c in annotations(root, 'test')['categories']]
    for wrong in ('DejaVuSans_UFFFF', 'outside'):
        with pytest.raises(ValueError, match=rf'1 of 3.*{wrong}.*another dic'):
            build(root, 'test', metainfo=dict(classes=(*names[:2], wrong)))
    some = build(root, 'test', metainfo=dict(classes=tuple(names[:2])))
    assert some.metainfo['classes'] == tuple(names[:2])


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (dict(), None),
        (dict(width=321), r'is 160 x 160 pixels, but .*a\.json is for 321'),
        (dict(id=2), 'two images have the same id: 2'),
    ],
)
def test_a_marked_file_is_read_and_one_that_does_not_fit_named(
    root, tmp_path, monkeypatch, change, told
):
    content = annotations(root, 'test')
    content['images'][0].update(change)
    text = '\ufeff' + json.dumps(content)
    (tmp_path / 'a.json').write_text(text, encoding='utf-8')
    monkeypatch.setenv('HOME', str(tmp_path))
    if told is None:
        assert len(build(root, 'test', ann_file='~/a.json')) == 3
        return
    with pytest.raises(ValueError, match=told):
        build(root, 'test', ann_file='~/a.json')
