"""Like ofer_resnet18_cartoon-all.py, without reconstruction."""

_base_ = './ofer_resnet18_cartoon-all.py'

# Without a detector nothing is hidden: latents are those of the photo.
model = dict(
    detector=None,
    reconstructor=None,
    cache='work_dirs/ofer_cache/cartoon-photo',
)
test_evaluator = {{_base_.val_evaluator}}
