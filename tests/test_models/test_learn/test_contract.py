"""What LEARNClassifier asks of a classifier is refused by name, or served."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmocc.models import LEARNClassifier

BACKBONE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
GAP = dict(type='GlobalAveragePooling')
LEARN = dict(type='mmocc.LEARN', in_channels=64)
HEAD = dict(type='LinearClsHead', num_classes=3, in_channels=64, topk=1)
SEVERAL = dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=64)
UNPAIRED = dict(loss_intra=None, loss_inter=None)


def build(kind='mmocc.LEARNClassifier', **changes):
    cfg = dict(
        type=kind,
        backbone=BACKBONE,
        neck=[LEARN, GAP],
        head=HEAD,
        data_preprocessor=dict(mean=[128] * 3, std=[64] * 3),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        return MODELS.build(copy.deepcopy({**cfg, **changes}))


def batch(*samples):
    torch.manual_seed(1)
    return torch.rand(len(samples), 3, 32, 32) * 4 - 2, list(samples)


def labelled(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


def scored(*rows):
    return [DataSample().set_gt_score(torch.tensor(row)) for row in rows]


def test_several_labels_get_the_loss_of_each_class_by_itself():
    model = build(head=SEVERAL, **UNPAIRED).eval()
    inputs, samples = batch(*labelled([0, 2], [1]))
    twin = copy.deepcopy(model)
    losses = model.loss(inputs, samples)
    assert set(losses) == {'loss_rec', 'loss_cls'}
    with torch.no_grad():
        both = torch.cat([inputs, twin.occluder(inputs)[0]])
        logits = twin(both)
    targets = torch.tensor([[1.0, 0, 1], [0, 1, 0]]).repeat(2, 1)
    expected = nn.functional.binary_cross_entropy_with_logits(logits, targets)
    assert torch.allclose(losses['loss_cls'], expected, rtol=1e-4)
    scores = scored([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    again = copy.deepcopy(twin).loss(inputs, scores)
    assert torch.allclose(again['loss_cls'], expected, rtol=1e-4)


def test_soft_labels_are_learnt_if_asked_for():
    rows = [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]
    inputs, samples = batch(*scored(*rows))
    soft = dict(loss_cls=dict(use_soft=True), **UNPAIRED)
    model = build(**soft).eval()
    twin = copy.deepcopy(model)
    losses = model.loss(inputs, samples)
    with torch.no_grad():
        logits = twin(torch.cat([inputs, twin.occluder(inputs)[0]]))
    targets = torch.tensor(rows).repeat(2, 1)
    expected = nn.functional.cross_entropy(logits, targets)
    assert torch.allclose(losses['loss_cls'], expected, rtol=1e-4)
    for sample, label in zip(samples, (0, 2), strict=True):
        sample.set_gt_label(label)
    paired = build(loss_cls=dict(use_soft=True)).loss(inputs, samples)
    assert 'loss_intra' in paired


def test_one_hot_scores_are_the_labels():
    inputs, samples = batch(*labelled(0, 2))
    expected = build().loss(inputs, samples)
    for sample, row in zip(samples, torch.eye(3)[[0, 2]], strict=True):
        sample.set_gt_score(row)
    assert build().loss(inputs, samples) == expected


def mixed():
    samples = labelled(0, 2)
    for sample in samples:
        sample.set_gt_score(torch.tensor([0.6, 0.0, 0.4]))
    return samples


@pytest.mark.parametrize(
    ('changes', 'samples', 'message'),
    [
        (dict(), mixed(), r'gt_score is soft.*use_soft=True'),
        (dict(), scored([1.0, 0, 0], [0.2, 0.8, 0]), 'has no gt_label'),
        (dict(), labelled([0, 1], [1]), '3 labels for 2 images'),
        (
            dict(loss_cls=dict(use_soft=True)),
            scored([1.0, 0, 0], [0.2, 0.8, 0]),
            'gt_score and no gt_label.*set both to None',
        ),
        (
            dict(head=SEVERAL, **UNPAIRED),
            labelled([0, 3], [1]),
            'label 3 is outside the 3 classes',
        ),
    ],
)
def test_labels_that_do_not_fit_are_named(changes, samples, message):
    with pytest.raises(ValueError, match=message):
        build(**changes).loss(*batch(*samples))


class PairHead(nn.Module):
    """Gives two tensors, as Conformer's head does."""

    num_classes = 3

    def forward(self, feats):
        return feats[-1][:, :3], feats[-1][:, 3:6]


class MapHead(nn.Module):
    def forward(self, feats):
        return feats[-1][:, :, None]


class DeafHead(nn.Module):
    """Reads the first stage, which LEARN does not repair."""

    def forward(self, feats):
        return feats[0].mean(dim=(2, 3))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(head=PairHead()), r'PairHead gives a tuple instead of logits'),
        (dict(head=MapHead()), r'MapHead gives a tensor \(4, 64, 1\)'),
        (
            dict(
                head=DeafHead(),
                neck=[LEARN],
                backbone=dict(BACKBONE, out_indices=(0, 3)),
            ),
            'DeafHead do not depend on what LEARN repairs',
        ),
        (
            dict(neck=GAP, learn=LEARN, insert_after='head.fc'),
            "insert_after='head.fc' does not run before the head",
        ),
        (
            dict(
                neck=GAP,
                learn=dict(LEARN, in_channels=8),
                insert_after='backbone.layer1.0.relu',
            ),
            'runs several times',
        ),
        (
            dict(neck=GAP, learn=LEARN, insert_after='backbone.layer2'),
            'in_channels=64.*gives 16 channels',
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes).loss(*batch(*labelled(0, 2)))


def test_a_head_without_logits_trains_without_their_loss():
    losses = build(head=PairHead(), loss_cls=None).loss(
        *batch(*labelled(0, 2))
    )
    assert set(losses) == {'loss_rec', 'loss_intra', 'loss_inter'}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(head=SEVERAL), 'several labels.*set both to None'),
        (dict(head=None), 'needs backbone and head'),
        (dict(hidden=3), r'does not know hidden.*class MyLEARN\(LEARN'),
        (
            dict(type='TimmClassifier', model_name='resnet18'),
            'does not know model_name',
        ),
    ],
)
def test_configs_of_other_classifiers_are_refused(changes, message):
    changes.pop('type', None)  # a config of ours replaces it
    with pytest.raises(ValueError, match=message):
        build(**changes)


class Cooled(ImageClassifier):
    """Halves its features, and has an option of its own."""

    def __init__(self, *args, hidden=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.hidden = hidden

    def extract_feat(self, inputs, stage='neck'):
        feats = super().extract_feat(inputs, stage)
        return tuple(feat / 2 for feat in feats)


class OwnLEARN(LEARNClassifier, Cooled):
    pass


def test_a_class_of_ones_own_keeps_what_it_does_or_is_refused():
    inputs, samples = batch(*labelled(0, 2))
    parts = dict(neck=GAP, hidden=5)
    inner = dict(LEARN, in_channels=16)
    model = build(
        OwnLEARN, **parts, learn=inner, insert_after='backbone.layer2'
    )
    baseline = build(Cooled, **parts).eval()
    assert model.hidden == 5
    model.load_state_dict(baseline.state_dict(), strict=False)
    model.learn.repair_map = lambda maps: (maps, None)
    with torch.no_grad():
        expected = baseline(inputs)
        assert torch.allclose(model.eval()(inputs), expected, atol=1e-6)
    with pytest.raises(ValueError, match='OwnLEARN computes other logits'):
        build(OwnLEARN, hidden=5).loss(inputs, samples)
