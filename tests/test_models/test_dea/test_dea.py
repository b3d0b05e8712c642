"""DEA: what trains, what is predicted, and whose features are read."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from mmocc.models.dea.normal_objects import fit_judge, normal_objects

FROZEN = ('backbone.', 'bbox_head.')
ALL = dict(
    scores=('pearson', 'mse', 'ssim', 'latent', 'confidence', 'zscore', 'rank')
)


@pytest.fixture(scope='module')
def trained():
    """Return a model that finds and redraws the toy pages' marks."""
    model = toy_dea.build(frozen_detector=False).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        losses = toy_dea.step(model, toy_dea.batch(), optimizer)
    assert losses['pearson'] > 0.8
    return model


def after_steps(model, count=20):
    """Return the names of tensors that some steps change.

    Which maps are read is drawn: in so many steps each is.
    """
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1
    )
    for _ in range(count):
        losses = toy_dea.step(model, toy_dea.batch(), optimizer)
    changed = {
        name
        for name, tensor in model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    return losses, changed


def test_a_frozen_detector_stays_as_it_is_statistics_included():
    model = toy_dea.build().train()
    losses, changed = after_steps(model)
    assert set(losses) == {'loss_rec', 'pearson'}
    trainable = {
        n for n, _ in model.named_parameters() if not n.startswith(FROZEN)
    }
    assert changed == trainable
    assert not model.backbone.training
    assert model.decoder.training


def test_joint_training_reaches_every_parameter():
    model = toy_dea.build(frozen_detector=False).train()
    losses, changed = after_steps(model)
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_rec', 'pearson'}
    assert {n for n, _ in model.named_parameters()} <= changed
    assert any('running_mean' in name for name in changed)


def test_joint_training_sends_the_redrawings_gradient_to_the_backbone():
    model = toy_dea.build(frozen_detector=False).train()
    toy_dea.step(model, toy_dea.batch())['loss_rec'].backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    assert model.bbox_head.cls_convs[0][0].weight.grad is None


@pytest.mark.parametrize('pages', [[[]], [[], toy_dea.PAGES[0]]])
@pytest.mark.parametrize('frozen', [True, False])
def test_pages_without_objects_train(pages, frozen):
    model = toy_dea.build(frozen_detector=frozen).train()
    losses = toy_dea.step(model, toy_dea.batch(pages))
    assert bool(losses['loss_rec'] == 0) == (len(pages) == 1)
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_predictions_have_all_that_is_promised(trained):
    model = toy_dea.build(judge=ALL)
    model.load_state_dict(trained.state_dict(), strict=False)
    fit_judge(model, [toy_dea.batch()])
    for sample in toy_dea.predict(model, toy_dea.batch()):
        found, count = sample.pred_instances, len(sample.gt_instances)
        assert len(found) == count
        assert found.recons.shape == (count, 1, 32, 32)
        assert found.errors.shape == (count, 32, 32)
        assert found.level_inds.dtype == torch.int64
        assert found.is_anomaly.dtype == torch.bool
        for name in ALL['scores']:
            score = found[f'score_{name}']
            assert score.shape == (count,)
            assert score.dtype == torch.float32
            assert score.isfinite().all()
        assert torch.equal(found.anomaly_scores, found.score_pearson)
        torch.testing.assert_close(
            found.score_confidence, 1 - found.scores.float()
        )


def test_an_object_is_redrawn_as_it_is_and_scored_by_that(trained):
    data = toy_dea.batch()
    samples = toy_dea.predict(trained, data)
    for image, sample in zip(data['inputs'], samples, strict=True):
        found = sample.pred_instances
        for box, recon, error, score in zip(
            found.bboxes,
            found.recons[:, 0],
            found.errors,
            found.anomaly_scores,
            strict=True,
        ):
            left, top, right, bottom = box.round().int().tolist()
            region = image[0, top:bottom, left:right].float()[None, None] / 255
            ink = torch.nn.functional.interpolate(
                region, (32, 32), mode='bilinear', antialias=True
            )[0, 0]
            both = np.corrcoef(ink.flatten(), recon.flatten())[0, 1]
            assert both > 0.75
            assert score == pytest.approx(1 - both, abs=0.05)
            assert error.mean() == pytest.approx(
                float((ink - recon).abs().mean()), abs=0.03
            )


def test_the_second_image_reads_its_own_features(trained):
    """The authors' code reads image 0's for every image of a batch."""
    together = toy_dea.predict(trained, toy_dea.batch())
    for place, page in enumerate(toy_dea.PAGES):
        (alone,) = toy_dea.predict(trained, toy_dea.batch([page]))
        a, b = together[place].pred_instances, alone.pred_instances
        torch.testing.assert_close(a.bboxes, b.bboxes, atol=1e-3, rtol=0)
        torch.testing.assert_close(a.recons, b.recons, atol=1e-3, rtol=0)
    first, second = (s.pred_instances.recons[0] for s in together[:2])
    assert (first - second).abs().mean() > 0.1


def test_two_objects_of_a_class_in_one_image_are_both_redrawn(trained):
    found = toy_dea.predict(trained, toy_dea.batch())[2].pred_instances
    assert found.labels.tolist() == [1, 1]
    assert (found.anomaly_scores < 0.25).all()
    assert not torch.equal(found.recons[0], found.recons[1])


def test_what_was_never_seen_is_redrawn_worse(trained):
    data = toy_dea.batch()
    noise = torch.Generator().manual_seed(1)
    odd = torch.rand(24, 24, generator=noise) > 0.5
    known = toy_dea.predict(trained, data)[0].pred_instances
    data['inputs'][0][:, 10:34, 56:80] = 255 * odd  # in place of the cross
    found = toy_dea.predict(trained, data)[0].pred_instances
    assert known.anomaly_scores.max() < 0.35
    at = (found.bboxes[:, :2] - torch.tensor([56.0, 10.0])).abs().sum(1)
    assert found.anomaly_scores[at.argmin()] > 0.5


def test_boxes_come_in_pixels_of_the_original_image(trained):
    (half,) = toy_dea.predict(trained, toy_dea.batch(toy_dea.PAGES[:1]))
    (full,) = toy_dea.predict(
        trained, toy_dea.batch(toy_dea.PAGES[:1], scale=0.5)
    )
    torch.testing.assert_close(
        full.pred_instances.bboxes, 2 * half.pred_instances.bboxes
    )
    torch.testing.assert_close(
        full.pred_instances.recons, half.pred_instances.recons
    )


def test_nothing_found_is_an_empty_answer(trained):
    model = copy.deepcopy(trained)
    model.bbox_head.test_cfg.score_thr = 1.1
    (sample,) = toy_dea.predict(model, toy_dea.batch(toy_dea.PAGES[:1]))
    assert sample.pred_instances.recons.shape == (0, 1, 32, 32)
    assert sample.pred_instances.anomaly_scores.shape == (0,)


@pytest.mark.parametrize('rule', ['own_level', 'conv4_3', 'size'])
def test_each_rule_and_rgb_train_and_predict(rule):
    model = toy_dea.build(
        roi_extractor=dict(rule=rule, pool_mode='max'),
        decoder=dict(channels=3, loss='bce'),
    ).train()
    losses, _ = after_steps(model, 1)
    assert losses['loss_rec'].isfinite()
    model.bbox_head.test_cfg.score_thr = 0.0
    (sample,) = toy_dea.predict(model, toy_dea.batch(toy_dea.PAGES[:1]))
    assert sample.pred_instances.recons.shape == (20, 3, 32, 32)


def test_the_fc_decoder_fits_as_well():
    decoder = dict(
        type='mmocc.FCDecoder', in_channels=32, hidden=(64,), size=24
    )
    model = toy_dea.build(decoder=ConfigDict(_delete_=True, **decoder)).train()
    losses, changed = after_steps(model)
    assert losses['loss_rec'] > 0
    assert 'decoder.layers.2.weight' in changed


def test_a_trained_detector_loads_and_is_kept(trained):
    state = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if name.startswith(FROZEN)
    }
    model = toy_dea.build(seed=7)
    model.load_state_dict(state, strict=False)
    model.train()
    after_steps(model)
    for name, tensor in state.items():
        assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('backbone.conv1.weight'), 'conv1.weight is missing'),
        (
            lambda s: s.update(
                {'bbox_head.cls_convs.0.0.bias': torch.zeros(84)}
            ),
            r'cls_convs.0.0.bias is \(84,\), the model has',
        ),
    ],
)
def test_another_detector_is_refused(change, message):
    model = toy_dea.build()
    state = dict(model.state_dict())
    change(state)
    with pytest.raises(ValueError, match=f'{message}.* same classes'):
        model.load_state_dict(state, strict=False)
    toy_dea.build(frozen_detector=False).load_state_dict(
        {k: v for k, v in state.items() if 'cls_convs.0' not in k},
        strict=False,
    )


