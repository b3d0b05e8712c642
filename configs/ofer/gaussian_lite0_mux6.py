"""gaussian_lite0_cartoon.py on photos of faces_mux6: occluded patches.

The test takes clean faces of people that no training has seen:
``patch/flagged`` is the share of false alarms. ``-occluded`` pastes unseen
kinds of occluders on them. Validation pastes on faces of training, and
chooses nothing.
"""

_base_ = [
    './gaussian_lite0_cartoon.py',
    '../_base_/datasets/mux6_occluded.py',
]

train_dataloader = dict(dataset={{_base_.mux6_train}})
val_dataloader = dict(dataset={{_base_.mux6_pasted_val}})
test_dataloader = dict(dataset={{_base_.mux6_test}})
