"""Stage 2 of DEA as in the paper: the fully connected decoder.

77,617,152 parameters; RoIAlign 5x5, every map lifted to 1024 channels. See
dea_conv_ornament.py for the rest.
"""

_base_ = './dea_conv_ornament.py'

model = dict(
    roi_extractor=dict(out_channels=1024, output_size=5, sampling_ratio=2),
    decoder=dict(_delete_=True, type='mmocc.FCDecoder', in_channels=1024),
)
