"""Any torch classifier, as a model of the report."""

import hashlib
import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pickletools import genops
from types import FunctionType, MethodType
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor, nn

from mmocc.report.answers import Answers
from mmocc.report.classifiers import are_probabilities
from mmocc.report.fingerprint import Parts, digest
from mmocc.report.job import Job, Settings
from mmocc.report.steps import Options, collate_lists
from mmocc.report.torch_images import split_steps
from mmocc.version import __version__

ADDRESS = re.compile(r' at 0x[0-9a-fA-F]+')
# What differs between two saved scripts of one module.
MANGLED = re.compile(rb'[./]?___torch_mangle_\d+')
NO_CONTENT = re.compile(r'\.debug_pkl$|/serialization_id$|/traced_inputs')


def unwrapped_logits(given: Any) -> Any:
    """Return the ``logits`` of what a classifier gives, or what it gives."""
    if isinstance(given, Mapping):
        return given.get('logits')
    return getattr(given, 'logits', given)


class LogitsModel(nn.Module):
    """Answer packed samples, as mm's models do, by a module's logits.

    Logits become probabilities by softmax, unless each row is probabilities
    already.

    Args:
        module: Gives logits (N, classes), or an object that has ``logits``.
        name: Of the model, for messages.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name
        # so that the device is known of a module without parameters, too
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)

    def test_step(self, batch: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
        """Return the samples of a batch with their ``pred_score``."""
        shapes = {tuple(image.shape) for image in batch['inputs']}
        if len(shapes) > 1:
            raise ValueError(
                f'transform= gives images of several sizes, {sorted(shapes)}, '
                'which make no batch; crop them to one, or take batch_size=1'
            )
        images = torch.stack(list(batch['inputs']))
        scores = self._scores(images.to(self.place.device, non_blocking=True))
        if not are_probabilities(scores):
            scores = scores.softmax(dim=1)
        for sample, row in zip(batch['data_samples'], scores, strict=True):
            sample.pred_score = row
        return batch['data_samples']

    def _scores(self, images: Tensor) -> Tensor:
        """Return the module's logits (N, classes) in float32."""
        logits = unwrapped_logits(self.module(images))
        if (
            not torch.is_tensor(logits)
            or logits.shape[:-1] != images.shape[:1]
        ):
            shape = tuple(getattr(logits, 'shape', ()))
            raise ValueError(
                f'model {self.name!r} must give logits (N, classes), got '
                f'{type(logits).__name__} {shape} for images '
                f'{tuple(images.shape)}'
            )
        return logits.float()


def module_parts(module: nn.Module) -> Parts:
    """Return what decides of a module: its classes and its weights."""
    kinds = {type(part) for part in module.modules()}
    sources = sorted(
        _source(kind)
        for kind in kinds
        if not kind.__module__.startswith('torch.')
    )
    return {
        'the model': digest([ADDRESS.sub('', str(module)), sources]),
        'the weights': _weights_digest(module),
        'the version of mmocc': digest(__version__),
    }


def _source(code: Any) -> str:
    """Return the source of a class, else its name."""
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return f'{code.__module__}.{code.__qualname__}'


def _weights_digest(module: nn.Module) -> str:
    """Return the digest of all weights, buffers and constants of a module."""
    content = hashlib.sha256()
    values = module.state_dict()
    unsaved = {k: v for k, v in module.named_buffers() if k not in values}
    for name, value in (values | unsaved).items():
        content.update(name.encode())
        if not torch.is_tensor(value) or value.is_quantized:
            content.update(_saved(value))
            continue
        content.update(f'{value.dtype} {tuple(value.shape)}'.encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        content.update(flat.view(torch.uint8).numpy().data)
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            content.update(_script(part))
            break  # its parts are in it
    return content.hexdigest()


def _saved(value: Any) -> bytes:
    """Return what ``torch.save`` writes of a value."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _script(module: torch.jit.ScriptModule) -> bytes:
    """Return code and constants of a script, as all processes write them.

    In a frozen one, the weights are constants. What cannot be saved gets
    random bytes: its answers are never reused.
    """
    try:
        saved = module.save_to_buffer()
    except RuntimeError:
        return os.urandom(16)
    parts = []
    with ZipFile(io.BytesIO(saved)) as file:
        for name in file.namelist():
            if NO_CONTENT.search(name):
                continue
            content = file.read(name)
            if name.endswith('.pkl'):  # strings, each after its length
                words = [str(word) for _, word, _ in genops(content)]
                content = ' '.join(words).encode()
            parts += [name.encode(), content]
    return MANGLED.sub(b'', b' '.join(parts))


def transform_digest(transform: Callable) -> str:
    """Return what tells a transform from others, in later runs as well.

    Steps count by how they are shown (``repr``), functions by their code.
    """
    return digest([_step_text(step) for step in split_steps(transform)])


def _step_text(step: Any) -> list[Any]:
    """Return a step in words that are the same in each run."""
    if isinstance(step, MethodType):
        return [*_step_text(step.__func__), _step_text(step.__self__)]
    if isinstance(step, FunctionType):
        code = step.__code__
        consts = [ADDRESS.sub('', repr(value)) for value in code.co_consts]
        cells = [
            ADDRESS.sub('', repr(c.cell_contents))
            for c in step.__closure__ or ()
        ]
        return [
            step.__qualname__,
            code.co_code.hex(),
            code.co_names,
            consts,
            cells,
        ]
    shown = ADDRESS.sub('', repr(step))
    parts = [
        _step_text(value)
        for value in getattr(step, '__dict__', {}).values()
        if isinstance(value, FunctionType | MethodType)
    ]
    return [type(step).__qualname__, shown, *parts]


class TorchJob(Job):
    """A torch module of the report.

    Args:
        name: Of the model.
        module: Gives logits.
        transform: From a picture to the module's input.
        settings: What all models of the report share.
        batch_size: Images in a batch.
        num_workers: Loading processes.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        transform: Callable,
        settings: Settings,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        self.name = name
        self.module = module
        self.checkpoint = 'weights as given'
        self.settings = settings
        loader = Options(
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=collate_lists,
        )
        self.cfg: Any = Options(test_dataloader=loader)
        self.parts = module_parts(module) | {
            'the transform': transform_digest(transform),
            **self.shared_parts(),
        }
        self.model: nn.Module | None = None
        self.cells: dict[str, Answers] = {}

    def ready(self) -> nn.Module:
        """Return the model on its device, in eval mode."""
        if self.model is None:
            model = LogitsModel(self.module, self.name)
            self.model = model.to(self.settings.device)
            # The mode of what torch.export gives was fixed when it was made.
            with suppress(NotImplementedError):
                self.model.eval()
        return self.model


@contextmanager
def modes_kept(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Give back modules, and all their parts, in the mode that they had."""
    modes = [
        (part, part.training)
        for module in modules
        for part in module.modules()
        if hasattr(part, 'training')  # a frozen script has no mode
    ]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def left_as_it_was(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Give back modules in the mode and on the device that they had."""
    firsts = [(m, next(m.parameters(), None)) for m in modules]
    devices = [(m, first.device) for m, first in firsts if first is not None]
    with modes_kept(modules):
        try:
            yield
        finally:
            for module, device in devices:
                module.to(device)
