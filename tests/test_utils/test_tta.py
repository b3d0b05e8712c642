"""Test-time augmentation: a perfect detector stays perfect by each metric."""

import copy
import json

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from mmdet.models import BaseDetector
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import (
    DATASETS,
    METRICS,
    MODELS,
    init_default_scope,
)
from mmengine.structures import InstanceData

from mmocc.utils.tta import use_tta

SIZES = [(60, 100), (90, 80)]  # (h, w)
BOXES = [[10, 10, 40, 30], [55, 5, 75, 50]]
SCALE = (128, 96)  # (w, h): another size than the images have
VOC = """<annotation><size><width>{w}</width><height>{h}</height></size>
{objects}</annotation>"""
OBJECT = """<object><name>{name}</name><difficult>0</difficult><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
</object>"""
NAMES = ('aeroplane', 'bicycle')


@pytest.fixture
def data(tmp_path):
    """Write images whose objects are of their class's colour, in both forms.

    VOC counts pixels from 1; its boxes are then those of COCO.
    """
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (tmp_path / folder).mkdir(parents=True)
    images, annotations = [], []
    for number, (height, width) in enumerate(SIZES):
        pixels = np.zeros((height, width, 3), np.uint8)
        objects = ''
        for label, (x1, y1, x2, y2) in enumerate(BOXES):
            pixels[y1:y2, x1:x2, label] = 255
            corners = x1 + 1, y1 + 1, x2 + 1, y2 + 1
            objects += OBJECT.format(*corners, name=NAMES[label])
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                )
            )
        name = f'{number}.jpg'
        # Without chroma subsampling, which would move the edges.
        path = tmp_path / 'JPEGImages' / name
        Image.fromarray(pixels).save(path, quality=100, subsampling=0)
        (tmp_path / f'Annotations/{number}.xml').write_text(
            VOC.format(w=width, h=height, objects=objects),
            encoding='utf-8',
        )
        images.append(
            dict(id=number, file_name=name, width=width, height=height)
        )
    (tmp_path / 'ImageSets/Main/test.txt').write_text(
        '0\n1\n', encoding='utf-8'
    )
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES)]
    (tmp_path / 'test.json').write_text(
        json.dumps(
            dict(images=images, annotations=annotations, categories=categories)
        ),
        encoding='utf-8',
    )
    return tmp_path


class SeesColours(BaseDetector):
    """Finds every object exactly: by its colour in what it is given."""

    def loss(self, *args):
        raise NotImplementedError

    def extract_feat(self, *args):
        raise NotImplementedError

    def _forward(self, *args):
        raise NotImplementedError

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        for image, sample in zip(
            batch_inputs, batch_data_samples, strict=True
        ):
            boxes = []
            for label in range(2):
                # Inputs are BGR, so class 0, red, is channel 2.
                bright = image[2 - label].float() > 127
                rows = bright.any(1).nonzero()[:, 0]
                columns = bright.any(0).nonzero()[:, 0]
                box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
                scale = torch.tensor(sample.scale_factor).repeat(2)
                boxes.append(torch.tensor(box) / scale)
            sample.pred_instances = InstanceData(
                bboxes=torch.stack(boxes),
                scores=torch.tensor([0.9, 0.8]),
                labels=torch.tensor([0, 1]),
            )
        return batch_data_samples


LOAD = dict(type='LoadImageFromFile')
RESIZE = dict(type='Resize', scale=SCALE, keep_ratio=False)
TRUTH = dict(type='LoadAnnotations', with_bbox=True)
KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
PACK = dict(type='PackDetInputs', meta_keys=(*KEYS, 'instances'))
PLAIN = [LOAD, RESIZE, TRUTH, PACK]
ANOMALY = [
    LOAD,
    RESIZE,
    dict(type='mmocc.LoadAnomalyAnnotations'),
    dict(type='mmocc.PackAnomalyInputs'),
]


