"""ILSVRC 2012 (ImageNet-1k) for localization: training on labels alone.

``docs/localization.md`` says where it goes. Boxes of the validation images are
in the XML files of the challenge's localization task; a list or a metadata
folder does as well.
"""

_base_ = './wsol_224.py'

data_root = 'data/imagenet'

data_preprocessor = dict(num_classes=1000)
train_dataloader = dict(
    dataset=dict(layout='ilsvrc', data_root=data_root, split='train')
)
test_dataloader = dict(
    dataset=dict(layout='ilsvrc', data_root=data_root, split='val')
)
val_dataloader = test_dataloader
