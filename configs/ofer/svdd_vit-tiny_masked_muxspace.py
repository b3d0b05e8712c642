"""As svdd_vit-tiny_muxspace.py, tested on photos of really masked people.

Nothing is trained anew: give its checkpoint to tools/test.py. Which patches a
mask covers is not known; ``patch/flagged_1`` is the share of patches that are
flagged on masked people, ``patch/flagged_0`` that on others.
"""

_base_ = './svdd_vit-tiny_muxspace.py'

# ------------------------------------------------ things you will change
data_root = 'data/face_mask'

# ------------------------------------------------- things you may change
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmocc.FaceFolder',
        data_root=data_root,
        classes=('without_mask', 'with_mask'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            # as the faces of training are
            dict(type='RandomGrayscale', prob=1.0, keep_channels=True),
            dict(type='Resize', scale=(64, 64), interpolation='area'),
            dict(type='PackInputs'),
        ],
    )
)
test_evaluator = [dict(type='mmocc.PatchOcclusionMetric', group_by='gt_label')]
