"""svdd_vit-tiny_muxspace.py, tested on photos of really masked people.

Give its checkpoint to tools/test.py.
"""

_base_ = './svdd_vit-tiny_masked_fer2013.py'

test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            # like the photos of its training
            dict(type='RandomGrayscale', prob=1.0, keep_channels=True),
            dict(type='Resize', scale=(64, 64), interpolation='area'),
            dict(type='PackInputs'),
        ],
    )
)
