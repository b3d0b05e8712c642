"""Redrawing with a real MAE and U-Net: training, pasting, predictions."""

import copy

import pytest
import tiny_recon
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.utils.data import Dataset

import mmocc.utils.amp  # noqa: F401  (registers CPUAmpOptimWrapper)
from mmocc.models.ofer import MAEReconstructor
from mmocc.occlusion.patches import upsample_patch_mask

PARTS = ('unet', 'discriminator', 'feature_discriminator')
LOSSES = {
    'loss_rec',
    'loss_consistency',
    'loss_semantic',
    'loss_gan',
    'loss_gan_feat',
}


def optimizers(model, **kwargs):
    cfg = copy.deepcopy(tiny_recon.OPTIM) | kwargs
    return build_optim_wrapper(model, cfg)


def some_masks():
    """Return masks that hide 5 patches, and none."""
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 4:9] = True
    return mask


def pixels(mask):
    return upsample_patch_mask(mask, (4, 4), (32, 32))


@pytest.fixture(scope='module')
def redrawing():
    return tiny_recon.build_redrawing().eval()


@pytest.mark.parametrize('name', sorted(LOSSES))
def test_every_loss_gives_the_generator_a_gradient(name):
    model = tiny_recon.build().train()
    losses = model.loss(tiny_recon.pictures())
    assert losses.keys() == LOSSES
    losses[name].backward()
    grads = [p.grad for p in model.unet.parameters() if p.grad is not None]
    assert max(grad.abs().max() for grad in grads) > 0
    others = {
        n.partition('.')[0]
        for n, p in model.named_parameters()
        if p.grad is not None and p.grad.any()
    }
    assert others == {'unet'}  # neither the judges nor the frozen networks
    assert all(p.requires_grad for p in model.discriminator.parameters())


@pytest.mark.parametrize('kind', ['OptimWrapper', 'CPUAmpOptimWrapper'])
def test_a_step_trains_the_three_parts_and_no_other(kind):
    model = tiny_recon.build().train()
    before = copy.deepcopy(model.state_dict())
    wrapper = optimizers(model, type=kind)
    for _ in range(2):
        log = model.train_step(tiny_recon.batch(), wrapper)
    assert all(torch.as_tensor(value).isfinite() for value in log.values())
    judged = {'discriminator_loss', 'feature_discriminator_loss'}
    assert log.keys() == LOSSES | judged | {'loss'}
    total = sum(log[name] for name in LOSSES)
    assert log['loss'].item() == pytest.approx(total.item(), rel=1e-5)
    changed = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert {name.partition('.')[0] for name in changed} == set(PARTS)
    assert not model.extractor.training
    assert not model.features.training


def test_training_redraws_better_than_the_mae(monkeypatch):
    model = tiny_recon.build_redrawing().train()
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='Adam', lr=3e-3))
    )
    losses = [
        model.train_step(tiny_recon.batch(), wrapper)['loss'].item()
        for _ in range(60)
    ]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    model.eval()
    images = model.data_preprocessor(tiny_recon.batch())['inputs']
    other = MAEReconstructor(extractor=model.extractor)
    mask = some_masks()
    errors = [
        (m.reconstruct(images, mask) - images).abs().mean()
        for m in (model, other)
    ]
    assert errors[0] < errors[1]


def test_known_pixels_are_kept_and_hidden_ones_not_looked_at(redrawing):
    images, mask = tiny_recon.pictures(), some_masks()
    hole = pixels(mask).expand_as(images)
    made = redrawing.reconstruct(images, mask)
    assert torch.equal(made[~hole], images[~hole])
    assert (made[hole] != images[hole]).all()
    spoilt = torch.where(hole, torch.randn_like(images) * 9, images)
    assert torch.equal(redrawing.reconstruct(spoilt, mask), made)
    assert torch.equal(made[1], images[1])  # nothing hidden
    latents = redrawing.encode(images, mask)
    assert torch.equal(redrawing.reconstruct(images, mask, latents), made)


@pytest.mark.parametrize('hidden', [0, 1])
def test_all_or_nothing_hidden_is_defined(redrawing, hidden):
    images = tiny_recon.pictures()
    made = redrawing.reconstruct(images, torch.full((2, 16), hidden))
    assert made.isfinite().all()
    assert torch.equal(made, images) == (not hidden)


def test_the_unet_may_work_at_another_size():
    model = tiny_recon.build_redrawing(size=48).eval()
    sizes = []
    model.unet.register_forward_pre_hook(
        lambda module, args: sizes.append([x.shape[-1] for x in args])
    )
    images, mask = tiny_recon.pictures(), some_masks()
    made = model.reconstruct(images, mask)
    assert sizes == [[48, 48, 48]]
    hole = pixels(mask).expand_as(images)
    assert torch.equal(made[~hole], images[~hole])
    model.train()
    losses = model.loss(images)
    losses['loss_rec'].backward()
    assert losses['loss_rec'].isfinite()


def samples(masks, key='patch_coverage'):
    made = [DataSample() for _ in masks]
    for sample, mask in zip(made, masks, strict=True):
        value = mask.view(4, 4).float().numpy()
        if key == 'patch_coverage':
            sample.set_metainfo({key: value})
        else:
            sample.set_field(mask, key)
    return made


