"""SSD512 with VGG-16 on PASCAL VOC 07+12, EIoU of boxes."""

_base_ = './ssd512_l1_voc0712.py'

model = dict(
    bbox_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.EIoULoss', loss_weight=10.0),
    )
)
