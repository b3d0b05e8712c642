"""Detectors under occlusion; the toy detector sees what is not white."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner

pytest.importorskip('mmdet', reason='detection needs mmdet')

from toy_detector import (
    LOAD,
    META,
    PIPELINE,
    ToyDetector,
    coco_config,
    make_objects,
    voc_config,
    write_coco,
)

from mmocc.report.detectors import det_cell_loader, run_det_cell

TOOL = ROOT / 'tools/analysis_tools/occlusion_benchmark.py'


@pytest.fixture(scope='module')
def objects():
    return make_objects(12)


@pytest.fixture(scope='module')
def coco(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    write_coco(folder, objects)
    return coco_config(folder)


def plain(model, cfg, folder):
    """Return what ``tools/test.py`` gives for a config."""
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
    metrics = run_det_cell(model, coco, 'L0')
    assert metrics == plain(model, coco, tmp_path)
    assert 0.5 < metrics['coco/bbox_mAP'] < 1
    json.dumps(metrics, allow_nan=False)


def test_the_objects_are_hidden_where_the_model_looks(coco, objects):
    model = ToyDetector(objects)
    metrics = {
        cell: run_det_cell(model, coco, cell)
        for cell in ('L0', 'L1 white', 'L2 white', 'L3 white')
    }
    ap = [cell['coco/bbox_mAP_50'] for cell in metrics.values()]
    assert ap[0] == pytest.approx(ap[1], abs=0.05)  # at least 60 % visible
    assert ap[1] > ap[2] > ap[3]
    assert ap[3] < 0.02  # at most 40 % visible
    count = sum(len(labels) for _, labels in objects.values())
    for level, low in (('L1', 0.2), ('L2', 0.4), ('L3', 0.6)):
        cell = metrics[f'{level} white']
        assert cell['occlusion/objects'] == count
        assert cell['occlusion/inside'] >= 0.97 * count
        assert low < cell['occlusion/mean_share'] < low + 0.2


def test_workers_and_batches_do_not_change_a_number(coco, objects):
    cfg = copy.deepcopy(coco)
    cfg.test_dataloader.update(batch_size=5, num_workers=2)
    model = ToyDetector(objects)
    first = run_det_cell(model, coco, 'L2 noise')
    assert run_det_cell(model, cfg, 'L2 noise') == first


def test_every_nth_image_keeps_its_occlusion_and_its_objects(coco, objects):
    full = det_cell_loader(coco, 'L2 white').dataset
    part = det_cell_loader(coco, 'L2 white', every=5, seed=0).dataset
    assert len(part) == 3
    for index in range(3):
        one, two = part[index]['inputs'], full[5 * index]['inputs']
        assert torch.equal(one, two)
    other = det_cell_loader(coco, 'L2 white', seed=1).dataset
    assert not torch.equal(other[0]['inputs'], full[0]['inputs'])
    model = ToyDetector(objects)
    metrics = run_det_cell(model, coco, 'L0', every=5)
    assert metrics['coco/bbox_mAP'] > 0.5  # absent images are not missed


def test_masks_are_hidden_where_the_data_set_has_them(tmp_path):
    objects = make_objects(3)
    write_coco(tmp_path, objects, masks=True)
    cfg = coco_config(tmp_path)
    by_mask = det_cell_loader(cfg, 'L3 white').dataset
    by_box = det_cell_loader(cfg, 'L3 white', region='box').dataset
    for dataset, half in ((by_mask, True), (by_box, False)):
        steps = dataset.pipeline.transforms  # look at the original
        steps[:] = [s for s in steps if type(s).__name__ != 'Resize']
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
    noted = {
        'occlusion_identity', 'occlusion_photo', 'occlusion_objects',
        'channel_order',
    }  # fmt: skip
    plain = set(clean.metainfo) - noted
    assert set(clean.metainfo) - plain == noted
    assert set(hidden.metainfo) - plain - noted == {
        'occlusion_shares', 'occlusion_status', 'occlusion_thumbnail',
    }  # fmt: skip
    assert plain == set(META)


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


def test_a_pipeline_without_a_place_says_what_was_looked_for(coco):
    cfg = copy.deepcopy(coco)
    for pipeline, names in (
        ([LOAD], r"\['LoadImageFromFile'\]"),
        (PIPELINE[1:], r"\['Resize', 'LoadAnnotations', 'PackDetInputs'\]"),
    ):
        cfg.test_dataloader.dataset.pipeline = pipeline
        message = rf'Load\.\.\.Image\.\.\..*{names}'
        with pytest.raises(ValueError, match=message):
            det_cell_loader(cfg, 'L1 white')


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
    bbox_head=dict(
        num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1
    ),
    test_cfg=dict(score_thr=0.0, nms_pre=20, max_per_img=20),
)
"""


