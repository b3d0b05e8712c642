"""The Hide-and-Seek configs with hiding, and their parts.

The baselines without hiding are in test_all_configs.py.
"""

import json
import shlex
import sys

import numpy as np
import pytest
import tiny_wsol
import torch
import wsol_layouts
from conftest import ROOT, import_tool
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope
from mmpretrain.structures import DataSample
from PIL import Image
from torch import nn

from mmocc.utils import cli

FOLDER = ROOT / 'configs/hide_and_seek'
VARIANTS = sorted(path.name for path in FOLDER.glob('*_has-mixed_*.py'))
GATHER = ROOT / 'tools/dev/gather_seeds.py'


def read(name):
    cfg = Config.fromfile(FOLDER / name)
    init_default_scope(cfg.default_scope)
    return cfg


def test_each_baseline_has_one_variant():
    baselines = sorted(path.name for path in FOLDER.glob('*_cam_*.py'))
    names = [name.replace('_cam_', '_has-mixed_') for name in baselines]
    assert names == VARIANTS
    assert len(VARIANTS) == 14


def documented_option(size):
    """Return the option that the pages show for one grid size."""
    pages = [FOLDER / 'README.md', ROOT / 'docs/localization.md']
    (line,) = {
        line.strip()
        for page in pages
        if page.exists()  # a source distribution has no docs
        for line in page.read_text().splitlines()
        if 'hide.grid_sizes=' in line
    }
    return shlex.split(line.replace('16', str(size)))


@pytest.mark.parametrize('name', VARIANTS)
def test_a_variant_is_its_baseline_and_hiding(name, monkeypatch):
    plain = read(name.replace('has-mixed', 'cam')).to_dict()
    mixed = read(name).to_dict()
    hide = mixed['data_preprocessor']['hide']
    sizes = hide['grid_sizes']
    assert sizes[0] == 0 and len(sizes) == 5
    plain['data_preprocessor'] |= dict(
        type='mmocc.HidingDataPreprocessor',
        hide=dict(
            type='mmocc.BatchHideAndSeek', grid_sizes=sizes, hide_prob=0.5
        ),
    )
    assert mixed == plain
    tool = import_tool(ROOT / 'tools/train.py')
    for size in sizes[1:]:
        option = documented_option(size)
        argv = ['train.py', str(FOLDER / name), *option]
        monkeypatch.setattr(sys, 'argv', argv)
        args = tool.parse_args()
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        plain['data_preprocessor']['hide']['grid_sizes'] = (size,)
        assert cfg.to_dict() == plain
        assert MODELS.build(cfg.data_preprocessor).hide.grid_sizes == [size]


@pytest.mark.parametrize('data', ['cub', 'digits', 'cifar10'])
@pytest.mark.parametrize('single', [False, True])
def test_half_of_the_grid_cells_of_training_images_are_hidden(data, single):
    (name,) = [n for n in VARIANTS if n[:6] == 'resnet' and data in n]
    cfg = read(name)
    sizes = cfg.data_preprocessor.hide.grid_sizes
    if single:
        cfg.data_preprocessor.hide.grid_sizes = sizes = sizes[-1:]
    preprocess = MODELS.build(cfg.data_preprocessor)
    side = 2 * max(sizes)
    white = [torch.full((3, side, side), 255, dtype=torch.uint8)] * 200
    data = dict(inputs=white, data_samples=[DataSample() for _ in white])
    torch.manual_seed(0)
    images = preprocess(data, training=True)['inputs']
    hidden = images[:, 0] == 0
    assert (images == 0).all(dim=1).equal(hidden)  # in all channels at once
    share = 0.5 * sum(size > 0 for size in sizes) / len(sizes)
    # 200 images of at least four grid cells: four deviations are below 0.09
    assert abs(hidden.float().mean().item() - share) < 0.09
    larger = torch.zeros(len(hidden), dtype=torch.bool)
    for size in sorted(filter(None, sizes), reverse=True):
        fits = is_grid(hidden, size)
        assert (fits & ~larger).any(), f'no image has a grid of {size}'
        larger |= fits
    assert larger.all()  # each image has a grid of one of the sizes
    assert (preprocess(data, training=False)['inputs'] != 0).all()


