"""Like ofer_resnet18_cartoon.py, but it reads all latents."""

_base_ = './ofer_resnet18_cartoon.py'

model = dict(head=dict(selector=dict(mode='all')))
