"""CUB-200-2011 for localization: training on labels alone.

``docs/localization.md`` says where it goes.
"""

_base_ = './wsol_224.py'

data_root = 'data/CUB_200_2011'

data_preprocessor = dict(num_classes=200)
train_dataloader = dict(
    dataset=dict(layout='cub', data_root=data_root, split='train')
)
test_dataloader = dict(
    dataset=dict(layout='cub', data_root=data_root, split='test')
)
val_dataloader = test_dataloader
