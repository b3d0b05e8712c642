"""mmpretrain's MAE of ViT-B/16 for 224 x 224, which predicts pixels.

The published weights predict normalised patches (norm_pix=True), without their
means; here norm_pix is False, and only the last layer must learn again.
"""

mae_patch_size = 16

model = dict(
    type='MAE',
    backbone=dict(
        type='MAEViT',
        arch='b',
        img_size=224,
        patch_size=mae_patch_size,
        mask_ratio=0.75,
    ),
    neck=dict(
        type='MAEPretrainDecoder',
        num_patches=196,
        patch_size=mae_patch_size,
        embed_dim=768,
        decoder_embed_dim=512,
        decoder_depth=8,
        decoder_num_heads=16,
        mlp_ratio=4.0,
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
