"""Reconstruction in the size of Latent-OFER's release: 256 x 256 pixels.

The U-Net has 86,479,363 parameters, the discriminators 2,766,529 and
10,487,296. Its losses compare relu3_3 and relu4_3 of VGG-16.
"""

hybrid_unet = dict(
    type='mmocc.HybridUNet',
    widths=(128, 256, 512, 512, 512, 512, 512, 512, 512),
    assembly_level=3,
    assembly=dict(type='mmocc.SelfAssembly', mode='paper'),
)
recon_discriminator = dict(type='mmocc.PatchDiscriminator')
recon_feature_discriminator = dict(type='mmocc.FeaturePatchDiscriminator')
recon_features = dict(
    type='mmocc.FrozenNet',
    net=dict(
        type='VGG',
        depth=16,
        num_stages=4,
        dilations=(1, 1, 1, 1),
        out_indices=(3,),
    ),
    layers=dict(discriminator='features.8', consistency='features.12'),
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/'
        'vgg/vgg16_batch256_imagenet_20210208-db26f1a5.pth',
        prefix='backbone.',
    ),
)
