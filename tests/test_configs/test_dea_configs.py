"""Both stages of DEA train, resume and test, and draw pages."""

import json

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

pytest.importorskip('mmdet', reason='detection needs mmdet')

from anomaly_layouts import PAGES
from mmdet.utils import register_all_modules
from run_config import LOADERS, train

from mmocc.models.dea.dea import PARTS
from mmocc.synthetic.ornaments import write_ornaments

FOLDER = ROOT / 'configs/dea'
DETECTOR = 'dea_detector_ornament-reduced'
STAGE_2 = {
    'dea_conv_ornament-reduced': True,  # whether the detector is frozen
    'dea_fc_ornament-reduced': True,
    'dea_conv_ornament-reduced-joint': False,
}
SCORES = {'pearson', 'mse', 'ssim', 'latent', 'confidence', 'zscore', 'rank'}


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """Write a few small pages."""
    root = tmp_path_factory.mktemp('ornaments') / 'pages'
    write_ornaments(PAGES, root)
    return root


def shrink(name, pages):
    """Return a config of ours with thin layers, on these pages."""
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    init_default_scope(cfg.default_scope)
    for loader in LOADERS:
        cfg[loader].update(batch_size=2, num_workers=0)
        cfg[loader].dataset.data_root = str(pages)
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    cfg.model.bbox_head.update(num_classes=5, in_channels=(16, 32, 64))
    if 'roi_extractor' in cfg.model:
        cfg.model.roi_extractor.in_channels = [16, 32, 64]
        cfg.model.judge.scores = sorted(SCORES)
        # So that a detector which has learnt nothing finds something.
        cfg.model.test_cfg.score_thr = 0.0
    return cfg


@pytest.fixture(scope='module')
def detector(pages, tmp_path_factory):
    """Train stage 1 for two epochs; return its folder and its metrics."""
    work = tmp_path_factory.mktemp('stage1') / 'work'
    cfg = shrink(DETECTOR, pages)
    assert train(cfg, work, epochs=1).iter == 2
    runner = train(cfg, work, epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)
    return work, runner.test()


def test_stage_1_trains_resumes_and_tests(detector):
    work, metrics = detector
    assert 0 <= metrics['coco/bbox_mAP'] <= 1
    assert 0 <= metrics['coco90/bbox_mAP'] <= 1
    states = [read_state(work / f'epoch_{n}.pth') for n in (1, 2)]
    for name, tensor in states[1].items():
        assert tensor.isfinite().all(), name


def read_state(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.fixture(scope='module')
def redrawn(detector, pages, tmp_path_factory):
    """Return a function that trains stage 2 by a config, once."""
    done = {}

    def run(name):
        if name not in done:
            work = tmp_path_factory.mktemp('stage2') / name
            cfg = shrink(name, pages)
            if STAGE_2[name]:
                cfg.load_from = str(detector[0] / 'epoch_2.pth')
            train(cfg, work, epochs=1)
            runner = train(cfg, work, epochs=2)
            cfg.dump(work / 'config.py')
            done[name] = work, runner.test()
        return done[name]

    return run


@pytest.mark.parametrize('name', STAGE_2)
def test_stage_2_trains_resumes_and_tests(detector, redrawn, name):
    work, metrics = redrawn(name)
    names = {key.removeprefix('anomaly/') for key in metrics}
    assert {f'{score}_auroc_all' for score in SCORES} <= names
    assert {'detected_anomaly', 'pearson_normal', 'aupro'} <= names
    first, last = (read_state(work / f'epoch_{n}.pth') for n in (1, 2))
    stage_1 = read_state(detector[0] / 'epoch_2.pth')
    own = [key for key in last if key.startswith(PARTS)]
    kept = [torch.equal(last[key], stage_1[key]) for key in own]
    assert all(kept) == STAGE_2[name]
    learnt = [key for key in last if key.startswith('decoder.')]
    assert learnt
    assert not any(torch.equal(first[key], last[key]) for key in learnt)
    assert len(last['judge.bank']) > 1  # normal objects are in the checkpoint


def rename_classes(pages, folder):
    """Write the pages' lists with other class names; return the folder."""
    (folder / 'annotations').mkdir(parents=True)
    (folder / 'JPEGImages').symlink_to(pages / 'JPEGImages')
    for path in (pages / 'annotations').iterdir():
        content = json.loads(path.read_text())
        content['categories'][2]['name'] = 'another'
        (folder / 'annotations' / path.name).write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize('name', [DETECTOR, 'dea_conv_ornament-reduced'])
def test_a_detector_of_other_classes_is_refused(
    detector, pages, tmp_path, name
):
    cfg = shrink(name, rename_classes(pages, tmp_path / 'other'))
    cfg.load_from = str(detector[0] / 'epoch_2.pth')
    with pytest.raises(ValueError, match=r"class 2 is .* but 'another'"):
        train(cfg, tmp_path / 'work', epochs=1)


def test_redrawn_pages_are_pictures(redrawn, run_tool, tmp_path, pages):
    work, _ = redrawn('dea_conv_ornament-reduced')
    tool = ROOT / 'tools/visualization/vis_reconstruction.py'
    model = (work / 'config.py', work / 'epoch_2.pth')
    flags = ('--number', '2', '--min-confidence', '0')
    result = run_tool(tool, *model, *flags, '--out', 'set')
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('objects anomalous') == 2
    files = sorted((tmp_path / 'set').iterdir())
    assert len(files) == 3
    assert files[-1].name == 'reconstruction.png'
    sheet, row = (cv2.imread(str(path)) for path in (files[-1], files[0]))
    assert sheet.shape[0] > row.shape[0] > 300
    assert np.ptp(sheet.reshape(-1, 3), axis=0).min() > 200
    # pages that no data set lists, without truth
    images = sorted((pages / 'JPEGImages').iterdir())[:1]
    result = run_tool(tool, *model, '--images', *images, '--out', 'files')
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'files').iterdir())) == 2
    # two of a folder
    folder = (pages / 'JPEGImages', '--number', '2')
    result = run_tool(tool, *model, '--images', *folder, '--out', 'two')
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'two').iterdir())) == 3


def test_the_hook_draws_while_testing(detector, redrawn, tmp_path):
    work, _ = redrawn('dea_conv_ornament-reduced')
    cfg = Config.fromfile(work / 'config.py')
    cfg.default_hooks.visualization.update(
        enable=True, interval=1, out_dir=str(tmp_path / 'drawn')
    )
    cfg.test_evaluator[1].figure = str(tmp_path / 'separation.png')
    runner = train(cfg, work, epochs=2)  # nothing is left to train
    runner.test()
    assert len(list((tmp_path / 'drawn').rglob('*.png'))) == PAGES.test
    assert cv2.imread(str(tmp_path / 'separation.png')) is not None


@pytest.mark.parametrize(
    ('name', 'decoder'),
    [
        ('dea_conv_ornament', 397860),
        ('dea_fc_ornament', 77617152),
        ('dea_conv_ornament-joint', 397860),
    ],
)
def test_the_papers_size_can_be_built(name, decoder):
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.decoder.parameters()) == decoder
    assert model.bbox_head.num_classes == 200
    assert model.frozen_detector == ('joint' not in name)
    assert type(model.bbox_head.loss_bbox).__name__ == 'DIoULoss'
