"""gaussian_lite0_mux6.py, tested on photos of really masked people.

Give its checkpoint to tools/test.py. The patches that a mask covers are
unknown; ``patch/flagged_1`` is the share of flagged patches on masked people,
``patch/flagged_0`` that on others.
"""

_base_ = './gaussian_lite0_mux6.py'

# ------------------------------------------------ things you will change
data_root = 'data/face_mask'

# ------------------------------------------------- things you may change
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmocc.FaceFolder',
        data_root=data_root,
        classes=('without_mask', 'with_mask'),
        pipeline={{_base_.mux6_test.pipeline}},
    )
)
test_evaluator = [dict(type='mmocc.PatchOcclusionMetric', group_by='gt_label')]
