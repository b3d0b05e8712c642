"""EfficientNet-Lite0, frozen and weakened where a detector finds something.

The head, a perceptron, is all that learns. Images must have a mean of 127 and
a standard deviation of 128, RGB.
"""

model = dict(
    type='mmocc.WeakenedFeatureClassifier',
    backbone=dict(
        type='mmocc.EfficientNetLite',
        out_indices=(1, 2, 3, 4, 6),
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    detector=dict(
        type='mmocc.PatchGaussian',
        backbone=dict(
            type='mmocc.EfficientNetLite',
            out_indices=(1, 2, 3, 4),
            init_cfg=dict(
                type='mmocc.PackagedWeights', name='efficientnet-lite0'
            ),
        ),
        grid=(8, 8),
        size=128,
        dims=64,
        smooth=0.6,
        nu=0.05,
        keep_folds=True,
    ),
    grid=(8, 8),
    size=128,
    head=dict(
        type='StackedLinearClsHead',
        num_classes=7,
        mid_channels=[64],
        dropout_rate=0.5,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
        ),
        topk=(1,),
    ),
)
