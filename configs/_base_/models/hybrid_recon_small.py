"""Reconstruction at 64 x 64 pixels: U-Net, discriminators, features.

Self-assembly works on 8 x 8 positions, one for each patch of 8 pixels. The
expression network is that of configs/ofer/expression_resnet18_cartoon.py; its
third stage has the channels and the size of the self-assembled features.
"""

hybrid_unet = dict(
    type='mmocc.HybridUNet',
    widths=(32, 48, 96, 128, 128),
    assembly_level=3,
    assembly=dict(type='mmocc.SelfAssembly', mode='paper'),
)
recon_discriminator = dict(
    type='mmocc.PatchDiscriminator', channels=16, strided=2
)
recon_feature_discriminator = dict(
    type='mmocc.FeaturePatchDiscriminator', in_channels=32, channels=64
)
expression_backbone = dict(
    type='ResNet',
    depth=18,
    num_stages=3,
    stem_channels=32,
    base_channels=32,
    strides=(1, 2, 1),
    dilations=(1, 1, 1),
    out_indices=(2,),  # 128 x 8 x 8
)