def settings(data, kind):
    """Return the data set and the metric of a kind."""
    metainfo = dict(classes=NAMES)
    if kind == 'voc':
        dataset = dict(
            type='VOCDataset',
            data_root=str(data),
            data_prefix=dict(sub_data_root=''),
            ann_file='ImageSets/Main/test.txt',
        )
        metric = dict(type='VOCMetric', iou_thrs=[0.5, 0.75])
    else:
        dataset = dict(
            type='CocoDataset',
            data_root=str(data),
            data_prefix=dict(img='JPEGImages'),
            ann_file='test.json',
        )
        metric = dict(type='CocoMetric', ann_file=str(data / 'test.json'))
    pipeline = PLAIN
    if kind == 'ours':
        metric = dict(type='mmocc.KnownClassCocoMetric', metric='bbox')
        dataset['type'], pipeline = 'mmocc.OrnamentPages', ANOMALY
    dataset.update(
        metainfo=metainfo, test_mode=True, pipeline=copy.deepcopy(pipeline)
    )
    return dataset, metric


def evaluate(data, kind, tta):
    """Return the metrics of a perfect detector."""
    register_all_modules(init_default_scope=False)
    dataset, metric = settings(data, kind)
    cfg = Config(
        dict(
            default_scope='mmdet',
            model=dict(
                type=SeesColours,
                data_preprocessor=dict(type='mmdet.DetDataPreprocessor'),
            ),
            test_dataloader=dict(dataset=dataset),
        )
    )
    init_default_scope('mmdet')
    if tta:
        use_tta(cfg)
    model = MODELS.build(cfg.model)
    images = DATASETS.build(cfg.test_dataloader.dataset)
    metric = METRICS.build(metric)
    metric.dataset_meta = images.metainfo
    for item in images:
        if isinstance(item['inputs'], list):
            assert [s.flip for s in item['data_samples']] == [False, True]
        (sample,) = model.test_step(pseudo_collate([item]))
        metric.process({}, [sample.to_dict()])
    return metric.evaluate(len(images))


@pytest.mark.parametrize('tta', [False, True])
@pytest.mark.parametrize('kind', ['voc', 'coco', 'ours'])
def test_a_perfect_detector_scores_1(data, kind, tta):
    values = evaluate(data, kind, tta)
    names = dict(voc=('pascal_voc/AP50', 'pascal_voc/AP75'))
    names = names.get(kind, ('coco/bbox_mAP_50', 'coco/bbox_mAP_75'))
    for name in names:
        assert values[name] == pytest.approx(1, abs=1e-3), name


def dea_views():
    """Return a page and its mirror image, as a pipeline gives them."""
    image, sample = toy_dea.page(toy_dea.PAGES[0])
    other = copy.deepcopy(sample)
    sample.set_metainfo(dict(flip=False, flip_direction=None))
    other.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    return dict(
        inputs=[[image], [image.flip(-1)]], data_samples=[[sample], [other]]
    )


def test_dea_keeps_its_fields_and_turns_pictures_back():
    model = toy_dea.build(frozen_detector=False).eval()
    data = dea_views()
    alone = [
        model.test_step(dict(inputs=views, data_samples=samples))[0]
        for views, samples in zip(
            copy.deepcopy(data['inputs']),
            copy.deepcopy(data['data_samples']),
            strict=True,
        )
    ]
    cfg = Config(
        dict(
            default_scope='mmdet',
            model=dict(type='mmocc.DEA', test_cfg=toy_dea.MODEL['test_cfg']),
            test_dataloader=dict(dataset=dict(pipeline=[dict(type='Pack')])),
        )
    )
    use_tta(cfg)
    assert cfg.tta_model.type == 'mmocc.DEATTA'
    assert cfg.tta_model.tta_cfg.max_per_img == 20
    tta = MODELS.build(dict(cfg.tta_model, module=model))
    with torch.no_grad():
        (merged,) = tta.test_step(data)
    objects = merged.pred_instances
    assert 0 < len(objects) <= 20
    assert set(objects.keys()) == set(alone[0].pred_instances.keys())
    assert not merged.flip
    width = toy_dea.SIDE
    for place in range(len(objects)):
        one = objects[place]
        found = False
        for number, sample in enumerate(alone):
            own = sample.pred_instances
            boxes, recons = own.bboxes, own.recons
            if number:  # the mirror image
                boxes = boxes[:, [2, 1, 0, 3]]
                boxes = boxes * torch.tensor([-1, 1, -1, 1])
                boxes = boxes + torch.tensor([width, 0, width, 0])
                recons = recons.flip(-1)
            same = torch.isclose(boxes, one.bboxes, atol=1e-3).all(1)
            same &= torch.isclose(own.scores, one.scores)
            for index in same.nonzero()[:, 0]:
                found |= torch.allclose(recons[index], one.recons[0])
        assert found
