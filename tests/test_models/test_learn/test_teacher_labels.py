"""LEARN without labels: the frozen classifier is the teacher."""

import copy
import math

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from test_learn_classifier import (
    BASELINE,
    GAP,
    INNER,
    build,
    build_learn,
)

from mmocc.models import DistillationLoss

SEVERAL = dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=64)
ALONE = dict(loss_rec=None, loss_intra=None, loss_inter=None)


def images(num=4):
    torch.manual_seed(0)
    return torch.randn(num, 3, 32, 32), [DataSample() for _ in range(num)]


def kl(teacher, own):
    """KL divergence of two lists of logits, number by number."""
    rows = []
    for logits in (teacher, own):
        exps = [math.exp(value) for value in logits]
        rows.append([value / sum(exps) for value in exps])
    pairs = zip(*rows, strict=True)
    return sum(p * math.log(p / q) for p, q in pairs)


def test_the_loss_is_the_divergence_at_a_temperature():
    teacher = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
    logits = torch.tensor(
        [[2.0, 0.0, -1.0], [0.0, 1.0, 2.0], [1.0, 1.0, 0.0], [4.0, 0.0, 0.0]]
    )
    rows = [*zip(teacher.repeat(2, 1).tolist(), logits.tolist(), strict=True)]
    for temperature, weight in ((1.0, 1.0), (4.0, 0.5)):
        soft = [
            kl(*([value / temperature for value in row] for row in pair))
            for pair in rows
        ]
        expected = weight * temperature**2 * np.mean(soft)
        loss = DistillationLoss(temperature, loss_weight=weight)
        torch.testing.assert_close(
            float(loss(logits, teacher)), float(expected), rtol=1e-5, atol=0
        )
    assert DistillationLoss()(logits[:1], teacher[:1]) == 0


def test_with_several_labels_each_class_is_a_question():
    teacher, logits = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, -1.0]])
    expected = 0
    for t, own in ((0.0, 1.0), (2.0, -1.0)):
        p, q = (1 / (1 + math.exp(-value)) for value in (t, own))
        expected += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    loss = DistillationLoss(use_sigmoid=True)(logits, teacher)
    torch.testing.assert_close(float(loss), expected / 2, rtol=1e-5, atol=0)
    model = build_learn(
        labels='teacher', head=SEVERAL, loss_intra=None, loss_inter=None
    )
    assert model.losses.loss_distill.use_sigmoid
    assert set(model.loss(*images())) == {'loss_rec', 'loss_distill'}


def test_a_temperature_of_nothing_is_refused():
    with pytest.raises(ValueError, match='temperature must be positive: 0'):
        DistillationLoss(0)


@pytest.mark.parametrize('clean_pass', [True, False])
def test_its_losses_need_no_labels(clean_pass):
    model = build_learn(labels='teacher', clean_pass=clean_pass).eval()
    inputs, samples = images()
    twin = copy.deepcopy(model)
    losses = model.loss(inputs, samples)
    occluded = twin.occluder(inputs)[0]
    with torch.no_grad():
        clean, occ = (twin.frozen_feature(x) for x in (inputs, occluded))
        teacher = twin.logits(clean)
        repaired = [twin.learn((feat,))[0] for feat in (clean, occ)]
        latents = [twin.learn.encode(feat) for feat in (clean, occ)]
        logits = [twin.logits(feat) for feat in repaired]
    both = [
        np.mean(
            [
                kl(*rows)
                for rows in zip(teacher.tolist(), part.tolist(), strict=True)
            ]
        )
        for part in logits
    ]
    expected = np.mean(both) if clean_pass else both[1]
    torch.testing.assert_close(
        losses['loss_distill'].item(), float(expected), rtol=1e-3, atol=1e-6
    )
    labels = teacher.argmax(dim=1)
    intra = twin.losses.loss_intra(*latents, labels)
    torch.testing.assert_close(losses['loss_intra'].detach(), intra)
    assert set(losses) == {
        'loss_rec', 'loss_intra', 'loss_inter', 'loss_distill',
    }  # fmt: skip


@pytest.mark.parametrize('clean_pass', [True, False])
def test_inside_the_backbone_the_teacher_is_the_model_without_learn(
    clean_pass,
):
    model = build_learn(
        labels='teacher', clean_pass=clean_pass, **INNER, **ALONE
    )
    baseline = build(dict(BASELINE, neck=GAP)).eval()
    state = {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith(('inner_learn', 'occluder'))
    }
    baseline.load_state_dict(state)
    inputs, samples = images()
    seen = []
    model.losses.loss_distill.register_forward_pre_hook(
        lambda _, args: seen.append(args)
    )
    loss = model.loss(inputs, samples)['loss_distill']
    logits, teacher = seen[0]
    with torch.no_grad():
        expected = baseline(inputs)
    torch.testing.assert_close(teacher, expected, rtol=1e-4, atol=1e-5)
    assert len(logits) == 4 * (1 + clean_pass)
    loss.backward()
    grads = [p.grad for p in model.learn.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_clean_answers_come_from_the_cached_features(tmp_path):
    metas = [dict(img_path=f'{i}.png', sample_idx=i) for i in range(4)]
    samples = [DataSample(metainfo=meta) for meta in metas]
    inputs, _ = images()
    options = dict(labels='teacher', clean_cache_dtype='float32')
    model = build_learn(**options, clean_cache=str(tmp_path / 'cache'))
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda _, args: seen.append(len(args[0]))
    )
    first = model.loss(inputs, samples)
    model.occluder.load_state_dict(dict(steps=torch.tensor(0)))
    again = model.loss(inputs, samples)
    assert seen[-2:] == [8, 4]  # the second time the twins alone
    torch.testing.assert_close(first['loss_distill'], again['loss_distill'])


def test_the_teacher_takes_the_place_of_loss_cls():
    with pytest.raises(ValueError, match='remove loss_cls'):
        build_learn(labels='teacher', loss_cls=dict(loss_weight=2.0))
    with pytest.raises(ValueError, match="unknown labels 'soft'"):
        build_learn(labels='soft')
    both = build_learn(loss_distill=dict(temperature=2.0))
    inputs, samples = images()
    for sample in samples:
        sample.set_gt_label(1)
    assert {'loss_cls', 'loss_distill'} < set(both.loss(inputs, samples))
