"""An expression network on clean faces of FER2013, for stage 3."""

_base_ = [
    './expression_resnet18_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

train_dataloader = dict(dataset={{_base_.fer2013_train}})
val_dataloader = dict(dataset={{_base_.fer2013_val}})
test_dataloader = dict(dataset={{_base_.fer2013_test}})
