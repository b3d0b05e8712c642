"""The whole model: prediction, training, other stages, checkpoints."""

import copy

import pytest
import tiny_ofer
import torch
from conftest import HALVES
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from mmocc.models.ofer.stage_model import to_rgb


def step(model, photos=None, number=4):
    """Return the losses of a training step's forward pass."""
    photos = tiny_ofer.photos(number) if photos is None else photos
    data = dict(inputs=photos, data_samples=tiny_ofer.samples(len(photos)))
    data = model.data_preprocessor(data, True)
    return model(**data, mode='loss')


def predict(model, photos=None):
    photos = tiny_ofer.photos(3) if photos is None else photos
    labelled = tiny_ofer.samples(len(photos))
    with torch.no_grad():
        return model.eval().test_step(
            dict(inputs=list(photos), data_samples=labelled)
        )


def test_one_call_gives_mask_reconstructed_face_and_expression():
    model = tiny_ofer.build()
    photos = tiny_ofer.photos(3)
    samples = predict(model, photos)
    images = tiny_ofer.normalised(model, photos)
    with torch.no_grad():
        scores = model(images).softmax(dim=1)
    predicted = torch.stack([s.pred_score for s in samples])
    torch.testing.assert_close(scores, predicted)
    for photo, sample in zip(photos, samples, strict=True):
        assert sample.patch_grid == (4, 4)
        assert sample.pred_patch_dist.shape == (16,)
        over = sample.pred_patch_dist > model.stages.detector.radius
        assert torch.equal(sample.pred_patch_mask, over)
        assert sample.recon.shape == (3, 32, 32)
        assert sample.recon.min() >= 0
        assert sample.recon.max() <= 255
        known = ~over.view(4, 4)
        known = known.repeat_interleave(8, 0).repeat_interleave(8, 1)
        rgb = photo.flip(0).float()  # photos are BGR
        # float16 of a normalised pixel: a sixteenth of a grey level
        assert (sample.recon - rgb)[:, known].abs().max() < 0.15
        assert sample.attention.shape == (4, 4)
        assert sample.chosen_patches.sum() == 8
        assert sample.pred_score.sum().item() == pytest.approx(1)
        assert int(sample.pred_label) == int(sample.pred_score.argmax())


def inputs_of_head(model, photos):
    """Return the feature and the latents that the head gets in training."""
    inputs = {}

    def record(feats, data_samples, **latents):
        inputs.update(latents, feature=feats[-1])
        return dict(loss_cls=feats[-1].sum())

    model.head.loss = record
    step(model.train(), photos)
    return inputs


def test_flip_prob_mirrors_the_face_and_its_latents():
    photos = tiny_ofer.photos(4)
    plain = inputs_of_head(tiny_ofer.build(), photos)
    mirrored = inputs_of_head(tiny_ofer.build(flip_prob=1.0), photos)
    rows = plain['latents'][:, 1:].unflatten(1, (4, 4))
    assert torch.equal(mirrored['latents'][:, 1:], rows.flip(2).flatten(1, 2))
    assert torch.equal(mirrored['latents'][:, 0], plain['latents'][:, 0])
    model = tiny_ofer.build().train()
    images = tiny_ofer.normalised(model, photos)
    faces = model.run_stages(images).faces
    feature = model.extract_feat(faces.flip(-1))[-1]
    torch.testing.assert_close(mirrored['feature'], feature)
    # a photo that the pipeline mirrors gets the latents of its own stages
    latents = inputs_of_head(tiny_ofer.build(), photos.flip(-1))['latents']
    mask = model.stages.detector.detect(images.flip(-1)).mask
    expected = model.stages.extractor(images.flip(-1), mask).decoder
    torch.testing.assert_close(latents, expected, rtol=1e-3, atol=1e-3)
    # testing mirrors nothing
    one = predict(tiny_ofer.build(flip_prob=1.0))
    for a, b in zip(one, predict(tiny_ofer.build()), strict=True):
        assert torch.equal(a.pred_score, b.pred_score)


def check(model):
    """Train a step, and predict; return the samples."""
    losses = step(model.train())
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    rows = predict(model)
    assert all(s.pred_score.isfinite().all() for s in rows)
    assert all(s.recon.isfinite().all() for s in rows)
    return rows


