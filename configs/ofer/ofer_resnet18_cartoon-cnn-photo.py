"""Like ofer_resnet18_cartoon-cnn.py, without reconstruction."""

_base_ = './ofer_resnet18_cartoon-cnn.py'

model = dict(extractor=None, detector=None, reconstructor=None, cache=None)
test_evaluator = {{_base_.val_evaluator}}
