"""ResNet-50 with LEARN, tested on occluded images."""

_base_ = './resnet50_in1k.py'

# Hides 20 to 80 % of each image. With a seed, every model sees the same
# occlusions; 'texture' and 'object' need texture_bank and object_bank.
occlude = dict(
    type='mmocc.Occlude',
    kind=('white', 'noise'),
    level=('L1', 'L2', 'L3'),
    seed=0,
)
# After cropping, just before packing. Only for testing: training makes its own
# occlusions, and validation stays clean.
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.test_pipeline[:-1],
            occlude,
            _base_.test_pipeline[-1],
        ]
    )
)
