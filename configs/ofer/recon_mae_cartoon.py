"""The control of stage 3 of Latent-OFER: reconstruction by the MAE alone.

It trains nothing; test it with the checkpoint of stage 3, which holds the MAE.
"""

_base_ = './recon_small_cartoon.py'

model = dict(
    _delete_=True,
    type='mmocc.MAEReconstructor',
    extractor={{_base_.model.extractor}},
)