def is_grid(hidden, size):
    """Return for each (H, W) mask whether each grid cell is uniform."""
    mask = hidden.float()[:, None]
    high = nn.functional.max_pool2d(mask, size, ceil_mode=True)
    low = -nn.functional.max_pool2d(-mask, size, ceil_mode=True)
    return (high == low).flatten(1).all(dim=1)


def rates(name):
    """Return learning rate and weight decay of each epoch of a config."""
    cfg = read(name)
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(part, default_args=dict(optimizer=wrapper))
        for part in cfg.param_scheduler
    ]
    pairs = []
    for _ in range(cfg.train_cfg.max_epochs):
        (group,) = wrapper.param_groups
        pairs.append((group['lr'], group['weight_decay']))
        for scheduler in schedulers:
            scheduler.step()
    return pairs


def test_rates_are_those_of_the_released_code():
    # train.lua of kkanshul/Hide-and-Seek: epochs, rate, decay
    table = [
        (18, 1e-2, 5e-4),
        (11, 5e-3, 5e-4),
        (14, 1e-3, 0.0),
        (9, 5e-4, 0.0),
        (3, 1e-4, 0.0),
    ]
    expected = [tuple(pair) for epochs, *pair in table for _ in range(epochs)]
    for ours, theirs in zip(
        rates('alexnet-gap_has-mixed_in1k.py'), expected, strict=True
    ):
        assert ours == pytest.approx(theirs)
    googlenet = rates('googlenet-gap_has-mixed_in1k.py')
    assert len(googlenet) == 40
    assert googlenet[0] == pytest.approx((1e-2, 5e-4))
    assert googlenet[-1] == pytest.approx((1e-4, 0.0))


def test_new_layers_learn_ten_times_as_fast():
    cfg = read('resnet50_has-mixed_cub.py')
    cfg.model.backbone.pop('init_cfg')
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    fast = {
        id(parameter)
        for group in wrapper.param_groups
        for parameter in group['params']
        if group['lr'] == pytest.approx(1e-2)
    }
    for name, parameter in model.named_parameters():
        new = name.startswith(('backbone.layer4.', 'head.fc.'))
        assert (id(parameter) in fast) == new, name


def test_openimages_is_scored_by_masks_that_training_does_not_read(tmp_path):
    names = [f'{i}.png' for i in range(4)]
    for split in ('train', 'val', 'test'):
        paths = [f'{split}/{name}' for name in names]
        for index, path in enumerate(paths):
            wsol_layouts.write_image(tmp_path / path, (32, 32), index)
        folder = tmp_path / 'metadata' / split
        wsol_layouts.write_lines(folder / 'image_ids.txt', *paths)
        labels = [f'{path},{i % 2}' for i, path in enumerate(paths)]
        wsol_layouts.write_lines(folder / 'class_labels.txt', *labels)
        if split == 'train':
            continue  # a file that is opened must be there
        for path in paths:
            mask = np.zeros((32, 32), np.uint8)
            mask[8:20, 4:24] = 255
            Image.fromarray(mask).save(tmp_path / f'{path}_mask.png')
        lines = [f'{path},{path}_mask.png,' for path in paths]
        wsol_layouts.write_lines(folder / 'localization.txt', *lines)
    cfg = read('resnet50_has-mixed_openimages.py')
    backbone = dict(depth=18, base_channels=8, stem_channels=8, init_cfg=None)
    cfg.model.backbone.update(backbone)
    cfg.model.head.in_channels = 64
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, batch_size=2)
        loader.dataset.data_root = str(tmp_path)
        loader.dataset.layout_args.metadata = str(tmp_path / 'metadata')
        for step in loader.dataset.pipeline:
            for key in {'scale', 'crop_size'} & set(step):
                step[key] = (64, 64) if key == 'scale' else 64
    cfg.train_cfg.max_epochs = 1
    cfg.update(work_dir=str(tmp_path / 'work'), launcher='none')
    cli.fill_dataloaders(
        cfg, ['train_dataloader', 'val_dataloader', 'test_dataloader']
    )
    runner = cli.build_runner(cfg)
    runner.train()
    metrics = runner.test()
    share = 100 * 12 * 20 / 32**2
    assert {'accuracy/top1', 'px_ap/px_ap'} <= set(metrics)
    for name in ('px_ap/px_ap', 'px_ap_aligned/px_ap'):
        assert 0.5 * share < metrics[name] <= 100


