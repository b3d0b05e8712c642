"""The packages that parts of mmocc need: are they there, and do they work?

A host may be installed and yet not importable: mmdet refuses an mmcv of
another version, and a compiled module one of another torch. Then what needs it
is off, with the reason, and all the rest goes on. So mmocc's packages import
what needs a host only where :func:`usable` says so, and :func:`absent` answers
for the rest. Nothing is imported before it is asked for.

The hosts import one another where they can, and expect an ImportError where
they cannot. :class:`HostFinder` makes one of whatever a broken host raises. It
also leaves out mmpretrain's multi-modal models, which are written for
transformers 4, beside another version: mmpretrain looks for 4.28 or newer, and
could not be imported at all beside 5.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from types import ModuleType
from typing import Any

from mmocc.utils.files import note

# The extra of mmocc that brings a package.
EXTRAS = {
    'cv2': 'torch',
    'gradio': 'app',
    'mmcv': 'cls',
    'mmdet': 'det',
    'mmengine': 'cls',
    'mmpretrain': 'cls',
    'pycocotools': 'det',
    'torch': 'torch',
    'torchvision': 'torch',
}


HOSTS = ('mmdet', 'mmpretrain')
# Where mmpretrain notes whether its multi-modal models can be imported.
NOTES = 'mmpretrain.utils.dependency'


class MissingHostError(ImportError):
    """A package is missing or broken; the message names the remedy."""


@cache
def problem(module: str) -> str:
    """Return why a module cannot be imported, as a predicate; '' if it can.

    A host that is installed and broken is noted once, in the log.
    """
    host, inner, _ = module.partition('.')
    if inner and (reason := problem(host)):
        return reason
    try:
        import_module(module)
    except Exception as error:  # also AssertionError of versions, OSError
        name = getattr(error, 'name', None) or ''
        lost = name if isinstance(error, ModuleNotFoundError) else ''
        if lost == host:
            return 'is not installed'
        why = f'{lost} is not installed' if lost else _line(error)
        note(f'{host} cannot be imported ({why}): all that needs it is off')
        return f'cannot be imported: {why}'
    return ''


def _line(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    error = error.__cause__ or error
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'


def usable(*modules: str) -> bool:
    """Return whether modules, such as ``mmdet.models``, can be imported."""
    return not any(map(problem, modules))


def require(name: str, *modules: str) -> None:
    """Raise MissingHostError, with the remedy, if a module does not work.

    Args:
        name: What needs the modules.
        *modules: Such as ``mmengine``, or ``mmdet.models``.
    """
    for module in filter(problem, modules):
        host, reason = module.partition('.')[0], problem(module)
        remedy = '"mmocc check" says what would help'
        if reason.endswith('is not installed'):
            remedy = f'pip install "mmocc[{EXTRAS[host]}]" brings it'
        raise MissingHostError(
            f'{name} needs {host}, which {reason}; {remedy}'
        )


def absent(
    package: str, wanted: Mapping[str, Iterable[str]]
) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``, which says why a name is missing.

    Args:
        package: Its name.
        wanted: Names of the package by the module that they need.
    """

    def __getattr__(name: str) -> Any:
        for module, names in wanted.items():
            if name in names:
                require(f'mmocc.{name}', module)
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return __getattr__


class HostFinder(MetaPathFinder):
    """Finds hosts as others do, and lets them fail by ImportError only."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of a host, and None for all else."""
        others = sys.meta_path if fullname in (*HOSTS, NOTES) else ()
        for finder in others:
            if isinstance(finder, HostFinder):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                _fail_by_import_error(spec)
                return spec
        return None


def _fail_by_import_error(spec: ModuleSpec) -> None:
    """Let a module's loader raise nothing but ImportError."""
    loader: Any = spec.loader
    run = getattr(loader, 'exec_module', None)
    if run is None:  # a folder without modules
        return

    def exec_module(module: ModuleType) -> None:
        try:
            run(module)
        except ImportError:
            raise
        except Exception as error:
            raise ImportError(str(error), name=spec.name) from error
        if spec.name == NOTES and module.WITH_MULTIMODAL:
            module.WITH_MULTIMODAL = _multimodal_models_work()

    loader.exec_module = exec_module


def _multimodal_models_work() -> bool:
    """Return whether transformers still has what mmpretrain takes from it."""
    if int(version('transformers').partition('.')[0]) >= 5:
        return False  # known without its import, which takes seconds
    try:
        from transformers.modeling_utils import PreTrainedModel  # noqa: F401
        from transformers.pytorch_utils import (  # noqa: F401
            apply_chunking_to_forward,
            find_pruneable_heads_and_indices,
        )
    except Exception:  # its own checks of versions raise anything
        return False
    return True


def expect_broken_hosts() -> None:
    """Let a broken host not break another that could do without it."""
    if not any(isinstance(f, HostFinder) for f in sys.meta_path):
        sys.meta_path.insert(0, HostFinder())
