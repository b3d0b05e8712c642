"""Like ofer_resnet18_cartoon.py, with only the features of the CNN."""

_base_ = './ofer_resnet18_cartoon.py'

model = dict(head=dict(selector=None, readout=None))
