"""Fill a model with weights, and say what they do not fill."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmocc.utils.files import note
from mmocc.utils.hosts import usable
from mmocc.utils.state_dicts import COUNTERS, CheckpointError, named_as

MISFIT = re.compile(
    r'size mismatch for (\S+): .*?(\[[\d, ]*\]).*?(\[[\d, ]*\])'
)
PRETRAINED = "give it init_cfg=dict(type='Pretrained', checkpoint=...)"


def warn_random(
    model: str, part: str, effect: str, remedy: str = PRETRAINED
) -> None:
    """Warn that ``part`` of a model still has random weights.

    ``effect`` says what follows, ``remedy`` what to do.
    """
    note(
        f'{model}: no checkpoint of {part} was loaded, so {effect}; {remedy}',
    )


def check_frozen(
    own: dict[str, Tensor], loaded: dict[str, Tensor], what: str, parts: str
) -> None:
    """Raise CheckpointError if a checkpoint lacks or misfits a frozen tensor.

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
        raise CheckpointError(
            f'the checkpoint does not fit the frozen {what}: {faults[0]}'
            f' (and {len(faults) - 1} more); load_from must be a checkpoint '
            f'of the same {parts}, trained on the same classes'
        )


def fill_model(
    model: nn.Module, state: Mapping[str, Any], source: str, whole: bool = True
) -> Mapping[str, Any]:
    """Load weights into a model; return them under the model's names.

    Names may be those of another library (``state_dicts.LAYOUTS``).

    Args:
        model: The model; of a wrapper (DDP, test-time augmentation) what it
            wraps is filled.
        state: Tensors by name.
        source: Where they come from, for messages.
        whole: Whether each tensor of the model must be filled, except
            counters. Else one of its parameters is enough, as for training
            that starts from another model, and the rest is logged.

    Raises:
        CheckpointError: The weights fill less than that.
    """
    model = _unwrapped(model)
    own = model.state_dict()
    state, layout = named_as(state, own)
    if layout:
        note(f'{source}: names are read as those of {layout}', logging.INFO)
    missing, others, misfits = _load(model, state, source)
    filled = set(own) - set(missing) - {name for name, *_ in misfits}
    text = _describe(len(own), missing, misfits, others)
    if not filled & {name for name, _ in model.named_parameters()}:
        raise CheckpointError(
            f'{source} fills no parameter of the model: {text}. Use a '
            'checkpoint of this kind of model; one with names of another '
            "library first needs one of mmpretrain's tools/model_converters, "
            "and a backbone's alone belongs in its init_cfg"
        )
    if whole and (missing or misfits):
        raise CheckpointError(
            f'{source} does not fit the model: {text}. Use the config that it '
            'was trained with, or train from it (load_from)'
        )
    if missing or misfits or others:
        note(f'{source}: {text}')
    return state


def _unwrapped(model: nn.Module) -> nn.Module:
    """Return what a wrapper of mmengine holds; any other model itself."""
    if not usable('mmengine'):
        return model
    from mmengine.model import BaseTTAModel, is_model_wrapper

    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def _load(
    model: nn.Module, state: Mapping[str, Any], source: str
) -> tuple[list[str], list[str], list[tuple[str, str, str]]]:
    """Load what fits; return the names that are missing, unknown, misfit.

    The model's hooks on its state dict decide, which may rename or resize.
    """
    missing: list[str] = []
    others: list[str] = []
    misfits: list[tuple[str, str, str]] = []

    def take(_: nn.Module, keys: Any) -> None:
        missing.extend(keys.missing_keys)
        others.extend(keys.unexpected_keys)

    hook = model.register_load_state_dict_post_hook(take)
    try:
        model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        misfits += MISFIT.findall(str(error))
        if not misfits:
            raise CheckpointError(f'{source}: {error}') from error
    finally:
        hook.remove()
    missing = [name for name in missing if not name.endswith(COUNTERS)]
    others = [name for name in others if not name.endswith(COUNTERS)]
    return missing, others, misfits


def _describe(
    total: int,
    missing: Sequence[str],
    misfits: Sequence[tuple[str, str, str]],
    others: Sequence[str],
) -> str:
    """Return in words what does not fit; with the first names."""
    parts = []
    if missing:
        names = _first(missing)
        parts.append(
            f'{len(missing)} of {total} tensors are missing ({names})'
        )
    if misfits:
        name, there, here = misfits[0]
        parts.append(
            f'{len(misfits)} have another shape ({name}: {there} there, '
            f'{here} in the model)'
        )
    if others:
        names = _first(others)
        parts.append(f'{len(others)} have no place in the model ({names})')
    return ', '.join(parts)


def _first(names: Sequence[str]) -> str:
    """Return the first three names, and that there are more."""
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
