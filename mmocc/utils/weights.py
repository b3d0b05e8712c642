"""Check the weights that the frozen parts of a model start from."""

import logging

from mmengine.logging import print_log
from torch import Tensor

PRETRAINED = "give it init_cfg=dict(type='Pretrained', checkpoint=...)"


def warn_random(
    model: str, part: str, effect: str, remedy: str = PRETRAINED
) -> None:
    """Warn that ``part`` of a model still has random weights.

    ``effect`` says what follows, ``remedy`` what to do.
    """
    print_log(
        f'{model}: no checkpoint of {part} was loaded, so {effect}; {remedy}',
        logger='current',
        level=logging.WARNING,
    )


def check_frozen(
    own: dict[str, Tensor], loaded: dict[str, Tensor], what: str, parts: str
) -> None:
    """Raise ValueError if a checkpoint lacks or misfits a frozen tensor.

    ``own`` are the model's frozen tensors by name, ``loaded`` the
    checkpoint's; ``what`` is frozen and its ``parts`` are for the message.
    """
    faults = []
    for name, tensor in own.items():
        if name not in loaded:
            if not name.endswith('num_batches_tracked'):
                faults.append(f'{name} is missing')
        elif loaded[name].shape != tensor.shape:
            faults.append(
                f'{name} is {tuple(loaded[name].shape)}, the model has '
                f'{tuple(tensor.shape)}'
            )
    if faults:
        raise ValueError(
            f'the checkpoint does not fit the frozen {what}: {faults[0]}'
            f' (and {len(faults) - 1} more); load_from must be a checkpoint '
            f'of the same {parts}, trained on the same classes'
        )
