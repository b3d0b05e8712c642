"""KDEF by subjects, 56 for training and 14 for the test; see docs/faces.md.

Session A and all views, like the list of the Latent-OFER release. The photos
are not aligned: align them first, or replace Resize with
dict(type='mmocc.AlignFace', size=224, detector='my_package.find_points').
"""

_base_ = './faces_224px.py'

data_root = 'data/kdef'
batch_size = 128
num_workers = 2

dataset = dict(type='mmocc.KDEF', data_root=data_root)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(dataset, split='train'),
)
val_dataloader = dict(
    num_workers=num_workers, dataset=dict(dataset, split='test')
)
test_dataloader = val_dataloader
