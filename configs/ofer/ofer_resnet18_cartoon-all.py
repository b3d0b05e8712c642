"""As ofer_resnet18_cartoon.py, but all latents are read."""

_base_ = './ofer_resnet18_cartoon.py'

model = dict(head=dict(selector=dict(mode='all')))
