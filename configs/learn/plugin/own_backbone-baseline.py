"""Your own classifier, trained on clean images; it knows nothing of LEARN.

The backbone lives in my_backbone.py beside this file. Say where Python finds
it, or install it with your project:

PYTHONPATH=configs/learn/plugin python tools/train.py THIS_FILE
"""

_base_ = ['../resnet18_cifar10-baseline.py']
custom_imports = dict(
    imports=['mmocc', 'my_backbone'], allow_failed_imports=False
)

model = dict(
    backbone=dict(
        _delete_=True,  # the ResNet's settings
        type='MyBackbone',
        channels=(32, 64, 128),
    ),
    head=dict(in_channels=128),
)
