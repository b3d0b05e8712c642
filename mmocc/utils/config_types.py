"""What a ``type`` in a config means: a class, or one of three ways to name it.

mmengine builds from a class (``type=LEARN`` in a new-style config), from a
name, bare or with its scope (``'ResNet'``, ``'mmocc.LEARN'``), and from a full
path (``'mmocc.models.learn.learn.LEARN'``). Whatever looks at a type asks the
functions here, so that all three mean the same everywhere.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.registry import DATASETS, MODELS, Registry

HOSTS = ('mmpretrain', 'mmdet')


def class_name(kind: Any) -> str:
    """Return the name of a type's class: ``'LEARN'`` of all in the header."""
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def find_class(
    kind: Any, registry: Registry = MODELS, scope: str | None = None
) -> Any:
    """Return what ``registry`` builds for a type; None if it knows no such.

    Names are looked up in ``scope``, or the current default scope.
    """
    if not isinstance(kind, str):
        return kind
    with registry.switch_scope_and_registry(scope) as scoped:
        try:
            return scoped.get(kind)
        except RuntimeError:  # mmengine's word for a name that is no path
            return None


def host_of(cfg: Any) -> str | None:
    """Return the host that a config is for; None if nothing in it tells.

    That is its ``default_scope``. New-style configs may have none: then it is
    the host of the first type that comes from one or is derived from one's
    class, the model first.
    """
    if cfg.get('default_scope') in HOSTS:
        return cfg.default_scope
    parts = ('model', 'test_dataloader', 'train_dataloader')
    for kind in types_in([cfg.get(part) for part in parts]):
        for host in HOSTS:
            if _is_of(kind, host):
                return host
    return None


def scope_of(cfg: Any, default: str = 'mmpretrain') -> str:
    """Return the scope in which a config's bare names are looked up."""
    return cfg.get('default_scope') or host_of(cfg) or default


def types_in(node: Any) -> Iterator[Any]:
    """Yield each type in a (part of a) config, a dict's before its parts'."""
    if isinstance(node, dict):
        if 'type' in node:
            yield node['type']
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from types_in(child)


def _is_of(kind: Any, host: str) -> bool:
    """Return whether a type is of a host, or derived from a class of it."""
    if isinstance(kind, str) and not kind.startswith('mmocc.'):
        return kind.startswith(f'{host}.')
    kind = find_class(kind, MODELS) or find_class(kind, DATASETS)
    return any(
        str(getattr(parent, '__module__', '')).startswith(f'{host}.')
        for parent in getattr(kind, '__mro__', (kind,))
    )
