"""Like ofer_resnet18_cartoon.py, but class activation maps select."""

_base_ = './ofer_resnet18_cartoon.py'

model = dict(head=dict(keys='cam'))
