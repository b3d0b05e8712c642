"""As svdd_vit-tiny_masked_fer2013.py, for the detector of muxspace.

Nothing is trained anew: give the checkpoint of svdd_vit-tiny_muxspace.py to
tools/test.py.
"""

_base_ = './svdd_vit-tiny_masked_fer2013.py'

test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            # as the photos of its training are
            dict(type='RandomGrayscale', prob=1.0, keep_channels=True),
            dict(type='Resize', scale=(64, 64), interpolation='area'),
            dict(type='PackInputs'),
        ],
    )
)
