"""PCA of 64-pixel images; with 0 components, the mean image."""

model = dict(
    type='mmocc.PCAImage',
    components=16,
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
    ),
)
