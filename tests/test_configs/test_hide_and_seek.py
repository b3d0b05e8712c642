"""The Hide-and-Seek configs that are written by a script, and their parts.

The baselines, which are written by hand, are in test_configs.py.
"""

import json

import pytest
import tiny_wsol
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope
from mmpretrain.structures import DataSample
from torch import nn

from mmocc.utils import cli

FOLDER = ROOT / 'configs/hide_and_seek'
VARIANTS = sorted(path.name for path in FOLDER.glob('*_has*_*.py'))
DEV = ROOT / 'tools/dev'


def read(name):
    cfg = Config.fromfile(FOLDER / name)
    init_default_scope(cfg.default_scope)
    return cfg


def setting(name):
    return name.split('_')[1]


def test_the_files_are_what_the_script_writes(run_tool):
    result = run_tool(DEV / 'make_has_configs.py', '--check')
    assert result.returncode == 0, result.stderr
    assert result.stdout == f'{len(VARIANTS)} configs, 0 of them out of step\n'


def test_all_that_the_issue_names_is_there():
    for model in ('alexnet-gap', 'googlenet-gap', 'vgg16-gap', 'resnet50'):
        for data in ('in1k', 'cub'):
            for name in ('cam', 'has16', 'has32', 'has44', 'has56'):
                assert (FOLDER / f'{model}_{name}_{data}.py').is_file()
            assert f'{model}_has-mixed_{data}.py' in VARIANTS
    for end in ('voc', 'tiny-imagenet', 'digits', 'cifar10'):
        assert sum(name.endswith(f'_{end}.py') for name in VARIANTS) == 5


@pytest.mark.parametrize('name', VARIANTS)
def test_a_variant_is_its_baseline_and_hiding(name):
    cfg = read(name)
    baseline = read(name.replace(setting(name), 'cam'))
    ours, theirs = cfg.to_dict(), baseline.to_dict()
    hiding = ours.pop('data_preprocessor')
    plain = theirs.pop('data_preprocessor')
    assert ours == theirs
    hide = hiding.pop('hide')
    assert hiding.pop('type') == 'mmocc.HidingDataPreprocessor'
    assert hiding == plain
    sizes = hide['grid_sizes']
    if setting(name) == 'has-mixed':
        assert sizes[0] == 0
        assert len(sizes) == 5
    else:
        assert setting(name) == f'has{sizes[0]}'
        assert len(sizes) == 1


@pytest.mark.parametrize(
    'name', [n for n in VARIANTS if n.startswith('resnet50') and 'cub' in n]
    + [n for n in VARIANTS if n.startswith('resnet18')]
)  # fmt: skip
def test_half_of_the_patches_of_training_images_are_hidden(name):
    cfg = read(name)
    preprocess = MODELS.build(cfg.data_preprocessor)
    sizes = cfg.data_preprocessor.hide.grid_sizes
    side = 2 * max(sizes)
    white = [torch.full((3, side, side), 255, dtype=torch.uint8)] * 200
    data = dict(inputs=white, data_samples=[DataSample() for _ in white])
    torch.manual_seed(0)
    images = preprocess(data, training=True)['inputs']
    hidden = images[:, 0] == 0
    assert (images == 0).all(dim=1).equal(hidden)  # in all channels at once
    share = 0.5 * sum(size > 0 for size in sizes) / len(sizes)
    # 200 images of at least four patches: four deviations are below 0.09
    assert abs(hidden.float().mean().item() - share) < 0.09
    larger = torch.zeros(len(hidden), dtype=torch.bool)
    for size in sorted(filter(None, sizes), reverse=True):
        fits = is_grid(hidden, size)
        assert (fits & ~larger).any(), f'no image has patches of {size}'
        larger |= fits
    assert larger.all()  # each image has a grid of one of the sizes
    assert (preprocess(data, training=False)['inputs'] != 0).all()


def is_grid(hidden, size):
    """Say for each (H, W) mask whether each patch of a grid is uniform."""
    patches = nn.functional.max_pool2d
    mask = hidden.float()[:, None]
    high = patches(mask, size, ceil_mode=True)
    low = -patches(-mask, size, ceil_mode=True)
    return (high == low).flatten(1).all(dim=1)


