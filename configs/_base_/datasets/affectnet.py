"""AffectNet with seven expressions; docs/faces.md shows its files.

For eight give num_classes=8 to the data sets, the data preprocessor and the
head. The test split is not public: val is used.
"""

_base_ = './faces_224px.py'

data_root = 'data/affectnet'
batch_size = 128
num_workers = 2

dataset = dict(type='mmocc.AffectNet', data_root=data_root, release='new')
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(dataset, split='train'),
)
val_dataloader = dict(
    num_workers=num_workers, dataset=dict(dataset, split='val')
)
test_dataloader = val_dataloader
