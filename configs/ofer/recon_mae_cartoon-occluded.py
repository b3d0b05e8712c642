"""recon_mae_cartoon.py, tested on occluded faces.

Give the checkpoint of stage 3 to tools/test.py. No stage has seen these
occluders.
"""

_base_ = './recon_mae_cartoon.py'

test_dataloader = dict(
    dataset=dict(pipeline={{_base_.occluded_test_pipeline}})
)
