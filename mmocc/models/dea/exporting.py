"""Whether a network is being exported, so that nothing may depend on data.

A trace keeps the branch that its example took, and the number of turns of a
loop: code that depends on the number of objects must then take another way.
"""

import torch


def is_exporting() -> bool:
    """Return whether torch traces, for TorchScript, ONNX or torch.export."""
    exports = getattr(torch.compiler, 'is_exporting', lambda: False)
    return torch.jit.is_tracing() or exports()