def test_another_reconstructor_by_config():
    model = tiny_ofer.build(reconstructor=tiny_ofer.HYBRID)
    rows = check(model)
    images = tiny_ofer.normalised(model, tiny_ofer.photos(3))
    mask = torch.stack([sample.pred_patch_mask for sample in rows])
    coarse = model.stages.extractor(images, mask).coarse
    coarse, photos = (
        to_rgb(x, model.data_preprocessor) for x in (coarse, images)
    )
    for sample, mae, photo in zip(rows, coarse, photos, strict=True):
        hidden = sample.pred_patch_mask.view(4, 4)
        hidden = hidden.repeat_interleave(8, 0).repeat_interleave(8, 1)
        assert (sample.recon - photo)[:, ~hidden].abs().max() < 0.15
        # the U-Net's picture, not the MAE's
        assert (sample.recon - mae)[:, hidden].abs().max() > 1


def test_another_backbone_or_head_by_config():
    backbone = dict(type='MobileNetV2', out_indices=(7,), widen_factor=0.25)
    head = dict(tiny_ofer.HEAD, in_channels=1280)
    rows = check(tiny_ofer.build(backbone=backbone, head=head))
    assert rows[0].chosen_patches.sum() == 8
    head = dict(type='mmocc.CAMHead', num_classes=7, in_channels=64)
    assert 'pred_cam' in check(tiny_ofer.build(head=head))[0]


def test_recognition_works_without_some_stages():
    model = tiny_ofer.build(
        extractor=None,
        detector=None,
        reconstructor=None,
        head=dict(tiny_ofer.HEAD, selector=None, readout=None),
    )
    [row, *_] = check(model)
    assert 'pred_patch_mask' not in row
    assert 'patch_grid' not in row
    assert not list(model.stages.parameters())
    [row, *_] = check(tiny_ofer.build(detector=None, reconstructor=None))
    assert row.patch_grid == (4, 4)
    assert 'pred_patch_mask' not in row
    assert row.chosen_patches.sum() == 8
    # but a head that reads latents needs an extractor
    model = tiny_ofer.build(extractor=None, detector=None, reconstructor=None)
    with pytest.raises(ValueError, match=r'model\.extractor is None'):
        step(model)


def test_earlier_stages_are_loaded_from_their_checkpoints(tmp_path):
    other = tiny_ofer.build()
    with torch.no_grad():
        for parameter in other.stages.parameters():
            parameter.add_(0.1)
    svdd = {
        **other.stages.detector.state_dict(),
        **other.stages.extractor.state_dict(prefix='extractor.'),
    }
    mae = other.stages.extractor.mae.state_dict()
    torch.save(dict(state_dict=svdd), tmp_path / 'svdd.pth')
    torch.save(dict(state_dict=mae), tmp_path / 'mae.pth')

    def pretrained(name, cfg):
        checkpoint = str(tmp_path / f'{name}.pth')
        return dict(
            cfg, init_cfg=dict(type='Pretrained', checkpoint=checkpoint)
        )

    cfg = dict(
        type='mmocc.LatentOFER',
        data_preprocessor=tiny_ofer.PREPROCESSOR,
        extractor=pretrained('mae', tiny_ofer.EXTRACTOR),
        detector=pretrained('svdd', dict(tiny_ofer.SVDD, radius=0.0)),
        backbone=tiny_ofer.BACKBONE,
        head=tiny_ofer.HEAD,
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(copy.deepcopy(cfg))
    model.init_weights()
    wanted = other.stages.state_dict()
    for name, tensor in model.stages.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


def test_a_checkpoint_of_the_whole_model_needs_no_other(tmp_path):
    model = tiny_ofer.build().eval()
    other = tiny_ofer.build().eval()
    with torch.no_grad():
        for tensor in other.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.01)
    other.load_state_dict(model.state_dict())
    for one, two in zip(predict(model), predict(other), strict=True):
        assert torch.equal(one.pred_score, two.pred_score)
        assert torch.equal(one.recon, two.recon)


@pytest.mark.parametrize('dtype', HALVES)
def test_autocast_trains_only_recognition(dtype):
    model = tiny_ofer.build().train()
    with torch.autocast('cpu', dtype):
        losses = step(model)
    assert losses.keys() == {'loss_cls'}
    assert losses['loss_cls'].dtype == torch.float32
    losses['loss_cls'].backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith('stages.'), name
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def test_without_normalisation_pictures_stay_as_they_are():
    preprocessor = tiny_ofer.build().data_preprocessor
    preprocessor._enable_normalize = False
    preprocessor.to_rgb = False
    images = torch.tensor([3.0, 4, 500]).view(1, 3, 1, 1)
    assert to_rgb(images, preprocessor).flatten().tolist() == [255, 4, 3]