def test_the_ensemble_has_five_alexnets_and_the_maps_of_four():
    model = MODELS.build(read('alexnet-gap_ensemble_in1k.py').model).eval()
    samples = [DataSample().set_gt_label(7)]
    with torch.no_grad():
        (sample,) = model(torch.zeros(1, 3, 224, 224), samples, 'predict')
    assert len(model.models) == 5
    assert model.map_models == (1, 2, 3, 4)
    assert sample.gt_cam.shape == (11, 11)
    assert sample.pred_score.shape == (1000,)


def test_ten_crops_of_a_data_set_are_scored_in_its_boxes(tmp_path):
    cfg = read('resnet50_has-mixed_cub.py')
    tiny_wsol.write(tmp_path / 'data', 'cub', ())
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'data')
    cfg.test_dataloader.update(num_workers=0, batch_size=2)
    backbone = dict(depth=18, base_channels=8, stem_channels=8, init_cfg=None)
    cfg.model.backbone.update(backbone)
    cfg.model.head.in_channels = 64
    cfg.update(work_dir=str(tmp_path), launcher='none')
    cli.use_tta(cfg)
    cli.fill_dataloaders(cfg, ['test_dataloader'])
    runner = cli.build_runner(cfg)
    merge, samples = runner.model.merge_preds, []

    def record(crops):
        merged = merge(crops)
        samples.extend(merged)
        return merged

    runner.model.merge_preds = record
    metrics = runner.test()
    assert len(samples) == tiny_wsol.IMAGES
    for sample in samples:
        assert sample.gt_cam.shape == sample.pred_cam.shape == (256, 256)
        assert sample.gt_bboxes.tolist() == [list(tiny_wsol.BOX)]
        assert sample.ori_shape == (32, 32)
    right = [int(s.pred_label) == int(s.gt_label) for s in samples]
    assert metrics['localization/top1_clas'] == 100 * sum(right) / len(right)
    assert 0 <= metrics['max_box_acc/v2'] <= 100


def shrunk_rival(rival):
    """Return a rival's config with a small network, without its weights."""
    name = 'deit-small' if rival == 'tscam' else 'resnet50'
    cfg = read(f'{name}_{rival}_cub.py')
    backbone, head = cfg.model.backbone, cfg.model.head
    if rival == 'tscam':
        backbone.arch = dict(
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            feedforward_channels=16,
        )
        backbone.init_cfg, head.in_channels = None, 8
        aligned = dict(align='receptive_field')
        both = [dict(part, **aligned) for part in cfg.test_evaluator]
        cfg.test_evaluator = cfg.val_evaluator = [*cfg.val_evaluator, *both]
        return cfg
    small = dict(base_channels=4, stem_channels=4, init_cfg=None)
    (backbone.backbone if rival == 'spg' else backbone).update(small)
    head.in_channels = 128
    if rival == 'acol':
        head.channels = (8,)
    if rival == 'spg':
        head.update(side_channels=(64, 64), channels=8, guided_channels=8)
    return cfg


RIVALS = dict(
    acol=('loss_a', 'loss_b'),
    adl=('loss',),
    cutmix=('loss',),
    spg=('loss_cls', 'loss_b2', 'loss_b1', 'loss_c'),
    tscam=('loss',),
)


@pytest.mark.parametrize('rival', RIVALS)
def test_a_rival_trains_and_is_measured_both_ways(rival, tmp_path):
    cfg = shrunk_rival(rival)
    tiny_wsol.write(tmp_path / 'data', 'cub', ())
    for phase in ('train', 'val', 'test'):
        loader = cfg[f'{phase}_dataloader']
        loader.dataset.data_root = str(tmp_path / 'data')
        loader.update(num_workers=0, batch_size=2)
    cfg.test_evaluator.append(
        dict(type='mmocc.DumpMaps', out_dir=str(tmp_path / 'maps'))
    )
    cfg.update(work_dir=str(tmp_path), launcher='none')
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    for phase in ('train', 'val', 'test'):
        cli.fill_dataloaders(cfg, [f'{phase}_dataloader'])
    runner = cli.build_runner(cfg)
    runner.train()
    scores = runner.message_hub.log_scalars
    for name in RIVALS[rival]:
        assert np.isfinite(scores[f'train/{name}'].current())
    metrics = runner.test()
    for name in ('max_box_acc/v2', 'localization/gt_known_loc'):
        room, value = name.split('/')
        assert 0 <= metrics[name] <= 100
        aligned = metrics[f'{room}_aligned/{value}']
        assert 0 <= aligned <= 100
        if rival == 'tscam':  # its cells are patches, which lie evenly
            assert aligned == metrics[name]
    maps = [np.load(path) for path in (tmp_path / 'maps').rglob('*.npy')]
    assert len(maps) == tiny_wsol.IMAGES
    assert {cam.shape for cam in maps} == {(14, 14)}


