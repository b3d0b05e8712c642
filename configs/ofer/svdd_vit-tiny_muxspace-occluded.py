"""svdd_vit-tiny_muxspace.py, tested on occluded faces.

Give its checkpoint to tools/test.py. No stage has seen these occluders.
"""

_base_ = './svdd_vit-tiny_muxspace.py'

test_dataloader = dict(dataset={{_base_.muxspace_pasted_test}})
