"""Pascal VOC 2007 images of a single class, for localization.

Written by ``python tools/dataset_converters/download_voc.py``. Labels come
from the lists of each class in ``ImageSets/Main``; only the test opens the
annotations, which hold the boxes.
"""

_base_ = './wsol_224.py'

data_root = 'data/VOCdevkit/VOC2007'

data_preprocessor = dict(num_classes=20)
train_dataloader = dict(
    dataset=dict(layout='voc', data_root=data_root, split='trainval')
)
test_dataloader = dict(
    dataset=dict(layout='voc', data_root=data_root, split='test')
)
val_dataloader = test_dataloader
