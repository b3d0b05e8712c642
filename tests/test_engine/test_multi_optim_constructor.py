"""One optimizer for each part of a model."""

import pytest
import torch
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

import mmocc.utils.amp  # registers CPUAmpOptimWrapper

TYPE = 'mmocc.MultiOptimWrapperConstructor'
PARTS = dict(a=dict(type='SGD', lr=0.1), b=dict(type='Adam', lr=0.01))


def model():
    parts = dict(a=nn.Linear(2, 3), b=nn.Linear(2, 2), c=nn.Linear(1, 1))
    parts['c'].requires_grad_(False)
    return nn.ModuleDict(parts)


def build(parts=PARTS, **kwargs):
    cfg = dict(constructor=TYPE, parts=parts, **kwargs)
    return build_optim_wrapper(model(), cfg)


def test_each_part_is_stepped_by_its_own_optimizer():
    net = model()
    wrapper = build_optim_wrapper(net, dict(constructor=TYPE, parts=PARTS))
    assert isinstance(wrapper, OptimWrapperDict)
    kinds = {k: type(w.optimizer) for k, w in wrapper.items()}
    assert kinds == dict(a=torch.optim.SGD, b=torch.optim.Adam)
    before = {k: v.clone() for k, v in net.named_parameters()}
    loss = sum(net[k](torch.ones(1, 2)).sum() for k in 'ab')
    wrapper['a'].update_params(loss)
    changed = {
        k for k, v in net.named_parameters() if not torch.equal(v, before[k])
    }
    assert changed == {'a.weight', 'a.bias'}


def test_other_settings_apply_to_all_parts():
    wrapper = build(
        type='CPUAmpOptimWrapper',
        clip_grad=dict(max_norm=2.0),
        accumulative_counts=3,
        paramwise_cfg=dict(bias_lr_mult=10),
    )
    for part in wrapper.values():
        assert isinstance(part, mmocc.utils.amp.CPUAmpOptimWrapper)
        assert part.clip_grad_kwargs == dict(max_norm=2.0)
        assert part._accumulative_counts == 3
        rates = {group['lr'] for group in part.param_groups}
        assert len(rates) == 2
        assert max(rates) == pytest.approx(10 * min(rates))


@pytest.mark.parametrize(
    ('parts', 'message'),
    [
        (None, r'needs optim_wrapper\.parts'),
        (dict(PARTS, d=PARTS['a']), r"no \['d'\]"),
        (dict(a=PARTS['a']), r"also trains \['b'\]"),
    ],
)
def test_parts_that_do_not_fit_the_model_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        build(parts)
