"""gaussian_lite0_fer2013.py, tested on occluded faces.

Give its checkpoint to tools/test.py. The detector never saw these occluders.
"""

_base_ = './gaussian_lite0_fer2013.py'

test_dataloader = dict(dataset={{_base_.fer2013_pasted_test}})
