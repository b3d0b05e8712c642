import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmocc.models.hide_and_seek import HideFeatures


@pytest.mark.parametrize('cell', [5, 11])
def test_all_channels_of_a_cell_get_their_means_together(cell):
    torch.manual_seed(0)
    maps = torch.randn(8, 4, 55, 50)
    after = HideFeatures([cell])(maps)
    mean = maps.mean(dim=(0, 2, 3))[:, None, None].expand(-1, 55, 50)
    hidden = after != maps
    assert (hidden == hidden[:, :1]).all()
    assert 0.3 < hidden.float().mean() < 0.7
    for map_, where in zip(after, hidden, strict=True):
        assert torch.equal(map_[where], mean[where])
    for y in range(0, 55, cell):
        for x in range(0, 50, cell):
            part = hidden[:, 0, y : y + cell, x : x + cell].flatten(1)
            assert (part.all(dim=1) | ~part.any(dim=1)).all()
    assert len(hidden.unique(dim=0)) == 8


def test_a_number_can_be_the_fill_and_evaluation_changes_nothing():
    maps = torch.randn(2, 4, 9, 9)
    layer = HideFeatures([3], hide_prob=1.0, fill=0.5)
    assert (layer(maps) == 0.5).all()
    assert layer.eval()(maps) is maps
    assert HideFeatures([0])(maps) is maps


def test_gradients_flow_through_what_is_shown_and_only_there():
    torch.manual_seed(0)
    maps = torch.randn(2, 4, 12, 12, requires_grad=True)
    after = HideFeatures([4])(maps)
    after.sum().backward()
    assert torch.equal(maps.grad, (after == maps).float())
    assert 0 < maps.grad.mean() < 1


def test_nothing_is_fetched_from_the_device():
    maps = torch.empty(2, 4, 12, 12, device='meta')
    assert HideFeatures([4, 3]).to('meta')(maps).shape == maps.shape


def test_the_hook_hides_behind_a_named_module_in_training_only(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.model.backbone.frozen_stages = 1  # whose modules never train
    cfg.custom_hooks = [
        dict(
            type='mmocc.HideFeaturesHook',
            module='backbone.conv1',
            hide=dict(type='mmocc.HideFeatures', hide_prob=1.0, fill=3.0),
        )
    ]
    runner = Runner.from_cfg(cfg)
    names = set(runner.model.state_dict())
    seen = []
    runner.model.backbone.bn1.register_forward_pre_hook(
        lambda module, args: seen.append(
            (runner.model.training, (args[0] == 3).all().item())
        )
    )
    runner.train()
    assert seen == [(True, True)] * 2 + [(False, False)] * 2
    assert set(runner.model.state_dict()) == names
    runner.model.train()
    runner.model.extract_feat(torch.zeros(2, 3, 64, 64))
    assert seen[-1] == (True, False)  # the hook is gone


def test_the_hook_names_a_module_that_is_not_there(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.custom_hooks = [
        dict(type='mmocc.HideFeaturesHook', module='backbone.conv9')
    ]
    with pytest.raises(ValueError, match=r'backbone\.conv9.*backbone\.conv1'):
        Runner.from_cfg(cfg).train()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(grid_sizes=[-1]), 'whole numbers'),
        (dict(hide_prob=-1), 'in .0, 1.'),
        (dict(fill='zero'), "'mean' or a number, got 'zero'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        HideFeatures(**arguments)
