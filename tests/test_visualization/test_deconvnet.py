"""Projections of single activations back to the pixels, by value."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmocc.visualization.deconv.network import (
    layer_maps,
    project_activations,
    strongest_activations,
)

pytest.importorskip('captum', reason='pip install "captum>=0.7"')


def chain(in_place=True):
    """Return conv, ReLU, max-pool, twice, as in the paper's networks."""
    torch.manual_seed(0)
    convs = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 5, 3, 2, 1)
    stages = [(conv, nn.ReLU(in_place), nn.MaxPool2d(2)) for conv in convs]
    return nn.Sequential(*stages[0], *stages[1]).eval()


def deconvnet(net, image, channel, y, x):
    """Go up with switches, keep one activation, and come down by hand."""
    conv1, _, _, conv2, _, _ = net
    relu1 = F.relu(conv1(image))
    pool1, switch1 = F.max_pool2d(relu1, 2, return_indices=True)
    relu2 = F.relu(conv2(pool1))
    pool2, switch2 = F.max_pool2d(relu2, 2, return_indices=True)
    signal = torch.zeros_like(pool2)
    signal[0, channel, y, x] = pool2[0, channel, y, x]
    signal = F.max_unpool2d(signal, switch2, 2, output_size=relu2.shape[2:])
    signal = F.conv_transpose2d(
        F.relu(signal), conv2.weight, stride=2, padding=1, output_padding=1
    )
    signal = F.max_unpool2d(signal, switch1, 2, output_size=relu1.shape[2:])
    return F.conv_transpose2d(F.relu(signal), conv1.weight, padding=1)


def test_a_projection_worked_out_by_hand():
    # Up, [1, -2], ReLU and pooling of pairs: [3 - 2, 0, 5 - 0, 0] to [1, 5];
    # [2, 1]: 2 * 1 + 5 = 7. Down: 7 * [2, 1] = [14, 7], to the switches at 0
    # and 2; then 14 * [1, -2] at 0 and 7 * [1, -2] at 2.
    convs = [nn.Conv2d(i, 1, (1, 2), bias=False) for i in (3, 1)]
    pool = nn.MaxPool2d((1, 2))
    net = nn.Sequential(convs[0], nn.ReLU(), pool, convs[1], nn.ReLU())
    with torch.no_grad():
        net[0].weight.zero_()[0, 0] = torch.tensor([[1.0, -2.0]])
        net[3].weight[0, 0] = torch.tensor([[2.0, 1.0]])
    image = torch.zeros(1, 3, 1, 5)
    image[0, 0] = torch.tensor([3.0, 1.0, 5.0, 0.0, 0.0])
    projected = project_activations(net, '4', image, [(0, 0, 0)])
    assert projected[0, 0].tolist() == [[14, -28, 7, -14, 0]]
    assert not projected[0, 1:].any()


@pytest.mark.parametrize('in_place', [False, True])
def test_it_is_unpool_rectify_filter_and_not_the_gradient(in_place):
    net = chain(in_place)
    images = torch.randn(3, 3, 16, 24, requires_grad=True)
    units = [(0, 0, 0), (4, 1, 2), (2, 0, 1)]
    projected = project_activations(net, '5', images, units)
    expected = [
        deconvnet(net, image[None], *unit)[0]
        for image, unit in zip(images, units, strict=True)
    ]
    torch.testing.assert_close(projected, torch.stack(expected).detach())
    assert projected.abs().flatten(1).max(dim=1).values.gt(0).all()
    assert [m.inplace for m in net if isinstance(m, nn.ReLU)] == [in_place] * 2
    assert all(parameter.grad is None for parameter in net.parameters())
    value = net(images)[1, 4, 1, 2]  # its ReLUs are closed at some places
    (gradient,) = torch.autograd.grad(value, images)
    assert (projected[1] - gradient[1] * value).abs().max() > 1e-3


def test_only_what_fires_projects_and_with_or_without_its_relu():
    net = chain()
    image = torch.randn(1, 3, 16, 24)
    maps = layer_maps(net, '3', image)
    unit = (maps[0] == maps.max()).nonzero()[0].tolist()
    conv = project_activations(net, '3', image, [unit])
    relu = project_activations(net, '4', image, [unit])
    torch.testing.assert_close(conv, relu)
    assert conv.any()
    unit = (maps[0] < 0).nonzero()[0].tolist()
    assert not project_activations(net, '3', image, [unit]).any()


def test_faults_are_named():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 24, 2), nn.ReLU())
    for net, layer, unit, message in (
        (chain(), '5', (5, 0, 0), r'no activation .* = \(5, 0, 0\)'),
        (chain(), 'conv9', (0, 0, 0), "no layer 'conv9'; close names"),
        (nn.Conv2d(3, 2, 1), '', (0, 0, 0), 'no ReLU module'),
        (flat, '1', (0, 0, 0), "'1' is .*, not a map"),
    ):
        with pytest.raises(ValueError, match=message):
            project_activations(net, layer, torch.randn(1, 3, 16, 24), [unit])


def test_the_strongest_activations_are_those_of_all_images_at_once():
    net = chain()
    images = torch.randn(7, 3, 16, 24)
    strongest = strongest_activations(net, '5', images.split(3), count=2)
    maps = layer_maps(net, '5', images)  # (7, 5, 2, 3)
    value, image = maps.amax(dim=(2, 3)).T.sort(dim=1, descending=True)
    torch.testing.assert_close(strongest['value'], value[:, :2])
    assert torch.equal(strongest['image'], image[:, :2])
    places = strongest['image'], torch.arange(5)[:, None]
    at_place = maps[(*places, strongest['y'], strongest['x'])]
    torch.testing.assert_close(at_place, strongest['value'])
    few = strongest_activations(net, '5', [images[:2]], count=9)
    assert few['value'].shape == (5, 2)
    with pytest.raises(ValueError, match='no images'):
        strongest_activations(net, '5', [])
