"""Backbones that end in a large map: class activation maps are read off it."""

from mmocc.models.backbones.alexnet_gap import AlexNetGAP
from mmocc.models.backbones.googlenet_gap import GoogLeNetGAP
from mmocc.models.backbones.temporal_conv_net import TemporalConvNet
from mmocc.models.backbones.vgg_gap import VGGGAP

__all__ = ['VGGGAP', 'AlexNetGAP', 'GoogLeNetGAP', 'TemporalConvNet']
