"""Runs that would train nothing stop before they begin."""

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader

from mmocc.utils import cli
from mmocc.utils.checked_runner import check_batches


def check(images, drop_last=True, sampler=DefaultSampler):
    data = list(range(images))
    order = sampler(data)
    check_batches(DataLoader(data, 8, sampler=order, drop_last=drop_last))


def test_fewer_images_than_a_batch_are_refused():
    with pytest.raises(ValueError, match='5 images are fewer than a batch'):
        check(5)
    with pytest.raises(ValueError, match=r'dataloader\.batch_size to 2'):
        check(5)
    with pytest.raises(ValueError, match='batch norm need two'):
        check(1)
    with pytest.raises(ValueError, match='classes are spelt as in'):
        check(0, drop_last=False)


def test_what_trains_is_let_through():
    check(8)
    check(5, drop_last=False)
    check(5, sampler=InfiniteSampler)  # it goes round until a batch is full


@MODELS.register_module(force=True)
class Weight(BaseModel):
    """A model of one number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.weight * len(inputs))


def test_the_commands_stop_before_a_schedule_is_counted(tmp_path):
    plan = dict(type='CosineAnnealingLR', T_max=1, convert_to_iter_based=True)
    cfg = Config(
        dict(
            work_dir=str(tmp_path),
            experiment_name='too_few',
            model=dict(type='Weight'),
            train_dataloader=dict(
                dataset=[dict(inputs=torch.ones(1))] * 3,
                sampler=dict(type='DefaultSampler', shuffle=True),
                batch_size=4,
                drop_last=True,
            ),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            param_scheduler=[plan],
        )
    )
    runner = cli.build_runner(cfg)
    with pytest.raises(ValueError, match='3 images are fewer than a batch'):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))
