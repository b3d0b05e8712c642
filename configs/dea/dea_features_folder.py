"""DEA that redraws features of a pretrained trunk; beyond the paper.

For parts in a folder of your own. Pictures are redrawn as well, to look at.
"""

_base_ = './dea_folder.py'

model = dict(
    feature_decoder=dict(
        type='mmocc.FeatureDecoder',
        target_channels=(40, 112),  # of the first two maps
        target_stride=8,
        in_channels=128,
        roi_size=8,
    ),
    judge=dict(scores=('feature', 'pearson'), anomaly_score='feature'),
)
