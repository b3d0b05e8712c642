"""Mixed precision on a CPU, where mmengine and the hosts leave gaps.

Known fault of torch 2.11 with oneDNN: in bfloat16, the weight gradient of a
stride-2 convolution of a 1x1 map is wrong, and often not finite.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import autocast
from mmengine.structures import BaseDataElement
from torch import nn


def amp_pays() -> bool:
    """Say whether mixed precision is fast here: GPU, AMX or AVX512-BF16."""
    names = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')
    checks = [getattr(torch.cpu, name, lambda: False) for name in names]
    return torch.cuda.is_available() or any(check() for check in checks)


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Train in bfloat16 autocast on a CPU, without a loss scale.

    mmengine's ``AmpOptimWrapper`` refuses to run without an accelerator.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass of ``model`` in autocast."""
        bfloat16 = autocast(device_type='cpu', dtype=torch.bfloat16)
        with super().optim_context(model), bfloat16:
            yield

    def load_state_dict(self, state_dict: dict) -> None:
        """Resume; the loss scale of a run on a GPU is not needed."""
        state_dict.pop('loss_scaler', None)
        super().load_state_dict(state_dict)


def predict_in_float32(model: nn.Module) -> None:
    """Make ``model``, perhaps wrapped, return float32 instead of bfloat16.

    The hosts turn predictions into NumPy arrays, which cannot hold bfloat16.
    """
    while isinstance(getattr(model, 'module', None), nn.Module):
        model = model.module
    model.register_forward_hook(_cast_samples)


def _cast_samples(module: nn.Module, inputs: tuple, outputs: Any) -> None:
    """Cast the data samples that a forward pass returns, in place."""
    if isinstance(outputs, list | tuple):
        for sample in outputs:
            if isinstance(sample, BaseDataElement):
                _cast(sample)


def _cast(sample: BaseDataElement) -> None:
    """Cast the bfloat16 tensors of a data sample, nested ones too."""
    for name, value in sample.items():
        if isinstance(value, BaseDataElement):
            _cast(value)
        elif getattr(value, 'dtype', None) == torch.bfloat16:
            sample.set_field(value.float(), name)
