"""A MAE of a few thousand weights: 32-px images, 4 x 4 patches of 8 pixels."""

import torch
from mmengine.registry import MODELS, DefaultScope

SIZE, PATCH, PATCHES = 32, 8, 16
DIMS, DECODER_DIMS = 24, 16


def mae_config(dims=DIMS, decoder_dims=DECODER_DIMS, depth=2, **head):
    """Return the config of the MAE; ``depth`` is the decoder's."""
    return dict(
        type='mmpretrain.MAE',
        backbone=dict(
            type='mmpretrain.MAEViT',
            arch=dict(
                embed_dims=dims,
                num_layers=2,
                num_heads=2,
                feedforward_channels=2 * dims,
            ),
            img_size=SIZE,
            patch_size=PATCH,
        ),
        neck=dict(
            type='mmpretrain.MAEPretrainDecoder',
            num_patches=PATCHES,
            patch_size=PATCH,
            embed_dim=dims,
            decoder_embed_dim=decoder_dims,
            decoder_depth=depth,
            decoder_num_heads=2,
            mlp_ratio=2,
        ),
        head=dict(
            type='mmpretrain.MAEPretrainHead',
            patch_size=PATCH,
            loss=dict(
                type='mmpretrain.PixelReconstructionLoss', criterion='L2'
            ),
            **head,
        ),
    )


def build_mae(seed=0):
    """Return the MAE with initial weights."""
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        mae = MODELS.build(mae_config())
        mae.init_weights()
    with torch.no_grad():  # like a trained MAE: nothing stays zero
        for parameter in mae.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return mae


def images(number=8, seed=0):
    """Return random normalised images (number, 3, 32, 32)."""
    torch.manual_seed(seed)
    return torch.randn(number, 3, SIZE, SIZE)
