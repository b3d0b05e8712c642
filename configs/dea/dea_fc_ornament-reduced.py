"""Stage 2 of DEA for a CPU, with a small fully connected decoder.

The paper's layers at a fraction of their widths: 4,855,296 parameters. See
dea_conv_ornament-reduced.py for the rest.
"""

_base_ = './dea_conv_ornament-reduced.py'

model = dict(
    roi_extractor=dict(out_channels=256, output_size=5, sampling_ratio=2),
    decoder=dict(
        _delete_=True,
        type='mmocc.FCDecoder',
        in_channels=256,
        hidden=(512, 1024),
        size=64,
    ),
)