@pytest.mark.parametrize('key', ['patch_coverage', 'pred_patch_mask'])
def test_predictions_are_rgb_and_tell_what_was_redrawn(redrawing, key):
    mask = some_masks()
    data = tiny_recon.batch() | dict(data_samples=samples(mask, key))
    found = redrawing.test_step(data)
    for sample, image, hidden in zip(found, data['inputs'], mask, strict=True):
        assert torch.equal(sample.pred_patch_mask, hidden)
        assert sample.patch_grid == (4, 4)
        known = ~pixels(hidden[None])[0].expand_as(image)
        rgb = image.flip(0).float()  # pictures come as BGR
        assert torch.allclose(sample.recon[known], rgb[known], atol=1e-3)
        assert sample.recon.min() >= 0
        assert sample.recon.max() <= 255


def test_patches_are_redrawn_from_the_threshold_on():
    model = tiny_recon.build_redrawing(coverage_threshold=0.5)
    sample = DataSample(metainfo=dict(patch_coverage=torch.rand(4, 4).numpy()))
    (mask,) = model.masks_of([sample], tiny_recon.pictures(1))
    expected = torch.tensor(sample.patch_coverage).flatten() > 0.5
    assert torch.equal(mask, expected)


def test_samples_that_do_not_tell_what_is_hidden_are_refused(redrawing):
    with pytest.raises(ValueError, match=r'a\.png does not tell'):
        redrawing.predict(
            tiny_recon.pictures(1),
            [DataSample(metainfo=dict(img_path='a.png'))],
        )
    wrong = DataSample(metainfo=dict(patch_coverage=torch.ones(2, 8).numpy()))
    with pytest.raises(ValueError, match='patch_size of the model'):
        redrawing.predict(tiny_recon.pictures(1), [wrong])


def test_a_shared_extractor_stays_out_of_the_checkpoint():
    extractor = MODELS.build(copy.deepcopy(tiny_recon.EXTRACTOR))
    for name in ('HybridReconstructor', 'MAEReconstructor'):
        cfg = dict(type=f'mmocc.{name}', extractor=extractor)
        if name == 'HybridReconstructor':
            cfg['unet'] = copy.deepcopy(tiny_recon.UNET)
        model = MODELS.build(cfg)
        model.share_extractor(extractor)
        assert model.extractor is extractor
        assert not any(k.startswith('extractor') for k in model.state_dict())
        made = model.eval().reconstruct(tiny_recon.pictures(), some_masks())
        assert made.isfinite().all()


def test_the_mae_alone_pastes_its_coarse_picture():
    model = MODELS.build(
        dict(
            type='mmocc.MAEReconstructor',
            extractor=copy.deepcopy(tiny_recon.EXTRACTOR),
        )
    )
    images, mask = tiny_recon.pictures(), some_masks()
    expected = torch.where(
        pixels(mask), model.extractor(images, mask).coarse, images
    )
    assert torch.equal(model.reconstruct(images, mask), expected)
    with pytest.raises(RuntimeError, match='nothing to train'):
        model(images, mode='loss')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(expression=None), 'loss_semantic needs expression'),
        (dict(discriminator=None), 'loss_gan needs discriminator'),
        (dict(coverage_threshold=1.0), 'coverage_threshold=1.0'),
        (dict(mask=dict(share=(0.6, 0.2))), 'share'),
    ],
)
def test_parts_that_miss_another_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_recon.build(**changes)


def test_one_optimizer_for_adversaries_is_refused_with_the_remedy():
    model = tiny_recon.build().train()
    cfg = dict(optimizer=dict(type='SGD', lr=0.1))
    wrapper = build_optim_wrapper(model, cfg)
    with pytest.raises(ValueError, match='MultiOptimWrapperConstructor'):
        model.train_step(tiny_recon.batch(), wrapper)


def test_without_an_extractor_the_remedy_is_named():
    model = tiny_recon.build_redrawing(extractor=None)
    with pytest.raises(ValueError, match='no extractor'):
        model.reconstruct(tiny_recon.pictures(), some_masks())


class Faces(Dataset):
    """Four pictures for the runner."""

    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        data = tiny_recon.batch(4)
        coverage = some_masks()[0].view(4, 4).float().numpy()
        image = data['inputs'][index]
        meta = dict(
            patch_coverage=coverage, clean_img=image.permute(1, 2, 0).numpy()
        )
        return dict(inputs=image, data_samples=DataSample(metainfo=meta))


def test_the_standard_runner_trains_resumes_and_tests(tmp_path):
    pytest.importorskip('skimage', reason="PSNR and SSIM are scikit-image's")

    def runner(epochs, **kwargs):
        loader = dict(
            dataset=Faces(),
            batch_size=2,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
        return Runner(
            model=copy.deepcopy(tiny_recon.MODEL),
            work_dir=str(tmp_path),
            default_scope='mmpretrain',
            experiment_name=f'recon{epochs}',
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
            optim_wrapper=copy.deepcopy(tiny_recon.OPTIM),
            param_scheduler=dict(type='LinearLR', start_factor=0.5, end=8),
            val_dataloader=copy.deepcopy(loader),
            val_cfg=dict(),
            val_evaluator=dict(type='mmocc.ReconstructionQuality'),
            **kwargs,
        )

    first = runner(1)
    first.train()
    assert first.iter == 2
    second = runner(2, resume=True)
    second.train()
    assert (second.epoch, second.iter) == (2, 4)
    rates = second.optim_wrapper.get_lr()
    assert {f'{part}.lr' for part in PARTS} <= rates.keys()
    assert rates['unet.lr'][0] != 1e-3  # the schedule reached it
    metrics = second.val_loop.run()
    assert metrics.keys() >= {'recon/psnr_hole', 'recon/ssim_hole'}
    state = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    assert set(state['optimizer']) == set(PARTS)
