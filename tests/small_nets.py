"""Small classifiers of several families, and digits to train one on."""

import functools

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torchvision import transforms as tv

SIDE = 32
TRANSFORM = tv.Compose([tv.ToTensor(), tv.Normalize([0.5] * 3, [0.5] * 3)])


def conv(c_in, c_out, stride):
    layer = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out), nn.ReLU())


class DigitNet(nn.Module):
    """Maps of 32 x 8 x 8, pooled, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 16, 2)
        self.stage = nn.Sequential(conv(16, 32, 2), conv(32, 32, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32, 10)

    def forward(self, images):
        maps = self.stage(self.stem(images))
        return self.fc(self.pool(maps).flatten(1))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Linear(width, width)
        self.mix = nn.Linear(width, width)

    def forward(self, tokens):
        tokens = tokens + self.mlp(self.norm(tokens)).relu()
        return tokens + self.mix(tokens.mean(1, keepdim=True))


class TokenNet(nn.Module):
    """A class token and 16 patches, from which the class token reads."""

    def __init__(self, width=24):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 8, 8)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(3)))
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        tokens = self.patch_embed(images).flatten(2).transpose(1, 2)
        first = self.cls_token.expand(len(images), -1, -1)
        tokens = self.blocks(torch.cat([first, tokens], dim=1))
        return self.head(tokens[:, 0])


class TwiceNet(nn.Module):
    """Its one convolution runs twice, and gives a dict."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.again = nn.Conv2d(8, 8, 3, 1, 1)
        self.fc = nn.Linear(8, 10)

    def forward(self, images):
        maps = self.again(self.again(self.stem(images)).relu())
        return dict(logits=self.fc(maps.mean((2, 3))))


class BranchNet(nn.Module):
    """A map that is read in two ways."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.left = nn.Conv2d(8, 8, 3, 1, 1)
        self.fc = nn.Linear(8, 10)

    def forward(self, images):
        stem = self.stem(images)
        return self.fc((stem + self.left(stem)).mean((2, 3)))


def example(num=2):
    torch.manual_seed(1)
    return torch.randn(num, 3, SIDE, SIDE)


def digits(first, last):
    """Return digits as (N, 32, 32, 3) uint8, and their labels."""
    data = load_digits()
    grey = (data.images[first:last] * (255 / 16)).astype(np.uint8)
    size = (SIDE, SIDE)
    big = [Image.fromarray(x).resize(size, Image.BILINEAR) for x in grey]
    images = np.stack([np.asarray(x.convert('RGB')) for x in big])
    return images, data.target[first:last]


@functools.cache
def _trained_state():
    torch.manual_seed(0)
    net = DigitNet()
    images, labels = digits(0, 1000)
    inputs = torch.stack([TRANSFORM(x) for x in images])
    labels = torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(6):
        for rows in torch.randperm(len(labels)).split(64):
            loss = nn.functional.cross_entropy(net(inputs[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.state_dict()


def trained_net():
    """Return a DigitNet that reads clean digits (about a second)."""
    net = DigitNet()
    net.load_state_dict(_trained_state())
    return net.eval()
