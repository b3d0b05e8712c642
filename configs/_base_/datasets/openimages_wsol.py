"""OpenImages30k for localization: training on labels, masks for the test.

Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right"
(CVPR 2020): 29,819 training, 2,500 validation and 5,000 test images of 100
classes. Its scores are PxAP, of pixels. The lists are those of
clovaai/wsolevaluation; ``docs/localization.md`` says where all goes.
"""

_base_ = './wsol_224.py'

data_root = 'data/OpenImages'
metadata = 'metadata/OpenImages'

dataset = dict(
    layout='metadata',
    data_root=data_root,
    layout_args=dict(metadata=metadata),
)
data_preprocessor = dict(num_classes=100)
train_dataloader = dict(dataset=dict(dataset, split='train'))
# The masks lie beside the images.
val_dataloader = dict(dataset=dict(dataset, split='val'))
test_dataloader = dict(dataset=dict(dataset, split='test'))
val_evaluator = [
    dict(type='Accuracy'),
    dict(type='mmocc.PxAP'),
    # Again, with the maps' cells where the network sees them:
    dict(type='mmocc.PxAP', align='receptive_field'),
]
test_evaluator = val_evaluator
