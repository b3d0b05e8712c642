"""CutMix as a rival of Hide-and-Seek: ResNet-50 on CUB-200-2011."""

_base_ = './resnet50_cam_cub.py'

# In each step, as clovaai/wsolevaluation by default
model = dict(
    train_cfg=dict(augments=dict(type='CutMix', alpha=1.0)),
)
