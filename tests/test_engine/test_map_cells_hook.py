"""The place of the cells, from the network to the samples."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.engine import MapCellsHook
from mmocc.utils.cell_grid import CellGrid

BACKBONE = dict(type='ResNet', depth=18, stem_channels=4, base_channels=4)
HEADS = dict(
    cam=dict(type='mmocc.CAMHead', num_classes=2, in_channels=32),
    acol=dict(
        type='mmocc.ACoLHead', num_classes=2, in_channels=32, channels=()
    ),
)


def build(head, **backbone):
    cfg = dict(
        type='ImageClassifier',
        backbone=dict(BACKBONE, **backbone),
        head=HEADS[head],
    )
    return make(cfg)


def make(cfg):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(copy.deepcopy(cfg)).eval()
    return model


class Run:
    def __init__(self, model):
        self.model = model


def predicted(model, size=(64, 64)):
    """Return the predicted samples of two images, after the hook."""
    images = torch.rand(2, 3, *size)
    MapCellsHook().before_test_iter(Run(model), 0, dict(inputs=[*images]))
    samples = [DataSample().set_gt_label(0) for _ in images]
    with torch.no_grad():
        return model(images, samples, 'predict')


@pytest.mark.parametrize('head', HEADS)
def test_samples_say_where_their_maps_cells_lie(head):
    model = build(head)
    weights = copy.deepcopy(model.state_dict())
    for sample in predicted(model):
        # 32 i, as indices of pixels, of 64
        assert CellGrid(*sample.map_cells).first == pytest.approx(
            (0.5 / 64,) * 2
        )
        assert CellGrid(*sample.map_cells).step == pytest.approx((0.5, 0.5))
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key])
    # Another size of images: their own shares
    (sample, _) = predicted(model, (64, 128))
    assert CellGrid(*sample.map_cells).first == pytest.approx(
        (0.5 / 64, 0.5 / 128)
    )
    (sample, _) = predicted(model, (64, 64))
    assert CellGrid(*sample.map_cells).first[1] == pytest.approx(0.5 / 64)


def test_an_ensemble_of_one_grid_has_it_and_of_two_none():
    same = dict(backbone=BACKBONE, head=HEADS['cam'], type='ImageClassifier')
    finer = copy.deepcopy(same)
    finer['backbone']['strides'] = (1, 2, 2, 1)
    alike = make(dict(type='mmocc.CAMEnsemble', models=[same, same]))
    (sample, _) = predicted(alike)
    assert type(sample.map_cells) is tuple  # as stored samples may have
    other = make(dict(type='mmocc.CAMEnsemble', models=[same, finer]))
    (sample, _) = predicted(other)
    assert 'map_cells' not in sample


def test_a_model_without_class_maps_and_features_of_sequences_stay():
    plain = dict(
        type='ImageClassifier',
        backbone=BACKBONE,
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=2, in_channels=32),
    )
    (sample, _) = predicted(make(plain))
    assert 'map_cells' not in sample
    sequence = dict(inputs=[torch.zeros(8, 20, 1)])
    MapCellsHook().before_val_iter(Run(build('cam')), 0, sequence)
    # Batches of other models may be anything
    MapCellsHook().before_val_iter(Run(torch.nn.Linear(2, 2)), 0, [1, 2])
