"""Configs as new-style Python files: types are classes that a file imports."""

import inspect
import runpy
import sys

import mmengine.registry
from mmengine.registry import DefaultScope, Registry

from mmocc import models
from mmocc.utils.config_types import find_class

REGISTRIES = [
    each
    for each in vars(mmengine.registry).values()
    if isinstance(each, Registry)
]


def class_of(name):
    """Return the class that a type names, in whichever registry."""
    for registry in REGISTRIES:
        found = find_class(name, registry)
        if inspect.isclass(found):
            return found
    return name  # a function's name, such as nms


def source(node, imports):
    """Return a value as Python, with the classes that it imports."""
    if isinstance(node, dict):
        parts = []
        for key, value in node.items():
            if key == 'type' and isinstance(value, str):
                value = class_of(value)
            parts.append(f'{key!r}: {source(value, imports)}')
        return '{' + ', '.join(parts) + '}'
    if isinstance(node, list | tuple):
        inner = ''.join(f'{source(each, imports)}, ' for each in node)
        return f'[{inner}]' if isinstance(node, list) else f'({inner})'
    if inspect.isclass(node):
        ours = getattr(models, node.__name__, None) is node
        imports[node.__name__] = 'mmocc.models' if ours else node.__module__
        return node.__name__
    return repr(node)


def write(folder, cfg, own=('model',)):
    """Write a config as ``base.py`` and ``new.py``, which has ``own``.

    It has no ``default_scope``. Returns the path.
    """
    scope = cfg.get('default_scope')
    files = dict(base=['default_scope = None'], new=[])
    with DefaultScope.overwrite_default_scope(scope):
        for name, lines in files.items():
            imports = {}
            settings = [
                f'{key} = {source(value, imports)}'
                for key, value in cfg.items()
                if (key in own) == (name == 'new')
                and key not in ('default_scope', 'custom_imports')
            ]
            lines += [f'from {m} import {c}' for c, m in imports.items()]
            lines += settings
    files['new'] = [
        'from mmengine.config import read_base',
        'with read_base():',
        '    from .base import *',
        *files['new'],
    ]
    for name, lines in files.items():
        (folder / f'{name}.py').write_text('\n'.join(lines) + '\n')
    return folder / 'new.py'


def main():
    """Run tools in this process, one after the other; ``--`` parts them."""
    commands, sys.argv = ' '.join(sys.argv[1:]).split(' -- '), None
    for command in commands:
        sys.argv = command.split()
        runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
