"""What stage 3 of Latent-OFER is held against: the MAE's own redrawing.

Nothing is trained; test it with stage 3's checkpoint, which holds the MAE.
"""

_base_ = './recon_small_cartoon.py'

model = dict(
    _delete_=True,
    type='mmocc.MAEReconstructor',
    extractor={{_base_.model.extractor}},
)
