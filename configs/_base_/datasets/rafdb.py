"""RAF-DB (basic), seven expressions; docs/faces.md shows its files.

It has no validation split: validation uses the test split, so do not choose an
epoch by it.
"""

_base_ = './faces_224px.py'

data_root = 'data/raf-basic'
batch_size = 128
num_workers = 2
# Eyes, nose and corners of the mouth as shares of the picture, by the usual
# proportions of an aligned face, since RAF-DB has none. Check your pictures.
rafdb_landmarks = [
    (0.32, 0.38),
    (0.68, 0.38),
    (0.50, 0.58),
    (0.36, 0.76),
    (0.64, 0.76),
]

dataset = dict(type='mmocc.RAFDB', data_root=data_root)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(dataset, split='train'),
)
val_dataloader = dict(
    num_workers=num_workers, dataset=dict(dataset, split='test')
)
test_dataloader = val_dataloader
