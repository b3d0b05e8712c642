"""Beyond the paper: without pooling, and a gate keeps what is intact."""

_base_ = './efficientnet-lite0_voc12.py'

# ------------------------------------------------- things you may change
model = dict(
    neck=[
        dict(type='mmocc.LEARN', in_channels=1280, pool='none', gate=True),
        dict(type='GlobalAveragePooling'),
    ],
)
