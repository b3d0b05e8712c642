"""A small MAE for pictures of 64 x 64 pixels: 8 x 8 patches of 8 pixels.

It predicts pixels (norm_pix=False), because mmocc.PatchLatentExtractor needs
them to reconstruct hidden patches.
"""

mae_patch_size = 8

model = dict(
    type='MAE',
    backbone=dict(
        type='MAEViT',
        arch=dict(
            embed_dims=128,
            num_layers=4,
            num_heads=4,
            feedforward_channels=384,
        ),
        img_size=64,
        patch_size=mae_patch_size,
        mask_ratio=0.6,
    ),
    neck=dict(
        type='MAEPretrainDecoder',
        num_patches=64,
        patch_size=mae_patch_size,
        embed_dim=128,
        decoder_embed_dim=96,
        decoder_depth=2,
        decoder_num_heads=4,
        mlp_ratio=3,
    ),
    head=dict(
        type='MAEPretrainHead',
        norm_pix=False,
        patch_size=mae_patch_size,
        loss=dict(type='PixelReconstructionLoss', criterion='L2'),
    ),
    init_cfg=[
        dict(type='Xavier', layer='Linear', distribution='uniform'),
        dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
    ],
)
