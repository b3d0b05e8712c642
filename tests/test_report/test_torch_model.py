"""What tells a torch module from another, and how it is put to work."""

import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from torch import nn

from mmocc.report.torch_model import (
    LogitsModel,
    TorchJob,
    left_as_it_was,
    module_parts,
)

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def small_net(seed: int) -> nn.Module:
    """Return a small CNN of random weights, in eval mode."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 2),
    )
    return net.eval()


def frozen(net: nn.Module) -> nn.Module:
    """Return a frozen script, whose weights are constants."""
    return torch.jit.freeze(torch.jit.trace(net, IMAGES))


def exported(net: nn.Module) -> nn.Module:
    """Return what torch.export makes of a module."""
    return torch.export.export(net, (IMAGES,)).module()


class WithTable(nn.Module):
    """Has a buffer that state dicts lack."""

    def __init__(self, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        table = torch.rand(3, generator=generator)
        self.register_buffer('table', table, persistent=False)


def quantized(seed: int) -> nn.Module:
    """Return a layer whose weights are int8."""
    torch.manual_seed(seed)
    return torch.ao.quantization.quantize_dynamic(
        nn.Sequential(nn.Linear(4, 2))
    )


FORMS = {
    'plain': small_net,
    'traced': lambda seed: torch.jit.trace(small_net(seed), IMAGES),
    'scripted': lambda seed: torch.jit.script(small_net(seed)),
    'frozen': lambda seed: frozen(small_net(seed)),
    'inside': lambda seed: nn.Sequential(frozen(small_net(seed))),
    'exported': lambda seed: exported(small_net(seed)),
    'buffer': WithTable,
    'quantized': quantized,
}
pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning')


@pytest.mark.parametrize('form', FORMS)
def test_weights_are_told_by_content(form):
    one, same, other = (
        module_parts(FORMS[form](seed))['the weights'] for seed in (0, 0, 1)
    )
    assert one == same != other


def test_another_process_finds_the_same_digests():
    code = (
        'import sys; sys.path[:0] = ["tests", "tests/test_report"];'
        'from test_torch_model import FORMS, module_parts;'
        '[print(module_parts(FORMS[form](0))["the weights"]) for form in '
        '("frozen", "quantized")]'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
    )
    here = [
        module_parts(FORMS[form](0))['the weights']
        for form in ('frozen', 'quantized')
    ]
    assert done.stdout.split() == here, done.stderr


def test_a_script_that_cannot_be_saved_is_never_the_same(monkeypatch):
    def refuse(*_):
        raise RuntimeError('opaque tensors')

    script = frozen(small_net(0))
    monkeypatch.setattr(type(script), 'save_to_buffer', refuse)
    one, other = (module_parts(script)['the weights'] for _ in range(2))
    assert one != other


@pytest.mark.parametrize('form', ['traced', 'frozen', 'exported'])
def test_compiled_modules_answer_and_are_given_back(form):
    module = FORMS[form](0)
    job = TorchJob.__new__(TorchJob)
    job.name, job.module, job.model = 'a', module, None
    job.settings = type('Settings', (), dict(device='cpu'))
    with left_as_it_was([module]):
        model = job.ready()
        assert isinstance(model, LogitsModel)
        given = model.module(IMAGES)
    torch.testing.assert_close(given, small_net(0)(IMAGES))
