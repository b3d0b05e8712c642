"""Compiled models, and models in another layout, give the same numbers.

With AOTAutograd's eager backend, which needs no compiler: the model is traced
and its graph is run. ``benchmarks/compile.py`` uses the default one.
"""

import copy
import sys

import pytest
import tiny_learn
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch._dynamo.backends.registry import lookup_backend

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import compile as bench


def learn():
    model = Config.fromstring(tiny_learn.config_text(), '.py').model
    return classifier(model), torch.randn(2, 3, 32, 32)


def classifier(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg).eval()


def hide_and_seek():
    name = 'hide_and_seek/resnet18_has-mixed_cifar10'
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    cfg.model.data_preprocessor = cfg.data_preprocessor
    return classifier(cfg.model), torch.randn(2, 3, 32, 32)


def ofer():
    import tiny_ofer

    model = tiny_ofer.build(reconstructor=tiny_ofer.HYBRID).eval()
    return model, tiny_ofer.normalised(model, tiny_ofer.photos(2))


def dea():
    pytest.importorskip('mmdet')
    import toy_dea

    model, data = toy_dea.build().eval(), toy_dea.batch()
    return model, model.data_preprocessor(data, False)['inputs']


MODELS_OF = dict(learn=learn, has=hide_and_seek, ofer=ofer, dea=dea)


@pytest.fixture(autouse=True)
def compiled_anew():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize('name', MODELS_OF)
@torch.no_grad()
def test_a_compiled_forward_gives_the_same_numbers(name):
    model, inputs = MODELS_OF[name]()
    plain = bench.forward_of(name, model)
    graphs = []

    def backend(graph, examples):
        graphs.append(graph)
        return lookup_backend('aot_eager')(graph, examples)

    fast = torch.compile(plain, backend=backend, dynamic=False)
    torch.testing.assert_close(fast(inputs), plain(inputs))
    assert graphs  # or nothing has been compiled
    other = torch.flip(inputs, [3])
    torch.testing.assert_close(fast(other), plain(other))


@pytest.mark.parametrize('name', MODELS_OF)
@torch.no_grad()
def test_channels_last_gives_the_same_numbers(name):
    model, inputs = MODELS_OF[name]()
    turned = copy.deepcopy(model).to(memory_format=torch.channels_last)
    found = bench.forward_of(name, turned)(
        inputs.to(memory_format=torch.channels_last)
    )
    bench.check(found, bench.forward_of(name, model)(inputs))


@pytest.mark.parametrize('name', ['learn', 'has'])
def test_compiled_training_has_the_same_gradients(name):
    model, inputs = MODELS_OF[name]()
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    grads = []
    for way in ('plain', 'compiled'):
        forward = bench.forward_of(name, model)
        if way == 'compiled':
            forward = torch.compile(forward, backend='aot_eager')
        model.zero_grad()
        forward(inputs)[0].square().sum().backward()
        grads.append(
            {
                n: p.grad.clone()
                for n, p in model.named_parameters()
                if p.grad is not None
            }
        )
    assert grads[0] and not frozen & set(grads[0])
    torch.testing.assert_close(grads[1], grads[0])


def test_outputs_that_differ_are_not_timed():
    inputs = torch.ones(2, 3)
    with pytest.raises(AssertionError, match='not close'):
        bench.rivals('a', lambda x: (x,), inputs, lambda x: (x + 0.1,), inputs)
