"""What cells see, and where they lie, by hand and by pushing pixels."""

import pytest
import torch
from mmpretrain.models.backbones import EfficientNet, ResNet, VisionTransformer
from torch import nn

from mmocc.models.backbones import EfficientNetLite
from mmocc.models.hide_and_seek import VGGGAP, AlexNetGAP, GoogLeNetGAP
from mmocc.utils.cell_grid import CellGrid
from mmocc.visualization.receptive_field import (
    ReceptiveField,
    find_cells,
    try_cells,
)

SIDE = 224


def chain():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def test_a_receptive_field_is_what_can_change_the_activation():
    net = chain()
    field = ReceptiveField(net, lambda n, x: n(x), (32, 32))
    # Sizes (steps): conv 3 (1), pool 4 (2), conv 8 (2), pool 10 (4).
    assert field.box(1, 2) == (5, 1, 15, 11)
    assert field.box(0, 0) == (0, 0, 7, 7)  # ends at the border
    image, other = torch.rand(2, 1, 3, 32, 32)
    left, top, right, bottom = field.box(1, 2)
    other[..., top:bottom, left:right] = image[..., top:bottom, left:right]
    assert torch.equal(net(image)[..., 1, 2], net(other)[..., 1, 2])

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.small = nn.Conv2d(3, 2, 3, padding=1)
            self.large = nn.Conv2d(3, 2, 7, padding=3)

        def forward(self, x):
            return self.small(x) + self.large(x)

    field = ReceptiveField(Branches(), lambda n, x: n(x), (20, 20))
    assert field.box(10, 9) == (6, 7, 13, 14)


def placed(cells, size=SIDE):
    """Return centre of cell 0, and the step, as indices of pixels."""
    return cells.first[0] * size - 0.5, cells.step[0] * size


# By hand: with kernel k, stride s and padding p, the cell i of a layer is
# centred at the cell s * i + (k - 1) / 2 - p of the one before.
NETWORKS = {
    'resnet50, stride 16': (
        lambda: ResNet(50, strides=(1, 2, 2, 1), out_indices=(3,)),
        (0, 16),
    ),
    'resnet18, stride 8': (
        lambda: ResNet(18, strides=(1, 1, 2, 1), out_indices=(3,)),
        (0, 8),
    ),
    'googlenet': (GoogLeNetGAP, (14, 16)),
    'googlenet on [-1, 1]': (
        lambda: GoogLeNetGAP(transform_input=True),
        (14, 16),
    ),
    'alexnet': (AlexNetGAP, (31, 16)),
    'vgg16': (VGGGAP, (7.5, 16)),
    # TensorFlow's padding of an even side: the end alone, five times
    'efficientnet-lite0': (EfficientNetLite, (31, 32)),
    # Gates that pool the whole image have no place
    'efficientnet-b0, stride 16': (
        lambda: EfficientNet('b0', out_indices=(4,)),
        (15, 16),
    ),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_the_cells_of_known_networks_lie_where_the_layers_say(name):
    build, expected = NETWORKS[name]
    with torch.no_grad():  # as in a test
        cells = find_cells(build(), (SIDE, SIDE))
    assert placed(cells) == pytest.approx(expected, abs=1e-6)
    assert cells.first[0] == pytest.approx(cells.first[1])
    assert cells.step[0] == pytest.approx(cells.step[1])


def test_each_axis_has_its_own_size_and_layers():
    net = nn.Conv2d(3, 2, (3, 5), stride=(2, 4), padding=(1, 0))
    cells = find_cells(net, (40, 80))
    # 2 i and 4 i + 2, as indices of pixels
    assert cells.first == pytest.approx((0.5 / 40, 2.5 / 80))
    assert cells.step == pytest.approx((2 / 40, 4 / 80))


def test_patches_lie_evenly_and_cells_that_see_all_are_not_known(caplog):
    vit = VisionTransformer(
        dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8),
        img_size=64,
        patch_size=16,
        out_type='featmap',
    )
    assert find_cells(vit, (64, 64)) == CellGrid.even((4, 4))

    class Global(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            x = self.conv(x)
            return x + x.mean((2, 3), keepdim=True)

    with pytest.raises(ValueError, match=r"sees all of an image.*'grid'"):
        find_cells(Global(), (32, 32))
    assert try_cells(Global(), (32, 32)) is None