def test_a_detector_with_random_weights(coco, tmp_path):
    (tmp_path / 'tiny.py').write_text(TINY_RETINANET)
    cfg = Config.fromfile(tmp_path / 'tiny.py')
    cfg.merge_from_dict(coco.to_dict())
    cfg.test_dataloader.pop('batch_sampler', None)
    cfg.test_dataloader.persistent_workers = False
    cfg.test_evaluator.metric = ['bbox', 'proposal']
    torch.manual_seed(0)
    det_cell_loader(cfg, 'L0')  # sets the scope
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    clean = run_det_cell(model, cfg, 'L0')
    assert clean == plain(model, cfg, tmp_path / 'work')
    hidden = run_det_cell(model, cfg, 'L3 noise')
    assert set(clean) < set(hidden)
    assert hidden['occlusion/inside'] >= 0.97 * hidden['occlusion/objects']


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
"""


@pytest.mark.parametrize('host', ['mmdet', 'mmpretrain'])
def test_nothing_here_imports_a_host(host):
    code = WITHOUT_HOST.format(host=host)
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


def test_half_precision_is_evaluated_or_explained(coco, objects):
    class Half(ToyDetector):
        def look(self, image, sample):
            instances = super().look(image, sample)
            instances.scores = instances.scores.bfloat16()
            return instances

    class Fails(ToyDetector):
        def test_step(self, batch):
            raise RuntimeError('expected scalar type Float, found BFloat16')

    metrics = run_det_cell(Half(objects), coco, 'L0', amp=True)
    assert metrics['coco/bbox_mAP'] > 0.5
    with pytest.raises(RuntimeError, match='leave amp off, or use a GPU'):
        run_det_cell(Fails(objects), coco, 'L0', amp=True)


MODULE = """
from mmengine.registry import MODELS
from toy_detector import ToyDetector, make_objects


@MODELS.register_module()
class SixImagesDetector(ToyDetector):
    def __init__(self):
        super().__init__(make_objects(6))
"""


def test_the_tool_writes_tables_of_a_detector_and_resumes(run_tool, tmp_path):
    write_coco(tmp_path, make_objects(6))
    cfg = coco_config(tmp_path)
    cfg.model = dict(type='SixImagesDetector')
    cfg.custom_imports = dict(imports=['six_images'])
    cfg.dump(tmp_path / 'toy.py')
    (tmp_path / 'six_images.py').write_text(MODULE)
    weights = dict(anchor=torch.zeros(1))
    torch.save(dict(state_dict=weights), tmp_path / 'toy.pth')
    command = [
        TOOL, tmp_path / 'toy.py', tmp_path / 'toy.pth',
        '--names', 'toy', '--kinds', 'white', '--out', tmp_path / 'out',
    ]  # fmt: skip
    folders = (ROOT, Path(__file__).parents[1], tmp_path)
    paths = dict(PYTHONPATH=':'.join(map(str, folders)))
    result = run_tool(*command, **paths)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / 'out/det_occlusion.json').read_text(encoding='utf-8')
    cells = json.loads(text)['models']['toy']
    assert list(cells) == ['L0', 'L1 white', 'L2 white', 'L3 white']
    scores = [cell['coco/bbox_mAP'] for cell in cells.values()]
    assert scores[0] > scores[-1]
    stored = tmp_path / 'out/cells/toy/L2_white.json'
    time = stored.stat().st_mtime_ns
    # without the results by photo, a cell is computed again
    photos = tmp_path / 'out/cells/toy/L3_white.photos.npz'
    photos.unlink()
    old = tmp_path / 'out/det_occlusion.json'
    again = run_tool(*command, '--compare', old, **paths)
    assert again.returncode == 0, again.stderr
    assert "answers of 'L3 white' are not reused: they have no" in again.stdout
    assert photos.is_file()
    assert stored.stat().st_mtime_ns == time
    table = (tmp_path / 'out/det_occlusion.md').read_text(encoding='utf-8')
    assert table.startswith('| model')
    report = json.loads(text)['report']['models']['toy']
    for cell, metrics in cells.items():  # the page's AP is the evaluator's
        ap = report['cells'][cell]['accuracy']
        assert ap == pytest.approx(100 * metrics['coco/bbox_mAP'], abs=0.051)
    page = (tmp_path / 'out/det_occlusion.html').read_text(encoding='utf-8')
    assert page.count('data:image/jpeg') == 4 * 6
    assert 'toy</b> loses ' in page
    assert f'Earlier: {old}.' in page
    assert {'found', 'gone'} <= set(re.findall(r'<rect class="(\w+)"', page))


def test_one_annotation_of_real_occlusion_is_not_enough(run_tool):
    result = run_tool(TOOL, 'a.py', 'a.pth', '--occluded-coco', 'x.json')
    assert result.returncode == 2
    assert 'both of --occluded-coco and --separated-coco' in result.stderr
