"""SSD512 with VGG-16 on COCO, smooth-L1 of deltas."""

_base_ = 'mmdet::ssd/ssd512_coco.py'
custom_imports = dict(imports=['mmocc'], allow_failed_imports=False)

# mmdet's training loss, and a head that can predict as well.
model = dict(bbox_head=dict(type='mmocc.SSDIoUHead'))
# Without clipping SSD's gradients explode now and then.
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
