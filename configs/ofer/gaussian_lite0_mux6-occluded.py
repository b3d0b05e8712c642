"""gaussian_lite0_mux6.py, tested on occluded faces.

Give its checkpoint to tools/test.py. The detector never saw these occluders.
"""

_base_ = './gaussian_lite0_mux6.py'

test_dataloader = dict(dataset={{_base_.mux6_pasted_test}})
