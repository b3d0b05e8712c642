"""Reconstruction with a real MAE and U-Net: training and predictions."""

import copy

import pytest
import tiny_recon
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample

import mmocc.utils.amp  # noqa: F401  (registers CPUAmpOptimWrapper)
from mmocc.models.ofer import MAEReconstructor
from mmocc.occlusion.patches import upsample_patch_mask

PARTS = ('unet', 'discriminator', 'feature_discriminator')
LOSSES = {'loss_rec', 'loss_consistency', 'loss_semantic'}
LOSSES |= {'loss_gan', 'loss_gan_feat'}


def some_masks():
    """Return masks that hide 5 patches, and none."""
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 4:9] = True
    return mask


def pixels(mask):
    return upsample_patch_mask(mask, (4, 4), (32, 32))


@pytest.fixture(scope='module')
def trained():
    return tiny_recon.build_plain().eval()


def test_every_loss_gives_the_generator_a_gradient():
    model = tiny_recon.build().train()
    losses = model.loss(tiny_recon.pictures())
    assert losses.keys() == LOSSES
    for loss in losses.values():
        model.zero_grad()
        loss.backward(retain_graph=True)
        learning = {
            n.partition('.')[0]
            for n, p in model.named_parameters()
            if p.grad is not None and p.grad.any()
        }
        assert learning == {'unet'}  # not the critics or frozen networks
    assert all(p.requires_grad for p in model.discriminator.parameters())


@pytest.mark.parametrize('kind', ['OptimWrapper', 'CPUAmpOptimWrapper'])
def test_a_step_trains_the_three_parts_and_no_other(kind):
    model = tiny_recon.build().train()
    before = copy.deepcopy(model.state_dict())
    cfg = copy.deepcopy(tiny_recon.OPTIM) | dict(type=kind)
    wrapper = build_optim_wrapper(model, cfg)
    for _ in range(2):
        log = model.train_step(tiny_recon.batch(), wrapper)
    assert all(torch.as_tensor(value).isfinite() for value in log.values())
    critics = {'discriminator_loss', 'feature_discriminator_loss'}
    assert log.keys() == LOSSES | critics | {'loss'}
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


def test_training_reconstructs_better_than_the_mae():
    model = tiny_recon.build_plain().train()
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='Adam', lr=3e-3))
    )
    losses = [
        model.train_step(tiny_recon.batch(), wrapper)['loss'].item()
        for _ in range(40)
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


def test_visible_pixels_stay_and_hidden_ones_have_no_influence(trained):
    images, mask = tiny_recon.pictures(), some_masks()
    hole = pixels(mask).expand_as(images)
    faces = trained.reconstruct(images, mask)
    assert torch.equal(faces[~hole], images[~hole])
    assert (faces[hole] != images[hole]).all()
    spoilt = torch.where(hole, torch.randn_like(images) * 9, images)
    assert torch.equal(trained.reconstruct(spoilt, mask), faces)
    latents = trained.encode(images, mask)
    assert torch.equal(trained.reconstruct(images, mask, latents), faces)
    for hidden in (0, 1):  # nothing, and all
        faces = trained.reconstruct(images, torch.full((2, 16), hidden))
        assert faces.isfinite().all()
        assert torch.equal(faces, images) == (not hidden)


def test_the_unet_may_work_at_another_size():
    model = tiny_recon.build_plain(size=48).eval()
    sizes = []
    model.unet.register_forward_pre_hook(
        lambda module, args: sizes.append([x.shape[-1] for x in args])
    )
    images, mask = tiny_recon.pictures(), some_masks()
    faces = model.reconstruct(images, mask)
    assert sizes == [[48, 48, 48]]
    hole = pixels(mask).expand_as(images)
    assert torch.equal(faces[~hole], images[~hole])
    model.train()
    losses = model.loss(images)
    losses['loss_rec'].backward()
    assert losses['loss_rec'].isfinite()


def samples(masks, key='patch_coverage'):
    rows = [DataSample() for _ in masks]
    for sample, mask in zip(rows, masks, strict=True):
        value = mask.view(4, 4).float().numpy()
        if key == 'patch_coverage':
            sample.set_metainfo({key: value})
        else:
            sample.set_field(mask, key)
    return rows


@pytest.mark.parametrize('key', ['patch_coverage', 'pred_patch_mask'])
def test_predictions_are_rgb_with_the_mask_of_the_samples(trained, key):
    mask = some_masks()
    data = tiny_recon.batch() | dict(data_samples=samples(mask, key))
    rows = trained.test_step(data)
    for sample, image, hidden in zip(rows, data['inputs'], mask, strict=True):
        assert torch.equal(sample.pred_patch_mask, hidden)
        assert sample.patch_grid == (4, 4)
        known = ~pixels(hidden[None])[0].expand_as(image)
        rgb = image.flip(0).float()  # pictures come as BGR
        assert torch.allclose(sample.recon[known], rgb[known], atol=1e-3)
        assert sample.recon.min() >= 0
        assert sample.recon.max() <= 255


def test_patches_above_the_threshold_are_hidden():
    model = tiny_recon.build_plain(coverage_threshold=0.5)
    sample = DataSample(metainfo=dict(patch_coverage=torch.rand(4, 4).numpy()))
    (mask,) = model.masks_of([sample], tiny_recon.pictures(1))
    expected = torch.tensor(sample.patch_coverage).flatten() > 0.5
    assert torch.equal(mask, expected)


def test_samples_without_a_fitting_mask_are_refused(trained):
    empty = DataSample(metainfo=dict(img_path='a.png'))
    wrong = DataSample(metainfo=dict(patch_coverage=torch.ones(2, 8).numpy()))
    other = DataSample(pred_patch_mask=torch.ones(9))
    for sample, message in (
        (empty, r'a\.png does not tell'),
        (wrong, 'patch_size of the model'),
        (other, 'does not tell'),
    ):
        with pytest.raises(ValueError, match=message):
            trained.predict(tiny_recon.pictures(1), [sample])


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


def test_the_mae_alone_and_a_shared_extractor_that_is_not_saved(trained):
    model = MAEReconstructor(extractor=trained.extractor)
    model.share_extractor(trained.extractor)
    assert not model.state_dict()
    images, mask = tiny_recon.pictures(), some_masks()
    coarse = trained.extractor(images, mask).coarse
    expected = torch.where(pixels(mask), coarse, images)
    assert torch.equal(model.reconstruct(images, mask), expected)


def test_faults_in_use_name_the_remedy():
    model = tiny_recon.build().train()
    cfg = dict(optimizer=dict(type='SGD', lr=0.1))
    wrapper = build_optim_wrapper(model, cfg)
    with pytest.raises(ValueError, match='MultiOptimWrapperConstructor'):
        model.train_step(tiny_recon.batch(), wrapper)
    model = tiny_recon.build_plain(extractor=None)
    with pytest.raises(ValueError, match='no extractor'):
        model.reconstruct(tiny_recon.pictures(), some_masks())
