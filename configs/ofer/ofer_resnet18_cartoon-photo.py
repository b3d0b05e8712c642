"""As ofer_resnet18_cartoon.py, but the photos are not redrawn."""

_base_ = './ofer_resnet18_cartoon.py'

# Without a detector nothing is masked: latents are those of the photo.
model = dict(
    detector=None,
    reconstructor=None,
    cache='work_dirs/ofer_cache/cartoon-photo',
)
test_evaluator = {{_base_.val_evaluator}}
