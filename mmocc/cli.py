"""The command ``mmocc``: the tools of mmocc by short names, from anywhere.

It imports only the standard library, so that it starts, and can say what is
missing, in any environment.
"""

import difflib
import os
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location

from mmocc.utils.find_config import home
from mmocc.utils.hosts import EXTRAS, MissingHostError
from mmocc.version import __version__

COMMANDS = {  # the tool, and what it does
    'report': (
        'analysis_tools/occlusion_benchmark.py',
        'what occlusion costs trained models: tables, plot and page',
    ),
    'train': (
        'train.py',
        'train a config; "dea" or "ofer": from a folder of your own',
    ),
    'test': ('test.py', 'test a checkpoint'),
    'predict': ('predict.py', 'ask a trained model about photos'),
    'fit-learn': (
        'fit_learn.py',
        'train LEARN for any classifier on photos without labels',
    ),
    'app': ('app.py', 'see in the browser what networks say of hidden photos'),
    'demo': ('demo.py', 'train and test LEARN on handwritten digits'),
    'check': ('check_env.py', 'what works in this environment'),
}
TRAIN = {  # "train NAME ...", from a folder of data to a table
    'dea': 'train_dea.py',
    'ofer': 'train_ofer.py',
}
# Commands for which the extra [torch] is enough; the others read configs.
PLAIN = ('report', 'check')


def usage() -> str:
    """Return what ``mmocc --help`` prints."""
    lines = [f'  {name:11}{text}' for name, (_, text) in COMMANDS.items()]
    return '\n'.join(
        [
            f'mmocc {__version__}: models that see partly hidden objects',
            'usage: mmocc COMMAND ...',
            *lines,
            '"mmocc COMMAND --help" has the arguments.',
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status.

    SystemExit, with one line, if it fails.
    """
    name, *rest = (sys.argv[1:] if argv is None else argv) or ['--help']
    if name in ('-h', '--help', 'help'):
        print(usage())
        return 0
    if name in ('-V', '--version'):
        print(__version__)
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        hint = f'did you mean {close[0]}?' if close else ', '.join(COMMANDS)
        sys.exit(f'mmocc: no command {name}; {hint}')
    try:
        return run(name, rest) or 0
    except MissingHostError as error:
        if os.environ.get('MMOCC_TRACEBACK'):
            raise
        sys.exit(f'mmocc {name}: {error}')
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or '')
        if extra == 'torch' and name not in PLAIN:
            extra = 'cls'
        if extra is None or os.environ.get('MMOCC_TRACEBACK'):
            raise
        sys.exit(
            f'mmocc {name}: {error.name} is not installed; pip install '
            f'"mmocc[{extra}]" brings it, and "mmocc check" says what else '
            'is missing'
        )


def run(name: str, arguments: Sequence[str]) -> int | None:
    """Call the ``main`` of a command's tool with these arguments."""
    tool, words = COMMANDS[name][0], [name]
    if name == 'train' and arguments and arguments[0] in TRAIN:
        tool, words = TRAIN[arguments[0]], [name, arguments[0]]
        arguments = arguments[1:]
    tool = home() / 'tools' / tool
    before = sys.argv
    sys.argv = [f'mmocc {" ".join(words)}', *arguments]
    try:
        spec = spec_from_file_location(f'mmocc_tool_{tool.stem}', tool)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.main()
    finally:
        sys.argv = before


if __name__ == '__main__':
    sys.exit(main())
