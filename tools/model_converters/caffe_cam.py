"""Convert Caffe's weights of CAM's networks, for mmocc's networks.

Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR
2016), publish AlexNet-GAP, GoogLeNet-GAP and VGG-GAP with weights of Caffe
(zhoubolei/CAM on GitHub). It needs protobuf (pip install protobuf).

Example: python tools/model_converters/caffe_cam.py alexnet-gap \
    alexnetplusCAM_imagenet.caffemodel alexnet-gap.pth
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmpretrain.registry import MODELS
from torch import nn
from torchvision.models.googlenet import BasicConv2d

from mmocc.utils import cli
from mmocc.utils.caffemodel import read_caffemodel
from mmocc.utils.one_line import one_line_values

# RGB; of the mean image that Caffe's networks subtract, averaged
MEAN, STD = (122.679, 116.669, 104.007), (1.0, 1.0, 1.0)
VGG16_CONVS = (2, 2, 3, 3, 3)
INCEPTIONS = ('3a', '3b', '4a', '4b', '4c', '4d', '4e')
BRANCHES = {
    '1x1': 'branch1',
    '3x3_reduce': 'branch2.0',
    '3x3': 'branch2.1',
    '5x5_reduce': 'branch3.0',
    '5x5': 'branch3.1',
    'pool_proj': 'branch4.1',
}


class Network(NamedTuple):
    """A network of CAM here, as Caffe's release defines it.

    Attributes:
        backbone: Config of the backbone.
        channels: Channels of its last map.
        side: Of the images, in pixels.
        layers: Names of our layers by Caffe's; the last one is the head's.
    """

    backbone: dict
    channels: int
    side: int
    layers: Mapping[str, str]


def vgg_layers() -> dict[str, str]:
    """Return VGG-16's convolutions by Caffe's names; poolings count here."""
    names, index = {}, 0
    for stage, count in enumerate(VGG16_CONVS, 1):
        for number in range(1, count + 1):
            layer = f'backbone.features.{index}.conv'
            names[f'conv{stage}_{number}'] = layer
            index += 1
        index += 1
    return {**names, 'CAM_conv': 'backbone.conv6.conv', 'CAM_fc': 'head.fc'}


def googlenet_layers() -> dict[str, str]:
    """Return GoogLeNet-GAP's layers by Caffe's names."""
    stem = ('conv1/7x7_s2', 'conv2/3x3_reduce', 'conv2/3x3')
    names = {name: f'backbone.conv{i}' for i, name in enumerate(stem, 1)}
    for block in INCEPTIONS:
        for theirs, ours in BRANCHES.items():
            layer = f'backbone.inception{block}.{ours}'
            names[f'inception_{block}/{theirs}'] = layer
    return {**names, 'CAM_conv': 'backbone.cam_conv', 'CAM_fc': 'head.fc'}


NETWORKS = {
    'alexnet-gap': Network(
        dict(type='mmocc.AlexNetGAP', groups=2, padding=0),
        512,
        227,
        {
            **{f'conv{i}': f'backbone.conv{i}.conv' for i in range(1, 8)},
            'fc9': 'head.fc',
        },
    ),
    'googlenet-gap': Network(
        dict(type='mmocc.GoogLeNetGAP', groups=2, lrn=True),
        1024,
        224,
        googlenet_layers(),
    ),
    'vgg16-gap': Network(
        dict(type='mmocc.VGGGAP', groups=2), 1024, 224, vgg_layers()
    ),
}


def fill(layer: nn.Module, blobs: Sequence[np.ndarray], name: str) -> None:
    """Copy a layer's weight and bias of Caffe into ours, in place.

    Batch norm, which Caffe's networks lack, is set to add the bias only.

    Args:
        layer: A convolution, with batch norm or without, or a linear layer.
        blobs: Weight and, if there is one, bias, of any number of leading
            dimensions of 1.
        name: Caffe's name, for errors.

    Raises:
        ValueError: If the numbers do not fit.
    """
    weight, shift = layer, layer
    if isinstance(layer, BasicConv2d):
        weight, shift = layer.conv, layer.bn
        shift.reset_parameters()
        shift.running_var.fill_(1 - shift.eps)  # the root of 1 divides
    nn.init.zeros_(shift.bias)
    targets = (weight.weight, shift.bias)[: max(1, len(blobs))]
    if len(blobs) != len(targets):
        raise ValueError(f'layer {name!r} has {len(blobs)} arrays, not 1 or 2')
    for blob, target in zip(blobs, targets, strict=True):
        shape = tuple(target.shape)
        # Older files have four dimensions for all.
        leading, rest = np.split(blob.shape, [blob.ndim - len(shape)])
        if (leading != 1).any() or tuple(rest) != shape:
            raise ValueError(
                f'layer {name!r} is {blob.shape}, {shape} here: is it another '
                'network?'
            )
        with torch.no_grad():
            target.copy_(torch.from_numpy(blob.reshape(shape)))


def convert(
    network: Network, layers: Mapping[str, Sequence[np.ndarray]]
) -> nn.Module:
    """Return mmpretrain's classifier with the weights of Caffe's.

    It takes RGB images with :data:`MEAN` subtracted, Caffe's BGR.

    Args:
        network: One of :data:`NETWORKS`.
        layers: From :func:`mmocc.utils.caffemodel.read_caffemodel`.

    Raises:
        ValueError: If a layer is missing or has another shape.
    """
    missing = [name for name in network.layers if name not in layers]
    if missing:
        raise ValueError(
            f'the file has no layer {missing[0]!r} (of {len(missing)} that '
            f'are missing), but {sorted(layers)[:8]}: name the network that '
            f'it holds, one of {list(NETWORKS)}'
        )
    first, *_, last = network.layers
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=network.backbone,
            head=dict(
                type='mmocc.CAMHead',
                num_classes=layers[last][0].shape[-2],
                in_channels=network.channels,
            ),
        )
    )
    for theirs, ours in network.layers.items():
        blobs = list(layers[theirs])
        if theirs == first:  # BGR to RGB
            blobs[0] = np.ascontiguousarray(blobs[0][:, ::-1])
        fill(model.get_submodule(ours), blobs, theirs)
    model.eval()
    return model


def test_options(network: Network) -> list[str]:
    """Return what tools/test.py must be told beside our CAM config."""
    backbone = dict(network.backbone)
    del backbone['type']
    options = [f'model.backbone.{key}={backbone[key]}' for key in backbone]
    for key, values in dict(mean=MEAN, std=STD).items():
        text = ','.join(map(str, values))
        options.append(f'data_preprocessor.{key}="[{text}]"')
    scale = f'"({network.side},{network.side})"'
    options.append(f'test_dataloader.dataset.pipeline.1.scale={scale}')
    return options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert Caffe's weights of CAM's networks"
    )
    parser.add_argument('network', choices=NETWORKS, help='what it holds')
    parser.add_argument('caffemodel', type=Path, help='file of Caffe')
    parser.add_argument('out', type=Path, help='file to write')
    return parser.parse_args()


@cli.one_line_errors()
@one_line_values()
def main() -> None:
    """Convert, and print how the weights are tested."""
    args = parse_args()
    if args.out.exists():
        sys.exit(f'{args.out} exists: name another file, or remove it.')
    network = NETWORKS[args.network]
    model = convert(network, read_caffemodel(args.caffemodel))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict()), args.out)
    config = f'configs/hide_and_seek/{args.network}_cam_in1k.py'
    print(f'{args.out}: {len(network.layers)} layers. To test it:')
    print(f'python tools/test.py {config} {args.out} --cfg-options')
    print('    ' + ' '.join(test_options(network)))


if __name__ == '__main__':
    main()
