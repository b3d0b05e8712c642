"""LEARN before, between and behind necks that have weights of their own."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import load_state_dict
from mmpretrain.registry import MODELS

GAP = dict(type='GlobalAveragePooling')
LINEAR = dict(type='LinearNeck', in_channels=64, out_channels=16)
BASELINE = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        base_channels=8,
        stem_channels=8,
        out_indices=(3,),
    ),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=16, topk=1),
)


def build(**changes):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(copy.deepcopy(dict(BASELINE, **changes)))


def build_learn(own, place):
    own = own if isinstance(own, list) else [own]
    learn = dict(type='mmocc.LEARN', in_channels=64)
    return build(
        type='mmocc.LEARNClassifier',
        neck=[*own[:place], learn, *own[place:]],
        occluder=dict(type='mmocc.BatchOccluder'),
    )


@pytest.mark.parametrize(
    ('own', 'place'),
    [
        (LINEAR, 0),
        ([LINEAR], 0),
        ([GAP, LINEAR], 0),
        ([GAP, LINEAR], 1),
        ([GAP, GAP, LINEAR], 1),
    ],
)
def test_the_classifiers_own_neck_is_loaded_wherever_learn_is(own, place):
    baseline, model = build(neck=own), build_learn(own, place)
    load_state_dict(model, baseline.state_dict())
    (theirs,) = (m for m in model.stages if type(m).__name__ == 'LinearNeck')
    ours = dict(baseline.neck.state_dict())
    assert ours
    for value, loaded in zip(
        ours.values(), theirs.state_dict().values(), strict=True
    ):
        assert torch.equal(value, loaded)


def test_its_own_checkpoint_is_loaded_as_it_is():
    first, second = (
        build_learn([GAP, LINEAR], 1),
        build_learn([GAP, LINEAR], 1),
    )
    second.load_state_dict(first.state_dict())
    for key, value in second.state_dict().items():
        assert torch.equal(value, first.state_dict()[key])


def test_a_checkpoint_without_the_own_neck_is_refused():
    state = build(neck=LINEAR).state_dict()
    state = {k: v for k, v in state.items() if not k.startswith('neck.')}
    with pytest.raises(ValueError, match=r'neck\.1\.\S+ is missing'):
        load_state_dict(build_learn(LINEAR, 0), state)
