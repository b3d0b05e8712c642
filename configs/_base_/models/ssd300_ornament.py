"""SSD300 with DIoU for 200 ornaments, from scratch.

Pretrained weights would know photos, not binarised pages.
"""

_base_ = 'mmdet::_base_/models/ssd300.py'

model = dict(
    backbone=dict(init_cfg=None),
    bbox_head=dict(
        type='mmocc.SSDIoUHead',
        num_classes=200,
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.DIoULoss', loss_weight=10.0),
    ),
)
