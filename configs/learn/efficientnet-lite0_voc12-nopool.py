"""LEARN without pooling: each position of the last map has its own latent."""

_base_ = './efficientnet-lite0_voc12.py'

# ------------------------------------------------- things you may change
model = dict(
    neck=[
        dict(type='mmocc.LEARN', in_channels=1280, pool='none'),
        dict(type='GlobalAveragePooling'),
    ],
)
