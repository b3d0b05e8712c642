"""Detectors under occlusion; the toy detector sees what is not white."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner
from PIL import Image

pytest.importorskip('mmdet', reason='detection needs mmdet')

from toy_detector import (
    LOAD,
    PIPELINE,
    ToyDetector,
    coco_config,
    make_objects,
    voc_config,
    write_coco,
)

from mmocc.report.detector_tables import write_det_results
from mmocc.report.detectors import det_cell_loader, run_det_cell

TRIAL_DATA = Path(
    os.environ.get('MMOCC_TRIAL_DATA', ROOT.parent / 'shared' / 'data')
)


@pytest.fixture(scope='module')
def objects():
    return make_objects(12)


@pytest.fixture(scope='module')
def coco(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    write_coco(folder, objects)
    return coco_config(folder)


def plain(model, cfg, folder):
    """Return what ``tools/test.py`` does with a config."""
    cfg = copy.deepcopy(cfg)
    runner = Runner(
        model=model,
        work_dir=str(folder),
        test_dataloader=cfg.test_dataloader,
        test_evaluator=cfg.test_evaluator,
        test_cfg=dict(),
        default_scope='mmdet',
        experiment_name=folder.name,
    )
    return runner.test()


def test_l0_is_the_plain_evaluation_exactly(coco, objects, tmp_path):
    model = ToyDetector(objects)
    found = run_det_cell(model, coco, 'L0')
    assert found == plain(model, coco, tmp_path)
    assert 0.5 < found['coco/bbox_mAP'] < 1
    json.dumps(found, allow_nan=False)


def test_the_objects_are_hidden_where_the_model_looks(coco, objects):
    model = ToyDetector(objects)
    found = {
        cell: run_det_cell(model, coco, cell)
        for cell in ('L0', 'L1 white', 'L2 white', 'L3 white')
    }
    ap = [cell['coco/bbox_mAP_50'] for cell in found.values()]
    assert ap[0] == pytest.approx(ap[1], abs=0.05)  # at least 60 % visible
    assert ap[1] > ap[2] > ap[3]
    assert ap[3] < 0.02  # at most 40 % visible
    count = sum(len(labels) for _, labels in objects.values())
    for level, low in (('L1', 0.2), ('L2', 0.4), ('L3', 0.6)):
        cell = found[f'{level} white']
        assert cell['occlusion/objects'] == count
        assert cell['occlusion/inside'] >= 0.97 * count
        assert low < cell['occlusion/mean_share'] < low + 0.2


def test_workers_and_batches_do_not_change_a_number(coco, objects):
    cfg = copy.deepcopy(coco)
    cfg.test_dataloader.batch_size = 5
    cfg.test_dataloader.num_workers = 2
    first, second = (
        run_det_cell(ToyDetector(objects), config, 'L2 noise')
        for config in (coco, cfg)
    )
    assert first == second


def test_the_seed_is_zero_unless_given(coco):
    def image(**args):
        return det_cell_loader(coco, 'L2 white', **args).dataset[1]['inputs']

    assert torch.equal(image(), image(seed=0))
    assert not torch.equal(image(), image(seed=1))


def test_every_nth_image_keeps_its_occlusion_and_its_objects(coco, objects):
    full = det_cell_loader(coco, 'L2 white').dataset
    part = det_cell_loader(coco, 'L2 white', every=5).dataset
    assert len(part) == 3
    for index in range(3):
        one, two = part[index]['inputs'], full[5 * index]['inputs']
        assert torch.equal(one, two)
    model = ToyDetector(objects)
    found = run_det_cell(model, coco, 'L0', every=5)
    assert found['coco/bbox_mAP'] > 0.5  # absent images are not missed


def test_masks_are_hidden_where_the_data_set_has_them(tmp_path):
    objects = make_objects(3)
    write_coco(tmp_path, objects, masks=True)
    cfg = coco_config(tmp_path)
    by_mask = det_cell_loader(cfg, 'L3 white').dataset
    by_box = det_cell_loader(cfg, 'L3 white', region='box').dataset
    for dataset, half in ((by_mask, True), (by_box, False)):
        dataset.pipeline.transforms.pop(2)  # Resize: look at the original
        for index, (boxes, _) in enumerate(objects.values()):
            image = dataset[index]['inputs']
            left, top, right, bottom = boxes[0].astype(int)
            right = (left + right) // 2 if half else right
            hidden = (image[:, top:bottom, left:right] == 255).all(dim=0)
            assert 0.58 < hidden.float().mean() < 0.82


def test_what_follows_in_the_pipeline_is_untouched(coco):
    clean = det_cell_loader(coco, 'L0').dataset[0]['data_samples']
    hidden = det_cell_loader(coco, 'L1 white').dataset[0]['data_samples']
    boxes = (s.gt_instances.bboxes.tensor for s in (clean, hidden))
    assert torch.equal(*boxes)
    added = set(hidden.metainfo) - set(clean.metainfo)
    assert added == {'occlusion_shares', 'occlusion_status'}


def test_voc_data_and_its_metric(tmp_path):
    objects = make_objects(8)
    cfg = voc_config(tmp_path / 'voc', objects)
    model = ToyDetector(objects)
    clean = run_det_cell(model, cfg, 'L0')
    assert clean == plain(model, cfg, tmp_path / 'work')
    assert clean['pascal_voc/mAP'] > 0.6
    hidden = run_det_cell(model, cfg, 'L3 white')
    assert hidden['pascal_voc/mAP'] < 0.1
    assert hidden['occlusion/ignored'] == 8  # the difficult ones


def test_several_data_sets_in_one(coco, objects):
    cfg = copy.deepcopy(coco)
    part = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[part, copy.deepcopy(part)]
    )
    loader = det_cell_loader(cfg, 'L2 white')
    assert len(loader.dataset) == 24
    for index in (0, 23):
        sample = loader.dataset[index]['data_samples']
        assert set(sample.occlusion_status) <= {'inside', 'below'}


@pytest.mark.parametrize(
    ('pipeline', 'names'),
    [
        ([LOAD], r"\['LoadImageFromFile'\]"),
        (PIPELINE[1:], r"\['Resize', 'LoadAnnotations', 'PackDetInputs'\]"),
    ],
)
def test_a_pipeline_without_a_place_says_what_was_looked_for(
    coco, pipeline, names
):
    cfg = copy.deepcopy(coco)
    cfg.test_dataloader.dataset.pipeline = pipeline
    with pytest.raises(ValueError, match=rf'Load\.\.\.Image\.\.\..*{names}'):
        det_cell_loader(cfg, 'L1 white')


@pytest.mark.parametrize('cell', ['L1', 'L9 white', 'L1 black', 'white L1'])
def test_a_cell_that_does_not_exist_is_refused(coco, cell):
    with pytest.raises(ValueError, match='unknown'):
        det_cell_loader(coco, cell)


def test_an_evaluator_that_gives_no_metric_is_named(objects, tmp_path):
    write_coco(tmp_path, objects)
    cfg = coco_config(
        tmp_path, format_only=True, outfile_prefix=str(tmp_path / 'out')
    )
    with pytest.raises(ValueError, match='remove format_only=True'):
        run_det_cell(ToyDetector(objects), cfg, 'L1 white')


TINY_RETINANET = """
_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
model = dict(
    backbone=dict(base_channels=8, stem_channels=8, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=8),
    bbox_head=dict(in_channels=8, feat_channels=8, stacked_convs=1),
    test_cfg=dict(score_thr=0.0, nms_pre=20, max_per_img=20),
)
"""


@pytest.fixture(scope='module')
def trial_coco(tmp_path_factory):
    """Photos of COCO, with boxes from labels in YOLO's layout."""
    source = TRIAL_DATA / 'coco128_panoptic'
    if not source.is_dir():
        pytest.skip(f'no trial data: {source} does not exist')
    from mmdet.datasets import CocoDataset

    folder = tmp_path_factory.mktemp('trial')
    (folder / 'images').mkdir()
    images, boxes = [], []
    for number, path in enumerate(
        sorted((source / 'images/val2017').iterdir())[:8]
    ):
        shutil.copy(path, folder / 'images')
        width, height = Image.open(path).size
        size = dict(width=width, height=height)
        images.append(dict(id=number, file_name=path.name, **size))
        labels = source / f'object_detection/labels/val2017/{path.stem}.txt'
        for line in labels.read_text().splitlines() if labels.exists() else ():
            label, x, y, w, h = map(float, line.split())
            box = [width * (x - w / 2), height * (y - h / 2)]
            box += [width * w, height * h]
            row = dict(id=len(boxes), image_id=number, category_id=int(label))
            boxes.append(dict(row, bbox=box, area=box[2] * box[3], iscrowd=0))
    names = enumerate(CocoDataset.METAINFO['classes'])
    categories = [dict(id=label, name=name) for label, name in names]
    document = dict(images=images, annotations=boxes, categories=categories)
    (folder / 'coco.json').write_text(json.dumps(document))
    return folder


