"""gaussian_lite0_faces.py, tested on occluded faces.

Give its checkpoint to tools/test.py. The detector never saw these occluders.
"""

_base_ = './gaussian_lite0_faces.py'

test_dataloader = dict(
    dataset=dict(pipeline={{_base_.occluded_test_pipeline}})
)
