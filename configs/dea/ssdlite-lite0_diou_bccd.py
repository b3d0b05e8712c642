"""SSDLite on a pretrained EfficientNet-Lite0: a config to copy for own data.

Blood cells (https://github.com/Shenggan/BCCD_Dataset), in the layout of VOC.
"""

_base_ = '../_base_/ssdlite_lite0.py'

data = dict(
    type='VOCDataset',
    data_root='data/bccd',
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
    data_prefix=dict(sub_data_root=''),
)
train = dict(data, ann_file='ImageSets/Main/trainval.txt')
test = dict(data, ann_file='ImageSets/Main/test.txt')
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)
model = dict(bbox_head=dict(num_classes=3))
