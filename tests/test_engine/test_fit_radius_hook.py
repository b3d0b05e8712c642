"""mmengine's Runner trains, saves, resumes and tests a detector."""

import copy

import numpy as np
import pytest
import torch
from cutout_folders import write_kinds
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from tiny_mae import build_mae, mae_config

PACK = dict(
    type='PackInputs',
    meta_keys=('sample_idx', 'img_path', 'patch_coverage', 'occlusion_kind'),
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Write eight pictures, cut-outs, and the checkpoint of a MAE."""
    root = tmp_path_factory.mktemp('faces')
    rng = np.random.default_rng(0)
    (root / 'images/face').mkdir(parents=True)
    for index in range(8):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
        picture = Image.fromarray(pixels).resize((32, 32))
        picture.save(root / f'images/face/{index}.png')
    write_kinds(root / 'kinds')
    torch.save(dict(state_dict=build_mae().state_dict()), root / 'mae.pth')
    return root


def loader(root, *steps):
    return dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CustomDataset',
            data_root=str(root / 'images'),
            pipeline=[dict(type='LoadImageFromFile'), *steps, PACK],
        ),
    )


def config(root, **model):
    paste = dict(
        type='mmocc.PasteOcclusion',
        occluders=dict(cup=str(root / 'kinds/cup')),
        patch_size=8,
        seed=0,
    )
    extractor = dict(
        type='mmocc.PatchLatentExtractor',
        mae=mae_config(),
        init_cfg=dict(type='Pretrained', checkpoint=str(root / 'mae.pth')),
    )
    test = dict(
        dataloader=loader(root, paste),
        evaluator=dict(type='mmocc.PatchOcclusionMetric'),
        cfg=dict(),
    )
    return Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='mmocc.PatchSVDD',
                extractor=extractor,
                dims=(16, 8),
                data_preprocessor=dict(
                    mean=[127.0] * 3, std=[64.0] * 3, to_rgb=True
                ),
                **model,
            ),
            train_dataloader=loader(root),
            **{f'val_{key}': value for key, value in test.items()},
            **{f'test_{key}': value for key, value in test.items()},
            train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
            optim_wrapper=dict(
                constructor='mmocc.TrainableOptimWrapperConstructor',
                optimizer=dict(type='Adam', lr=1e-3),
            ),
            custom_hooks=[dict(type='mmocc.FitRadiusHook')],
            randomness=dict(seed=0),
        )
    )


def run(cfg, folder, **changes):
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(changes)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'run{np.random.randint(2**31)}'
    return Runner.from_cfg(cfg)


def test_the_radius_is_the_quantile_of_clean_patches_of_validation(
    root, tmp_path
):
    runner = run(config(root), tmp_path)
    runner.train()
    model = runner.model
    distances = []
    for data in runner.val_loop.dataloader:
        data = model.data_preprocessor(data, False)
        coverage = [x.patch_coverage.ravel() for x in data['data_samples']]
        clean = torch.from_numpy(np.stack(coverage) == 0)
        assert 0 < clean.sum() < clean.numel()
        distances.append(model(**data).detach()[clean])
    distances = torch.cat(distances)
    assert np.isclose(model.radius, np.quantile(distances, 0.9), atol=1e-5)
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    assert saved['state_dict']['radius'] == model.radius
    assert not torch.equal(model.extractor.mae.neck.mask_token, torch.zeros(1))
    # nothing frozen has changed
    wanted = torch.load(root / 'mae.pth')['state_dict']
    for name, tensor in model.extractor.mae.state_dict().items():
        assert torch.equal(tensor, wanted[name])


def test_a_resumed_run_ends_where_the_other_did(root, tmp_path):
    whole = run(config(root), tmp_path / 'whole')
    whole.train()
    run(config(root), tmp_path / 'part', **{'train_cfg.max_epochs': 1}).train()
    rest = run(config(root), tmp_path / 'part')
    rest.load_or_resume = lambda: rest.resume(
        str(tmp_path / 'part/epoch_1.pth')
    )
    rest.train()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, rest.model.state_dict()[name]), name


def test_a_trained_detector_is_tested_from_its_checkpoint(root, tmp_path):
    cfg = config(root, kernel=dict(max_patches=50))
    runner = run(cfg, tmp_path / 'train')
    runner.train()
    wanted = runner.val_loop.run()
    tester = run(cfg, tmp_path / 'test')
    tester.load_checkpoint(str(tmp_path / 'train/epoch_2.pth'))
    values = tester.test()
    assert {'patch/auroc', 'patch/f1', 'patch/f1_cup'} <= set(values)
    assert values == wanted


def test_at_start_it_fits_only_without_a_radius(root, tmp_path):
    cfg = config(root, radius=3.0)
    cfg.custom_hooks = [dict(type='mmocc.FitRadiusHook', at_start=True)]
    runner = run(cfg, tmp_path)
    runner.train()
    assert runner.model.radius == 3.0


def test_a_detector_of_statistics_is_fitted_without_a_gradient(root, tmp_path):
    cfg = config(root)
    cfg.model = dict(
        type='mmocc.PatchGaussian',
        backbone=dict(
            type='ResNet',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
        ),
        grid=(4, 4),
        size=None,
        dims=8,
        data_preprocessor=cfg.model.data_preprocessor,
    )
    cfg.train_cfg = dict(type='mmocc.FitLoop')
    cfg.optim_wrapper = dict(constructor='mmocc.NoOptimWrapperConstructor')
    cfg.custom_hooks = []
    runner = run(cfg, tmp_path)
    runner.train()
    values = runner.val_loop.run()
    assert 'patch/auroc' in values
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert saved['state_dict']['radius'] == runner.model.radius > 0
    again = run(cfg, tmp_path / 'again')
    again.load_or_resume = lambda: again.resume(str(tmp_path / 'epoch_1.pth'))
    again.train()  # nothing is left to do
    assert torch.equal(again.model.factor, runner.model.factor)


def test_a_loop_that_fits_needs_a_model_that_fits(root, tmp_path):
    cfg = config(root)
    cfg.train_cfg = dict(type='mmocc.FitLoop', max_epochs=3)
    with pytest.raises(ValueError, match='fits once'):
        run(cfg, tmp_path).train()
