"""A classifier with hand-set weights that sees colours, and images for it.

Each image is grey noise with one rectangle in the colour of its class. The
network's two features are how much redder, and how much bluer, a place is
than grey; so maps, boxes and scores are known.
"""

import numpy as np
import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from PIL import Image
from torch import nn

SIZES = ((64, 64), (64, 96), (300, 500), (120, 80))  # (h, w)


def box_of(index):
    """Return the box of an image, xyxy: an eighth of its area, off centre."""
    h, w = SIZES[index % len(SIZES)]
    return [w // 2, h // 4, w // 2 + 3 * w // 8, h // 4 + h // 2]


def draw(index):
    """Return an image (h, w, 3) uint8 RGB; even ones red, odd ones blue."""
    rng = np.random.default_rng(index)
    image = rng.integers(90, 110, (*SIZES[index % len(SIZES)], 1), np.uint8)
    image = image.repeat(3, axis=2)
    x1, y1, x2, y2 = box_of(index)
    image[y1:y2, x1:x2] = [(230, 20, 20), (20, 20, 230)][index % 2]
    return image


@MODELS.register_module(force=True)
class ColourBackbone(BaseModule):
    """Two convolutions with ReLU and max-pooling, as in the first networks."""

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.features = nn.Sequential(
            nn.Conv2d(3, 2, 1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(2, 2, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )

    def forward(self, x):
        return (self.features(x),)


CONFIG = """
custom_imports = dict(imports=['toy_localizer'])
default_scope = 'mmpretrain'
data_preprocessor = dict(
    num_classes=2, mean=[100.0] * 3, std=[50.0] * 3, to_rgb=True
)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ColourBackbone'),
    {head}
)
data = dict(
    type='mmocc.WSOLDataset',
    layout='metadata',
    data_root='colours',
    split='test',
)
load = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
]
test_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data,
        with_boxes=True,
        classes=['red kite, Milvus', 'blue tit'],
        pipeline=[*load, dict(type='PackInputs')],
    ),
)
test_evaluator = dict(type='Accuracy', topk=1)
test_cfg = dict()
val_dataloader = test_dataloader
val_evaluator, val_cfg = test_evaluator, test_cfg
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        data,
        pipeline=[
            *load,
            dict(
                type='mmocc.HideAndSeek',
                grid_sizes=(16,), fill=(255, 0, 255), keep_mask=True,
            ),
            dict(type='PackInputs'),
        ],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
)
default_hooks = dict(
    visualization=dict(type='mmocc.LocalizationVisualizationHook', interval=2)
)
work_dir = 'work'
"""
CAM_HEAD = "head=dict(type='mmocc.CAMHead', num_classes=2, in_channels=2),"
PLAIN_HEAD = """neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=2),"""


def write_weights(path, gain=1.0):
    """Save a checkpoint: feature 0 is red, feature 1 is blue."""
    net = ColourBackbone()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.features[0].weight[:, :, 0, 0] = torch.tensor(
            [[1.0, -0.5, -0.5], [-0.5, -0.5, 1.0]]
        )
        net.features[0].bias -= 0.5  # noise does not fire
        net.features[3].weight[[0, 1], [0, 1], 1, 1] = 1.0
    state = {f'backbone.{k}': v for k, v in net.state_dict().items()}
    state['head.fc.weight'] = gain * torch.eye(2)
    state['head.fc.bias'] = torch.zeros(2)
    torch.save(dict(state_dict=state), path)


def write(folder, count=4):
    """Write images, ``cam.py``, ``plain.py`` and ``weights.pth``."""
    metadata = folder / 'metadata' / 'test'
    metadata.mkdir(parents=True)
    (folder / 'colours').mkdir()
    lines = {'image_ids': [], 'class_labels': [], 'localization': []}
    for index in range(count):
        name = f'{index}_bird.png'
        Image.fromarray(draw(index)).save(folder / 'colours' / name)
        box = ','.join(str(value) for value in box_of(index))
        lines['image_ids'].append(name)
        lines['class_labels'].append(f'{name},{index % 2}')
        lines['localization'].append(f'{name},{box}')
    for name, rows in lines.items():
        (metadata / f'{name}.txt').write_text('\n'.join(rows) + '\n')
    for name, head in (('cam', CAM_HEAD), ('plain', PLAIN_HEAD)):
        (folder / f'{name}.py').write_text(CONFIG.replace('{head}', head))
    write_weights(folder / 'weights.pth')
