import torch
from mmengine.optim import build_optim_wrapper
from torch import nn


def wrapper(model, **kwargs):
    return build_optim_wrapper(
        model,
        dict(
            constructor='mmocc.TrainableOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.5),
            **kwargs,
        ),
    )


def optimised(optim_wrapper):
    groups = optim_wrapper.optimizer.param_groups
    return {p for group in groups for p in group['params']}


def test_frozen_parameters_do_not_reach_the_optimizer():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    assert optimised(wrapper(model)) == set(model[1].parameters())


def test_paramwise_options_keep_their_meaning():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    made = wrapper(model, paramwise_cfg=dict(bias_decay_mult=0.0))
    decays = {
        group['params'][0].dim(): group['weight_decay']
        for group in made.optimizer.param_groups
    }
    assert decays == {1: 0.0, 2: 0.5}
    assert optimised(made) == set(model[1].parameters())


def test_a_step_moves_only_what_trains():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    before = [p.clone() for p in model.parameters()]
    made = wrapper(model)
    made.update_params(model(torch.ones(1, 2)).sum())
    moved = [
        not torch.equal(a, b)
        for a, b in zip(before, model.parameters(), strict=True)
    ]
    assert moved == [False, False, True, True]
