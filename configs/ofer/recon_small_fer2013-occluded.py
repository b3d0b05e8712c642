"""recon_small_fer2013.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No stage has seen these occluders.
"""

_base_ = './recon_small_fer2013.py'

test_dataloader = dict(dataset={{_base_.fer2013_compared_test}})
