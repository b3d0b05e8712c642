"""A run's checkpoint is put in order, and refused if it fills too little."""

import copy

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmocc.engine import CheckWeightsHook
from mmocc.utils.state_dicts import CheckpointError


class Model(BaseModel):
    """A backbone and a head that learn nothing."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)

    def forward(self, inputs, mode):
        return dict(loss=self.head(self.backbone(inputs)).sum())

    def train_step(self, data, optim_wrapper):
        optim_wrapper.update_params(loss := self(data, 'loss')['loss'])
        return dict(loss=loss)


@pytest.fixture
def start(tmp_path):
    """Return a function that makes a runner which starts from a file."""

    def make(content, whole=False, resume=False, hooks=()):
        path = tmp_path / 'start.pth'
        torch.save(content, path)
        runner = Runner(
            Model(),
            str(tmp_path),
            train_dataloader=DataLoader(torch.ones(2, 2)),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            load_from=str(path),
            resume=resume,
            custom_hooks=list(hooks),
            experiment_name=f'{tmp_path.name}{id(content)}',
        )
        runner.register_hook(CheckWeightsHook(whole))
        return runner

    return make


def state(seed=1):
    torch.manual_seed(seed)
    return Model().state_dict()


def test_names_are_put_in_order_for_mmengine(start):
    wrapped = {f'module.{name}': value for name, value in state().items()}
    for content in (state(), dict(model=wrapped)):
        runner = start(content, whole=True)
        runner.load_or_resume()
        for name, value in runner.model.state_dict().items():
            assert torch.equal(value, state()[name])


def test_a_test_needs_all_and_a_training_a_part(start):
    part = {k: v for k, v in state().items() if k.startswith('backbone')}
    runner = start(dict(state_dict=part))
    runner.load_or_resume()
    loaded = runner.model.state_dict()
    assert torch.equal(loaded['backbone.weight'], part['backbone.weight'])
    with pytest.raises(CheckpointError, match=r'2 of 4 .*head\.weight'):
        start(dict(state_dict=part), whole=True).load_or_resume()
    other = dict(state_dict={'other.weight': torch.ones(1)})
    with pytest.raises(CheckpointError, match='fills no parameter'):
        start(other).load_or_resume()


def test_weights_alone_cannot_be_resumed(start):
    with pytest.raises(CheckpointError, match='load_from=PATH'):
        start(dict(state_dict=state()), resume=True).load_or_resume()


def test_a_run_with_a_moving_average_resumes_both(start, tmp_path):
    ema = dict(type=EMAHook, momentum=0.5)
    start(state(), hooks=[copy.deepcopy(ema)]).train()
    stored = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    averaged, raw = stored['state_dict'], stored['ema_state_dict']
    runner = start(stored, resume=True, hooks=[copy.deepcopy(ema)])
    runner.train()  # nothing is left to train
    weight = 'backbone.weight'
    assert not torch.equal(averaged[weight], raw[f'module.{weight}'])
    assert torch.equal(
        runner.model.state_dict()[weight], raw[f'module.{weight}']
    )
