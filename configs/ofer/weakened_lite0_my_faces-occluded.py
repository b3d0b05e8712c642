"""weakened_lite0_my_faces.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No training has seen these occluders.
"""

_base_ = './weakened_lite0_my_faces.py'

test_dataloader = dict(dataset=dict(pipeline={{_base_.my_occluded_pipeline}}))
