"""As ofer_resnet18_cartoon.py, but no latents are read: CNN features only."""

_base_ = './ofer_resnet18_cartoon.py'

model = dict(head=dict(selector=None, readout=None))
