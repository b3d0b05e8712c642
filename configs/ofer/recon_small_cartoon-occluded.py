"""recon_small_cartoon.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No stage has seen these occluders.
"""

_base_ = './recon_small_cartoon.py'

test_dataloader = dict(
    dataset=dict(pipeline={{_base_.occluded_test_pipeline}})
)
