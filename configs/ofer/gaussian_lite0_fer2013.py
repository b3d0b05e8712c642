"""gaussian_lite0_cartoon.py on FER2013: occluded patches of photos.

The test takes clean faces: ``patch/flagged`` is the share of false alarms.
``-occluded`` pastes kinds of occluders on them that the detector never saw.
"""

_base_ = [
    './gaussian_lite0_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

train_dataloader = dict(dataset={{_base_.fer2013_clean_train}})
val_dataloader = dict(dataset={{_base_.fer2013_pasted_val}})
test_dataloader = dict(dataset={{_base_.fer2013_test}})
