"""The baseline of Hide-and-Seek: CAM with half a ResNet-18 on CIFAR-10.

There are no boxes: only classification is measured.
"""

_base_ = '../learn/resnet18_cifar10-baseline.py'

# ------------------------------------------------- things you may change
model = dict(neck=None, head=dict(type='mmocc.CAMHead'))
