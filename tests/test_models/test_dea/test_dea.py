"""DEA: what it trains, what it predicts, and whose features it reads."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from mmengine.config import ConfigDict

from mmocc.evaluation import DumpObjects
from mmocc.models.dea.anomaly_judge import fit_judge, normal_objects
from mmocc.utils.plain_pickle import load_plain

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


def test_a_frozen_detector_stays_as_it_is_statistics_included(trained):
    state = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if name.startswith(FROZEN)
    }
    model = toy_dea.build(seed=7).train()
    model.load_state_dict(state, strict=False)
    losses, changed = after_steps(model)
    assert set(losses) == {'loss_rec', 'pearson'}
    trainable = {
        n for n, _ in model.named_parameters() if not n.startswith(FROZEN)
    }
    assert changed == trainable
    assert not model.backbone.training
    assert model.decoder.training
    for name, tensor in state.items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_joint_training_reaches_every_parameter():
    model = toy_dea.build(frozen_detector=False).train()
    losses, changed = after_steps(model)
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_rec', 'pearson'}
    assert {n for n, _ in model.named_parameters()} <= changed
    assert any('running_mean' in name for name in changed)
    model.zero_grad()
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


def test_predictions_have_all_their_fields(trained):
    model = toy_dea.build(judge=ALL)
    model.load_state_dict(trained.state_dict(), strict=False)
    fit_judge(model, [toy_dea.batch()])
    for sample in toy_dea.predict(model, toy_dea.batch()):
        objects, count = sample.pred_instances, len(sample.gt_instances)
        assert objects.recons.shape == (count, 1, 32, 32)
        assert objects.errors.shape == (count, 32, 32)
        assert objects.level_inds.dtype == torch.int64
        assert objects.is_anomaly.dtype == torch.bool
        for name in ALL['scores']:
            score = objects[f'score_{name}']
            assert (score.shape, score.dtype) == ((count,), torch.float32)
            assert score.isfinite().all()
        assert torch.equal(objects.anomaly_scores, objects.score_pearson)
        confidence = 1 - objects.scores.float()
        torch.testing.assert_close(objects.score_confidence, confidence)


def test_an_object_is_redrawn_as_it_is_and_scored_by_that(trained):
    data = toy_dea.batch()
    samples = toy_dea.predict(trained, data)
    for image, sample in zip(data['inputs'], samples, strict=True):
        objects = sample.pred_instances
        names = ('bboxes', 'recons', 'errors', 'anomaly_scores')
        rows = zip(*(objects[name] for name in names), strict=True)
        for box, recon, error, score in rows:
            recon = recon[0]
            left, top, right, bottom = box.round().int().tolist()
            region = image[0, top:bottom, left:right].float()[None, None] / 255
            ink = torch.nn.functional.interpolate(
                region, (32, 32), mode='bilinear', antialias=True
            )[0, 0]
            both = np.corrcoef(ink.flatten(), recon.flatten())[0, 1]
            assert both > 0.75
            assert score == pytest.approx(1 - both, abs=0.05)
            away = float((ink - recon).abs().mean())
            assert error.mean() == pytest.approx(away, abs=0.03)


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
    twice = together[2].pred_instances  # two objects of one class
    assert twice.labels.tolist() == [1, 1]
    assert (twice.anomaly_scores < 0.25).all()
    assert not torch.equal(twice.recons[0], twice.recons[1])


def test_an_unknown_mark_is_redrawn_worse(trained):
    data = toy_dea.batch()
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(24, 24, generator=generator) > 0.5
    known = toy_dea.predict(trained, data)[0].pred_instances
    data['inputs'][0][:, 10:34, 56:80] = 255 * noise  # instead of the cross
    changed = toy_dea.predict(trained, data)[0].pred_instances
    assert known.anomaly_scores.max() < 0.35
    at = (changed.bboxes[:, :2] - torch.tensor([56.0, 10.0])).abs().sum(1)
    assert changed.anomaly_scores[at.argmin()] > 0.5


def test_boxes_come_in_pixels_of_the_original_image(trained):
    (half,) = toy_dea.predict(trained, toy_dea.batch(toy_dea.PAGES[:1]))
    original = toy_dea.batch(toy_dea.PAGES[:1], scale=0.5)
    (full,) = toy_dea.predict(trained, original)
    full, half = full.pred_instances, half.pred_instances
    torch.testing.assert_close(full.bboxes, 2 * half.bboxes)
    torch.testing.assert_close(full.recons, half.recons)
    model = copy.deepcopy(trained)  # without detections it is empty
    model.bbox_head.test_cfg.score_thr = 1.1
    (sample,) = toy_dea.predict(model, toy_dea.batch(toy_dea.PAGES[:1]))
    assert sample.pred_instances.recons.shape == (0, 1, 32, 32)
    assert sample.pred_instances.anomaly_scores.shape == (0,)


@pytest.mark.parametrize('rule', ['own_level', 'conv4_3', 'size'])
@pytest.mark.parametrize('kind', ['conv', 'fc'])
def test_each_rule_and_decoder_train_and_predict_in_colour(rule, kind):
    decoder = dict(channels=3, loss='bce')
    if kind == 'fc':
        decoder |= dict(type='mmocc.FCDecoder', in_channels=32, hidden=(64,))
        decoder = ConfigDict(_delete_=True, size=32, **decoder)
    model = toy_dea.build(
        roi_extractor=dict(rule=rule), decoder=decoder
    ).train()
    losses, changed = after_steps(model, 1)
    assert losses['loss_rec'].isfinite()
    assert any(name.startswith('decoder.') for name in changed)
    model.bbox_head.test_cfg.score_thr = 0.0
    (sample,) = toy_dea.predict(model, toy_dea.batch(toy_dea.PAGES[:1]))
    assert sample.pred_instances.recons.shape == (20, 3, 32, 32)


def test_another_detector_is_refused():
    model = toy_dea.build()
    state = dict(model.state_dict())
    del state['backbone.conv1.weight']
    message = r'conv1.weight is miss.*same classes'
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state, strict=False)
    joint = toy_dea.build(frozen_detector=False)
    joint.load_state_dict(state, strict=False)
    name = 'bbox_head.cls_convs.0.0.bias'
    state = dict(model.state_dict(), **{name: torch.zeros(84)})
    with pytest.raises(ValueError, match=r'0.bias is \(84,\), the model has'):
        model.load_state_dict(state, strict=False)


def test_boxes_that_the_op_cannot_take_are_refused():
    data = toy_dea.batch(toy_dea.PAGES[:2])
    empty = torch.tensor([5.0, 5, 5, 9])
    data['data_samples'][1].gt_instances.bboxes[0] = empty
    model = toy_dea.build().train()
    with pytest.raises(ValueError, match=r'page2\.png'):
        toy_dea.step(model, data)
    # mmdet drops such boxes only if there is a least size.
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


def test_the_levels_of_training_are_those_of_the_assigner(monkeypatch):
    limits = []

    def draw(boxes, priors, pos_iou_thr):
        limits.append(pos_iou_thr)
        return torch.zeros(len(boxes), dtype=torch.int64)

    monkeypatch.setattr('mmocc.models.dea.dea.draw_levels', draw)
    options = dict(train_cfg=dict(assigner=dict(pos_iou_thr=0.7)))
    toy_dea.step(toy_dea.build(**options).train(), toy_dea.batch())
    assert limits == [0.7]


@pytest.mark.parametrize('kind', ['RetinaHead', 'FCOSHead'])
def test_a_head_that_does_not_tell_priors_is_refused_by_name(kind):
    head = dict(
        _delete_=True, type=f'mmdet.{kind}', num_classes=3, in_channels=16
    )
    with pytest.raises(ValueError, match=f'bbox_head is {kind}.*SSDIoUHead'):
        toy_dea.build(bbox_head=head)


def test_a_dump_holds_the_objects_and_not_the_batch(trained, tmp_path):
    samples = [s.to_dict() for s in toy_dea.predict(trained, toy_dea.batch())]
    sizes = {}
    for pictures in (False, True):
        path = tmp_path / f'{pictures}.pkl'
        metric = DumpObjects(str(path), pictures=pictures)
        metric.process({}, samples)
        metric.evaluate(len(samples))
        sizes[pictures] = path.stat().st_size
        for sample, own in zip(samples, load_plain(path), strict=True):
            objects, before = own['pred_instances'], sample['pred_instances']
            assert ('recons' in objects) == ('errors' in objects) == pictures
            np.testing.assert_array_equal(objects['bboxes'], before['bboxes'])
            if pictures:
                assert objects['errors'].dtype == np.uint8
                shades = objects['recons'] / 255
                away = np.abs(shades - before['recons'].numpy()).max()
                assert away <= 0.5 / 255 + 1e-6
    count = sum(len(s['pred_instances']['scores']) for s in samples)
    assert count == 10
    bytes_of_pictures = count * 2 * 32 * 32
    assert sizes[True] - sizes[False] < 1.2 * bytes_of_pictures + 6000
    for sample in samples:  # no view of the batch, in memory either
        for name in ('recons', 'errors', 'anomaly_scores', 'score_pearson'):
            value = sample['pred_instances'][name]
            own = value.numel() * value.element_size()
            assert value.untyped_storage().nbytes() == own, name
