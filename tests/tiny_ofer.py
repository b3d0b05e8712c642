"""Latent-OFER with all its parts, as small as they get: 32 px, 4 x 4 patches.

The weights are random; the detector's radius is set so that it finds some
patches of random pictures occluded, and not all.
"""

import copy

import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from tiny_mae import SIZE, mae_config
from tiny_recon import NET as BACKBONE

DIMS = 24
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PREPROCESSOR = dict(mean=MEAN, std=STD, to_rgb=True, num_classes=7)
MAE = mae_config(dims=32, decoder_dims=DIMS, depth=1)
EXTRACTOR = dict(type='mmocc.PatchLatentExtractor', mae=MAE)
SVDD = dict(type='mmocc.PatchSVDD', extractor=None, dims=(16, 8), radius=1.0)
MAE_ERROR = dict(type='mmocc.MAEErrorDetector', extractor=None, radius=0.85)
MAE_RECON = dict(type='mmocc.MAEReconstructor', extractor=None)
HYBRID = dict(
    type='mmocc.HybridReconstructor',
    extractor=None,
    unet=dict(
        type='mmocc.HybridUNet', widths=(8, 16, 16, 16), assembly_level=2
    ),
)
HEAD = dict(
    type='mmocc.OFERHead',
    num_classes=7,
    in_channels=64,
    num_heads=2,
    hidden_dims=(16, 8),
    selector=dict(type='mmocc.LatentTokenSelector'),
    readout=dict(type='mmocc.LatentProjection', in_dims=DIMS, out_dims=16),
)


MODEL = dict(
    type='mmocc.LatentOFER',
    data_preprocessor=PREPROCESSOR,
    extractor=EXTRACTOR,
    detector=SVDD,
    reconstructor=MAE_RECON,
    backbone=BACKBONE,
    head=HEAD,
)


def build(**kwargs):
    """Build the whole model; what is given replaces the parts above."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(copy.deepcopy(dict(MODEL, **kwargs)))
    model.init_weights()
    set_radius(model)
    return model


def set_radius(model):
    """Give the detector a centre and a radius as its training would."""
    detector = model.stages.detector
    if detector is None:
        return
    if hasattr(detector, 'centre'):
        detector.centre.fill_(0.1)
    inputs = normalised(model, photos(4))
    distances = detector.patch_distances(inputs)
    detector.radius.fill_(distances.quantile(0.7))


def photos(number, seed=0):
    """Return uint8 photos (number, 3, 32, 32), smooth and not symmetric."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(number, 3, 8, 8, generator=generator)
    big = torch.nn.functional.interpolate(coarse, size=SIZE, mode='bilinear')
    return big.to(torch.uint8)


def samples(number):
    """Return data samples with labels."""
    return [DataSample().set_gt_label(i % 7) for i in range(number)]


def normalised(model, images):
    """Return what the model sees of uint8 photos."""
    data = dict(inputs=images, data_samples=samples(len(images)))
    return model.data_preprocessor(data, False)['inputs']