def test_a_detector_with_random_weights_on_photos(trial_coco, tmp_path):
    (tmp_path / 'tiny.py').write_text(TINY_RETINANET)
    cfg = Config.fromfile(tmp_path / 'tiny.py')
    cfg.merge_from_dict(coco_config(trial_coco).to_dict())
    cfg.test_dataloader.pop('batch_sampler', None)
    cfg.test_dataloader.persistent_workers = False
    del cfg.test_dataloader.dataset.metainfo  # COCO's 80 classes
    cfg.test_evaluator.metric = ['bbox', 'proposal']
    torch.manual_seed(0)
    det_cell_loader(cfg, 'L0')  # sets the scope
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    found = run_det_cell(model, cfg, 'L0')
    assert found == plain(model, cfg, tmp_path / 'work')
    hidden = run_det_cell(model, cfg, 'L3 noise')
    assert set(found) < set(hidden)
    assert hidden['occlusion/inside'] >= 0.97 * hidden['occlusion/objects']
    cells = {'L0': found, 'L3 noise': hidden}
    write_det_results({'retinanet': cells}, {}, tmp_path / 'out')
    assert (tmp_path / 'out' / 'det_occlusion.md').stat().st_size > 100


WITHOUT_HOST = """
import sys
sys.modules[{host!r}] = None  # any import of it is an ImportError
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = (
    lambda name, package=None: None if name == {host!r} else real(name)
)
from mmengine.registry import METRICS, TRANSFORMS
assert TRANSFORMS.get('mmocc.OccludeObjects')
assert METRICS.get('mmocc.BoxOccludedSeparatedRecall')
import mmocc.report.detectors, mmocc.report.occluded_coco
"""


@pytest.mark.parametrize('host', ['mmdet', 'mmpretrain'])
def test_nothing_here_imports_a_host(host):
    code = WITHOUT_HOST.format(host=host)
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


def test_predictions_in_half_precision_are_evaluated(coco, objects):
    class Half(ToyDetector):
        def look(self, image, sample):
            found = super().look(image, sample)
            found.scores = found.scores.bfloat16()
            return found

    found = run_det_cell(Half(objects), coco, 'L0', amp=True)
    assert found['coco/bbox_mAP'] > 0.5


def test_bfloat16_that_mmcv_lacks_is_explained(coco, objects):
    class Fails(ToyDetector):
        def test_step(self, batch):
            raise RuntimeError('expected scalar type Float, found BFloat16')

    with pytest.raises(RuntimeError, match='leave amp off, or use a GPU'):
        run_det_cell(Fails(objects), coco, 'L0', amp=True)
