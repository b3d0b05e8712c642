"""ofer_resnet18_fer2013.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No stage has seen these occluders.
"""

_base_ = './ofer_resnet18_fer2013.py'

test_dataloader = dict(dataset={{_base_.fer2013_pasted_test}})
