"""LEARN alone in a file, with what it belongs to."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from mmocc.models.folder_cache import digest
from mmocc.utils.whole_files import write_whole
from mmocc.version import __version__

FORMAT = 'mmocc.learn 1'


def write(
    path: str | Path,
    learn: nn.Module,
    options: Mapping[str, Any],
    layer: str,
    threshold: float,
    model: nn.Module,
) -> Path:
    """Write LEARN's tensors in half precision.

    Args:
        path: Of the file.
        learn: The LEARN.
        options: What it was built with.
        layer: Name of the module of ``model`` that it repairs.
        threshold: Least change of a feature that is repaired.
        model: The classifier without LEARN.

    Raises:
        ValueError: If a number is not finite in half precision.
    """
    path = Path(path).expanduser()
    state = {
        name: value.detach().cpu().half()
        for name, value in learn.state_dict().items()
    }
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(
                f'{name} of LEARN is not finite in half precision: the '
                'training has diverged; train again at a lower learning rate'
            )
    content = dict(
        format=FORMAT,
        mmocc=__version__,
        layer=layer,
        threshold=threshold,
        learn=dict(options),
        frozen=digest(model, {}),
        state=state,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    torch.save(content, buffer)
    write_whole(buffer.getvalue(), path)
    return path


def read(path: str | Path, model: nn.Module) -> dict[str, Any]:
    """Return what :func:`write` wrote; ``state`` is in single precision.

    Raises:
        ValueError: If the file is another, or is for other weights.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of a LEARN')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(
            f'{path} cannot be read: {str(error).splitlines()[0]}'
        ) from error
    if not isinstance(content, Mapping) or content.get('format') != FORMAT:
        raise ValueError(
            f'{path} holds no LEARN alone ({FORMAT}); such files are written '
            'by save() of what mmocc.learn.attach or mmocc.fit_learn gave'
        )
    if content['frozen'] != digest(model, {}):
        raise ValueError(
            f'{path} was trained for other weights than those of this '
            f'{type(model).__name__}: build the model, load the very weights '
            'of then, then this file, and only after it change the type '
            '(half), compile or quantise'
        )
    state = {k: value.float() for k, value in content['state'].items()}
    return {**content, 'state': state}
