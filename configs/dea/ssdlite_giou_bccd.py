"""SSDLite with half a MobileNetV2 on BCCD, GIoU of boxes."""

_base_ = './ssdlite_l1_bccd.py'

model = dict(
    bbox_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.GIoULoss', loss_weight=2.0),
    )
)