@pytest.mark.parametrize(
    'box', [[5.0, 5, 5, 9], [9.0, 9, 2, 2], [200.0, 9, 220, 20]]
)
def test_truth_without_a_pixel_is_refused_by_file(box):
    data = toy_dea.batch(toy_dea.PAGES[:2])
    data['data_samples'][1].gt_instances.bboxes[0] = torch.tensor(box)
    model = toy_dea.build().train()
    with pytest.raises(ValueError, match=r'page2\.png'):
        toy_dea.step(model, data)


def test_boxes_of_a_diverged_detector_are_refused_before_the_op():
    model = toy_dea.build()
    # mmdet drops such boxes where it looks at their size, but not else.
    model.bbox_head.test_cfg.update(score_thr=0.0, min_bbox_size=-1)
    for conv in model.bbox_head.reg_convs:
        torch.nn.init.constant_(conv[0].bias, float('nan'))
    with pytest.raises(ValueError, match='not finite: the detector diverged'):
        toy_dea.predict(model, toy_dea.batch())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(jitter=0.5), r'jitter must be in \[0, 0.5\), got 0.5'),
        (dict(decoder=dict(in_channels=16)), 'in_channels=16 does not fit'),
        (dict(decoder=dict(roi_size=8)), 'roi_size=8 does not fit'),
        (dict(judge=dict(scores=['psnr'])), "unknown score 'psnr'"),
        (dict(judge=dict(anomaly_score='mse')), "'mse' is none of scores"),
        (
            dict(judge=dict(scores=['rank'], anomaly_score='rank')),
            'nothing to fuse',
        ),
        (dict(judge=dict(false_alarms=0.0)), r'must be in \(0, 1\), got 0.0'),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        toy_dea.build(**options)


def test_normal_objects_are_the_detections_of_objects(trained):
    trained.eval()
    data = toy_dea.batch(scale=0.5)
    for sample in data['data_samples']:
        sample.gt_instances.bboxes *= 2  # as a test pipeline loads them
    drawn = normal_objects(trained, copy.deepcopy(data))
    assert len(drawn.latents) == sum(map(len, toy_dea.PAGES))
    marked = data['data_samples'][0].gt_instances
    marked.anomaly = torch.tensor([0, 1, 0])
    fewer = normal_objects(trained, data)
    assert len(fewer.latents) == len(drawn.latents) - 1
    torch.testing.assert_close(fewer.latents[2:], drawn.latents[3:])


def test_configs_find_it_from_either_scope():
    assert MODELS.get('mmocc.DEA').__name__ == 'DEA'
