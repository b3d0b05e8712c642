"""Print which parts of the environment work, and how to install the others.

Exits with 0 if one of the tasks at its end can run, else with 1. At the start
it imports only the standard library.
"""

import argparse
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# The same relative place in a checkout and in an installed mmocc/.mim.
TESTED = Path(__file__).resolve().parents[1] / 'requirements' / 'tested.txt'
HOSTS = ('mmengine', 'mmcv', 'mmpretrain', 'mmdet')


def pip_install(*names: str, flags: str = '') -> str:
    """Return the command that installs the tested version of ``names``."""
    pins = TESTED.read_text(encoding='utf-8') if TESTED.is_file() else ''
    tested = {
        re.split('[=<>]', line)[0]: f'"{line}"'
        if set(line) & set('<;')
        else line
        for line in pins.split()
    }
    packages = ' '.join(tested.get(name, name) for name in names)
    return f'{sys.executable} -m pip install {flags}{packages}'


def python() -> str:
    """Return the interpreter's version if it is new enough."""
    if sys.version_info < (3, 10):  # noqa: UP036 (the check is the purpose)
        raise RuntimeError(f'{sys.version.split()[0]} is too old')
    return sys.version.split()[0]


def torch() -> str:
    """Return torch's version and its device."""
    module = import_module('torch')
    if module.cuda.is_available():
        device = module.cuda.get_device_name()
    else:
        device = 'CPU'
    return f'{module.__version__}, {device}'


def torchvision() -> str:
    """Return torchvision's version if its operators match torch."""
    boxes = import_module('torch').empty(0, 4)
    import_module('torchvision.ops').nms(boxes, boxes[:, 0], 0.5)
    return import_module('torchvision').__version__


def mmcv_ops() -> str:
    """Check that mmcv's operators run, and return whose they are."""
    state = import_module('mmocc.utils.mmcv_ops').ops_state()
    boxes = import_module('torch').tensor([[0.0, 0.0, 2.0, 2.0]])
    import_module('mmcv.ops').nms(boxes, boxes[:, 3], 0.5)
    return state


def has_hosts() -> bool:
    """Return whether one of OpenMMLab's packages is installed."""
    with suppress(ImportError):
        return any(map(find_spec, HOSTS))
    return False


def setuptools() -> str:
    """Return setuptools' version if the hosts can work with it."""
    number = version('setuptools')
    if not 77 <= int(number.split('.')[0]) < 81:
        raise RuntimeError(f'{number} is not in the tested range, 77 to 80')
    return number


def mim_folder() -> str:
    """Check that mim will find mmocc's configs and tools."""
    folder = Path(import_module('mmocc').__file__).parent / '.mim'
    if not (folder / 'tools' / 'train.py').is_file():
        raise RuntimeError(f'no tools in {folder}: `mim train mmocc` fails')
    return 'configs and tools are there'


def module_version(name: str, *inner: str) -> Callable[[], str]:
    """Return a check that imports ``name`` and returns its version.

    Modules ``inner`` are imported as well: a host can fail there only.
    """

    def check() -> str:
        if inner:
            with suppress(ImportError):
                import_module('mmocc')  # has mmcv's operators for mmdet
        for part in inner:
            import_module(f'{name}.{part}')
        return getattr(import_module(name), '__version__', 'found')

    return check


def parts() -> dict[str, tuple[Callable[[], str], str]]:
    """Return the check of each part, and the remedy if it fails."""
    pair = pip_install('torch', 'torchvision')
    build = pip_install('setuptools', 'wheel', 'packaging', 'ninja', 'psutil')
    again = '--no-build-isolation --no-deps --force-reinstall --no-cache-dir '
    here = pip_install('.', flags='--no-build-isolation --no-deps -e ')
    remedies = {
        'cv2': pip_install('opencv-python-headless'),
        'mmengine': pip_install('onedl-mmengine'),
        'mmcv': pip_install('onedl-mmcv', flags='--no-cache-dir '),
        'mmpretrain': pip_install('onedl-mmpretrain'),
        'mmdet': pip_install('onedl-mmdetection'),
        'pycocotools': pip_install('pycocotools'),
        'mmocc': f'{here} (in a checkout)',
    }
    inner = dict.fromkeys(('mmpretrain', 'mmdet'), ('models', 'datasets'))
    imported = {
        name: (module_version(name, *inner.get(name, ())), remedy)
        for name, remedy in remedies.items()
    }
    ops = f'{build} && {pip_install("onedl-mmcv", flags=again)}'
    # Only the hosts, and what builds them, mind the version.
    tool = {'setuptools': (setuptools, pip_install('setuptools'))}
    return {
        'python': (python, 'install Python 3.10 or newer'),
        **(tool if has_hosts() else {}),
        'torch': (torch, pair),
        'torchvision': (torchvision, pair),
        **imported,
        'mmcv ops': (mmcv_ops, ops),
        'mmocc .mim': (mim_folder, remedies['mmocc']),
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--quiet', action='store_true', help='leave out what works'
    )
    return parser.parse_args()


def main() -> int:
    """Print one line per part, then what can run."""
    args = parse_args()
    working = {}
    for name, (check, remedy) in parts().items():
        try:
            working[name] = check()
            line = f'  ok      {name:12} {working[name]}'
        except Exception as error:  # whatever an import may raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            missing = getattr(error, 'name', None) == name.split()[0]
            state = 'missing' if missing else 'broken'
            line = f'  {state:7} {name:12} {reason}\n{"":10}-> {remedy}'
        if name not in working or not args.quiet:
            print(line)
    plain = {'python', 'torch', 'torchvision', 'cv2', 'mmocc'}
    base = plain | {'mmengine', 'mmcv'}
    tasks = {
        'report on torch models': plain,
        'classification': base | {'mmpretrain'},
        'detection': base | {'mmdet', 'mmcv ops', 'pycocotools'},
    }
    for task, needed in tasks.items():
        lacks = ', '.join(sorted(needed - set(working)))
        state = f'not ready: {lacks}' if lacks else 'ready'
        if task == 'detection' and not lacks:
            state += f' ({working["mmcv ops"]})'
        print(f'{task}: {state}')
    done = [needed <= set(working) for needed in tasks.values()]
    return 0 if any(done) else 1


if __name__ == '__main__':
    sys.exit(main())
