"""Two networks for the app that tell red from blue, and photos for them."""

import numpy as np
import torch
from torch import nn

from mmocc.app.classifier import Classifier, Networks
from mmocc.app.networks import Normalised


class Reds(nn.Module):
    """Tells how red and how blue a photo is."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 2, 1, bias=False)
        self.maps.weight.data = torch.tensor([[9.0, 0, 0], [0, 0, 9.0]]).view(
            2, 3, 1, 1
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2, 2, bias=False)
        self.fc.weight.data = torch.eye(2)

    def forward(self, images):
        return self.fc(self.pool(self.maps(images)).flatten(1))


def networks():
    """Return two such classifiers, with a red and a blue photo."""
    prepare = Normalised((0, 0, 0), (1, 1, 1), 'cpu')
    both = [Classifier(name, Reds(), prepare) for name in ('a', 'b')]
    photos = [half(0), half(2)]
    return Networks(both, ['red', 'blue'], 32, 1.0, 'of a test', photos)


def half(channel):
    """Return a black photo (40, 40, 3) whose left half has one colour."""
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:, :20, channel] = 255
    return photo
