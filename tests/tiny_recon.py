"""A small HybridReconstructor with a real, untrained MAE of 32-px pictures."""

import copy

import torch
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from tiny_mae import SIZE, mae_config

EXTRACTOR = dict(
    type='mmocc.PatchLatentExtractor',
    mae=mae_config(dims=16, depth=1),
)
UNET = dict(type='mmocc.HybridUNet', widths=(8, 12, 16, 16), assembly_level=2)
NET = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
CLASSIFIER = dict(
    type='ImageClassifier',
    backbone=NET,
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=64),
)
MODEL = dict(
    type='mmocc.HybridReconstructor',
    data_preprocessor=dict(
        mean=[127.5] * 3, std=[64.0] * 3, to_rgb=True, num_classes=7
    ),
    extractor=EXTRACTOR,
    unet=UNET,
    discriminator=dict(type='mmocc.PatchDiscriminator', channels=8, strided=2),
    feature_discriminator=dict(
        type='mmocc.FeaturePatchDiscriminator', in_channels=8, channels=8
    ),
    # At 32 px the stem's map is 8 channels at 16, layer2's 16 at 4; the
    # U-Net's self-assembly is 16 at 8: strides of 1 make them alike.
    features=dict(
        type='mmocc.FrozenNet',
        net=dict(NET, strides=(1, 1, 1, 1)),
        layers=dict(discriminator='relu', consistency='layer2'),
    ),
    expression=dict(type='mmocc.FrozenNet', net=CLASSIFIER),
    loss_consistency=dict(type='mmocc.FeatureConsistencyLoss'),
    loss_semantic=dict(type='mmocc.SemanticConsistencyLoss'),
    loss_gan=dict(type='mmocc.RelativisticGANLoss'),
)
OPTIM = dict(
    constructor='mmocc.MultiOptimWrapperConstructor',
    parts=dict(
        unet=dict(type='Adam', lr=1e-3),
        discriminator=dict(type='Adam', lr=1e-3),
        feature_discriminator=dict(type='Adam', lr=1e-3),
    ),
)
PLAIN = ('type', 'data_preprocessor', 'extractor', 'unet')


def build(**changes):
    """Build the model, with changes to its config."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(MODEL | changes))
    model.init_weights()
    return model


def build_plain(**changes):
    """Build the model with only the parts that prediction needs."""
    return build(**dict.fromkeys(MODEL.keys() - PLAIN), **changes)


def pictures(number=2, side=SIZE):
    """Return smooth normalised pictures (N, 3, side, side)."""
    torch.manual_seed(1)
    return torch.nn.functional.interpolate(
        torch.randn(number, 3, 4, 4), side, mode='bilinear'
    )


def batch(number=2):
    """Return a batch as a dataloader gives it: uint8 BGR and samples."""
    images = (pictures(number) * 40 + 128).clamp(0, 255).to(torch.uint8)
    return dict(inputs=images, data_samples=[DataSample() for _ in images])
