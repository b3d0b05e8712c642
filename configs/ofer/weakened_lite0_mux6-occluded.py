"""weakened_lite0_mux6.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No training has seen these occluders.
"""

_base_ = './weakened_lite0_mux6.py'

test_dataloader = dict(dataset={{_base_.mux6_pasted_test}})
