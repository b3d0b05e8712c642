"""Maps of inner modules come before those of the backbone."""

import copy

import pytest
import torch

from mmocc.models.hide_and_seek import InnerMapsBackbone
from mmocc.visualization.receptive_field import find_cells

RESNET = dict(
    type='mmpretrain.ResNet', depth=18, stem_channels=4, base_channels=4
)


def build(*modules):
    torch.manual_seed(0)
    return InnerMapsBackbone(copy.deepcopy(RESNET), modules).eval()


def test_inner_maps_are_what_the_modules_give():
    network = build('layer3.0', 'layer3')
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        first, second, last = network(images)
        inner = network.backbone
        x = inner.maxpool(inner.relu(inner.norm1(inner.conv1(images))))
        x = inner.layer3[0](inner.layer2(inner.layer1(x)))
        torch.testing.assert_close(first, x)
        torch.testing.assert_close(second, inner.layer3[1](x))
        torch.testing.assert_close(last, inner(images)[-1])
    assert not inner.layer3._forward_hooks  # nothing stays in the backbone


def test_a_copy_is_apart_and_the_cells_are_the_backbones():
    network = build('layer3.0', 'layer3')
    twin = copy.deepcopy(network)
    with torch.no_grad():
        assert len(twin(torch.rand(1, 3, 64, 64))) == 3
    own = find_cells(network, (64, 64))
    assert own == find_cells(network.backbone, (64, 64))


def test_an_unknown_module_is_named():
    with pytest.raises(ValueError, match=r"\['layer9'\] are not in ResNet"):
        build('layer3', 'layer9')