def rates(name):
    """Return (learning rate, weight decay) of each epoch of a config."""
    cfg = read(name)
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(part, default_args=dict(optimizer=wrapper))
        for part in cfg.param_scheduler
    ]
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        (group,) = wrapper.param_groups
        found.append((group['lr'], group['weight_decay']))
        for scheduler in schedulers:
            scheduler.step()
    return found


def test_alexnet_has_the_rates_of_the_released_code():
    # train.lua of kkanshul/Hide-and-Seek: first epoch, last, rate, decay
    table = [
        (1, 18, 1e-2, 5e-4),
        (19, 29, 5e-3, 5e-4),
        (30, 43, 1e-3, 0.0),
        (44, 52, 5e-4, 0.0),
        (53, 55, 1e-4, 0.0),
    ]
    expected = [
        (rate, decay)
        for first, last, rate, decay in table
        for _ in range(first, last + 1)
    ]
    found = rates('alexnet-gap_has-mixed_in1k.py')
    assert len(found) == 55
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs)


def test_googlenet_falls_from_one_hundredth_to_a_ten_thousandth():
    found = rates('googlenet-gap_has32_in1k.py')
    assert len(found) == 40
    assert found[0] == pytest.approx((1e-2, 5e-4))
    assert found[-1] == pytest.approx((1e-4, 0.0))


def test_new_layers_learn_ten_times_as_fast():
    cfg = read('resnet50_has16_cub.py')
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


def test_the_ensemble_has_five_alexnets_and_the_maps_of_four():
    cfg = read('alexnet-gap_ensemble_in1k.py')
    model = MODELS.build(cfg.model)
    model.eval()
    with torch.no_grad():
        (sample,) = model(
            torch.zeros(1, 3, 224, 224),
            [DataSample().set_gt_label(7)],
            mode='predict',
        )
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

    def record(found):
        merged = merge(found)
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


def write_run(folder, config, seed, **metrics):
    path = folder / config / f'seed{seed}' / 'metrics.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metrics))


def test_gathered_seeds_have_mean_and_spread(run_tool, tmp_path):
    for seed, value in enumerate((50.0, 52.0, 57.0)):
        write_run(tmp_path, 'net_has8_toy', seed, **{'a/gt_known_loc': value})
    write_run(tmp_path, 'net_has12_toy', 0, **{'a/gt_known_loc': 40.0})
    write_run(tmp_path, 'net_cam_toy', 0, **{'a/gt_known_loc': 30.0})
    result = run_tool(
        DEV / 'gather_seeds.py', tmp_path, '--out', tmp_path / 'table'
    )
    assert result.returncode == 0, result.stderr
    rows = (tmp_path / 'table.md').read_text().splitlines()
    assert rows[0] == '**net, toy**'
    # mean 53, sample variance (9 + 1 + 16) / 2 = 13
    assert [row.split(' | ')[:3] for row in rows[4:7]] == [
        ['| cam', '1', '30.00'],
        ['| has8', '3', '53.00 ± 3.61'],
        ['| has12', '1', '40.00'],
    ]
    found = json.loads((tmp_path / 'table.json').read_text())
    entry = found['net_has8_toy']['a/gt_known_loc']
    assert entry['mean'] == 53.0
    assert entry['std'] == pytest.approx(13**0.5)
    assert entry['seeds'] == 3


def test_gathering_names_what_is_missing(run_tool, tmp_path):
    tool = DEV / 'gather_seeds.py'
    result = run_tool(tool, tmp_path)
    assert result.returncode == 1
    assert 'has no */seed*/metrics.json' in result.stderr
    write_run(tmp_path, 'net_cam_toy', 0, a=1.0)
    write_run(tmp_path, 'net_cam_toy', 1, b=1.0)
    result = run_tool(tool, tmp_path)
    assert result.returncode == 1
    assert result.stderr == 'seed 1 lacks a\n'
    (tmp_path / 'net_cam_toy/seed1/metrics.json').write_text('{')
    result = run_tool(tool, tmp_path)
    assert result.returncode == 1
    assert 'seed1/metrics.json is no JSON file' in result.stderr
