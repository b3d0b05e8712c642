"""SSD300 with VGG-16 on PASCAL VOC 07+12, GIoU of boxes."""

_base_ = './ssd300_l1_voc0712.py'

model = dict(
    bbox_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.GIoULoss', loss_weight=10.0),
    )
)
