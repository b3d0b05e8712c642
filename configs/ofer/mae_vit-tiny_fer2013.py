"""Stage 1 of Latent-OFER on FER2013: a small MAE, as for cartoon faces.

About 5 minutes on one core.
"""

_base_ = [
    './mae_vit-tiny_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

train_dataloader = dict(dataset={{_base_.fer2013_train}})