@pytest.mark.parametrize(
    ('name', 'channels'),
    [('resnet50_spg_cub.py', 2048), ('deit-small_tscam_cub.py', 384)],
)
def test_a_rival_fits_its_images_at_full_size(name, channels):
    cfg = read(name)
    part = cfg.model.backbone
    (part.backbone if 'spg' in name else part).pop('init_cfg')
    model = MODELS.build(cfg.model)
    model.eval()
    samples = [DataSample().set_gt_label(7)]
    with torch.no_grad():
        feats = model.extract_feat(torch.zeros(1, 3, 224, 224))
        (sample,) = model.head.predict(feats, samples)
    assert feats[-1].shape == (1, channels, 14, 14)
    assert sample.gt_cam.shape == (14, 14)
    assert sample.pred_score.shape == (200,)
    if 'spg' in name:
        assert model.head.side_logits(feats)[0].shape == (1, 224, 224)
    names = [key for key, _ in model.named_parameters()]
    for key in cfg.optim_wrapper.paramwise_cfg.custom_keys:
        assert any(key in name for name in names), f'{key} matches nothing'


@pytest.mark.parametrize('rival', ['spg', 'tscam'])
def test_a_rival_has_ten_crops(rival, tmp_path):
    cfg = shrunk_rival(rival)
    tiny_wsol.write(tmp_path / 'data', 'cub', ())
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'data')
    cfg.test_dataloader.update(num_workers=0, batch_size=2)
    cfg.update(work_dir=str(tmp_path), launcher='none')
    cli.use_tta(cfg)
    cli.fill_dataloaders(cfg, ['test_dataloader'])
    metrics = cli.build_runner(cfg).test()
    assert 0 <= metrics['max_box_acc/v2'] <= 100
    assert metrics['max_box_acc_aligned/v2'] == metrics['max_box_acc/v2']


def write_run(folder, config, seed, **metrics):
    path = folder / config / f'seed{seed}' / 'metrics.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metrics))


def test_gathered_seeds_have_mean_and_spread(run_tool, tmp_path):
    for seed, value in enumerate((50.0, 52.0, 57.0)):
        write_run(tmp_path, 'net_has8_toy', seed, **{'a/gt_known_loc': value})
    write_run(tmp_path, 'net_has12_toy', 0, **{'a/gt_known_loc': 40.0})
    write_run(tmp_path, 'net_cam_toy', 0, **{'a/gt_known_loc': 30.0})
    result = run_tool(GATHER, tmp_path, '--out', tmp_path / 'table')
    assert result.returncode == 0, result.stderr
    rows = (tmp_path / 'table.md').read_text().splitlines()
    assert rows[0] == '**net, toy**'
    # mean 53, sample variance (9 + 1 + 16) / 2 = 13
    assert [row.split(' | ')[:3] for row in rows[4:7]] == [
        ['| cam', '1', '30.00'],
        ['| has8', '3', '53.00 ± 3.61'],
        ['| has12', '1', '40.00'],
    ]
    table = json.loads((tmp_path / 'table.json').read_text())
    assert table['net_has8_toy']['a/gt_known_loc'] == dict(
        mean=53.0, std=pytest.approx(13**0.5), seeds=3
    )


def test_gathering_names_what_is_missing(run_tool, tmp_path):
    def refuse():
        result = run_tool(GATHER, tmp_path)
        assert result.returncode == 1
        return result.stderr

    assert 'has no */seed*/metrics.json' in refuse()
    write_run(tmp_path, 'net_cam_toy', 0, a=1.0)
    write_run(tmp_path, 'net_cam_toy', 1, b=1.0)
    assert refuse() == 'seed 1 lacks a\n'
    (tmp_path / 'net_cam_toy/seed1/metrics.json').write_text('{')
    assert 'seed1/metrics.json is no JSON file' in refuse()
